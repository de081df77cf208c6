package main

import (
	"encoding/json"
	"log"
	"net/http"
	"strings"
	"sync"

	"connectrpc.com/connect"
	"github.com/google/pprof/profile"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
)

// seen is a request as it came, for whoever compares what clients send.
type seen struct {
	Method      string       `json:"method"`
	Procedure   string       `json:"procedure"`
	ContentType string       `json:"content_type"`
	Encoding    string       `json:"encoding"`
	Series      []seenSeries `json:"series"`
}

type seenSeries struct {
	Labels   map[string]string `json:"labels"`
	IDs      []string          `json:"ids"`
	Profiles []seenProfile     `json:"profiles"`
}

// seenProfile is what google/pprof reads of a profile, its samples added up by the names in their stacks.
type seenProfile struct {
	SampleTypes  []string           `json:"sample_types"`
	PeriodType   string             `json:"period_type"`
	Period       int64              `json:"period"`
	TimeNanos    int64              `json:"time_nanos"`
	Duration     int64              `json:"duration_nanos"`
	Stacks       map[string][]int64 `json:"stacks"`
	SampleLabels int                `json:"sample_labels"`
}

// requests are all that came.
type requests struct {
	mutex sync.Mutex
	all   []seen
}

func (r *requests) add(request *connect.Request[pushv1.PushRequest]) error {
	came := seen{
		Method:      request.HTTPMethod(),
		Procedure:   request.Spec().Procedure,
		ContentType: request.Header().Get("content-type"),
		Encoding:    request.Header().Get("content-encoding"),
	}
	for _, series := range request.Msg.Series {
		of := seenSeries{Labels: map[string]string{}}
		for _, label := range series.Labels {
			of.Labels[label.Name] = label.Value
		}
		for _, sample := range series.Samples {
			p, err := profile.ParseData(sample.RawProfile)
			if err != nil {
				return err
			}
			of.IDs = append(of.IDs, sample.ID)
			of.Profiles = append(of.Profiles, seenOf(p))
		}
		came.Series = append(came.Series, of)
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.all = append(r.all, came)
	return nil
}

func seenOf(p *profile.Profile) seenProfile {
	of := seenProfile{
		Period:    p.Period,
		TimeNanos: p.TimeNanos,
		Duration:  p.DurationNanos,
		Stacks:    map[string][]int64{},
	}
	if p.PeriodType != nil {
		of.PeriodType = p.PeriodType.Type + ":" + p.PeriodType.Unit
	}
	for _, value := range p.SampleType {
		of.SampleTypes = append(of.SampleTypes, value.Type+":"+value.Unit)
	}
	for _, sample := range p.Sample {
		var names []string
		for _, location := range sample.Location {
			for _, line := range location.Line {
				names = append(names, line.Function.Name)
			}
		}
		stack := strings.Join(names, ";")
		if of.Stacks[stack] == nil {
			of.Stacks[stack] = make([]int64, len(sample.Value))
		}
		for i, value := range sample.Value {
			of.Stacks[stack][i] += value
		}
		of.SampleLabels += len(sample.Label) + len(sample.NumLabel)
	}
	return of
}

func (r *requests) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err := json.NewEncoder(w).Encode(r.all); err != nil {
		log.Print(err)
	}
}
