// Standin takes pushes as Pyroscope 2 and Parca do, by the rules of theirs that a client can break, and says what they
// add up to. It prints its address.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"

	"connectrpc.com/connect"
	"github.com/google/pprof/profile"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/push/v1/pushv1connect"
)

// burst is the most bytes of profiles, unpacked, that Pyroscope takes at once.
const burst = 2 << 20

// store has what was stored, as sums by component and by NAME:TYPE:UNIT.
type store struct {
	mutex  sync.Mutex
	totals map[string]map[string]int64
}

func (s *store) add(labels map[string]string, p *profile.Profile) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	component := labels["component"]
	if s.totals[component] == nil {
		s.totals[component] = map[string]int64{}
	}
	for i, of := range p.SampleType {
		key := fmt.Sprintf("%s:%s:%s", labels["__name__"], of.Type, of.Unit)
		for _, sample := range p.Sample {
			s.totals[component][key] += sample.Value[i]
		}
	}
}

// pyroscope is the service whose stubs are Pyroscope's own.
type pyroscope struct {
	store
	requests
}

// Push stores what it can, and names what it cannot, as Pyroscope 2 does.
func (s *pyroscope) Push(_ context.Context, request *connect.Request[pushv1.PushRequest]) (*connect.Response[pushv1.PushResponse], error) {
	if err := s.requests.add(request); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	size := 0
	for _, series := range request.Msg.Series {
		for _, sample := range series.Samples {
			unpacked, err := unpack(sample.RawProfile)
			if err != nil {
				return nil, connect.NewError(connect.CodeInvalidArgument, err)
			}
			size += len(unpacked)
		}
	}
	if size > burst {
		return nil, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("push rate limit (2 MiB) exceeded while adding %d bytes", size))
	}
	var failed error
	for i, series := range request.Msg.Series {
		if err := s.pushSeries(series); err != nil {
			// Its words begin with its own code.
			err = connect.NewError(connect.CodeInvalidArgument, err)
			failed = errors.Join(failed, fmt.Errorf("push series with index %d and id %s failed: %w", i, series.Samples[0].ID, err))
		}
	}
	if failed != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, failed)
	}
	return connect.NewResponse(&pushv1.PushResponse{}), nil
}

func (s *pyroscope) pushSeries(series *pushv1.RawProfileSeries) error {
	var pairs []pair
	for _, label := range series.Labels {
		pairs = append(pairs, pair{label.Name, label.Value})
	}
	labels, err := checkedLabels(pairs)
	if err != nil {
		return err
	}
	if err := checkPyroscopeLabels(labels); err != nil {
		return err
	}
	for _, sample := range series.Samples {
		p, err := checkedPyroscopeProfile(sample, labels)
		if err != nil {
			return err
		}
		s.store.add(labels, p)
	}
	return nil
}

// parca is the service by its gateway's JSON.
type parca struct{ store }

type writeRaw struct {
	Series []struct {
		Labels  struct{ Labels []pair }
		Samples []struct{ RawProfile []byte }
	}
	Normalized bool
}

func (s *parca) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request writeRaw
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 32<<20))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&request)
	for _, series := range request.Series {
		if err != nil {
			break
		}
		var labels map[string]string
		if labels, err = checkedLabels(series.Labels.Labels); err != nil {
			break
		}
		for _, sample := range series.Samples {
			p, broken := profile.ParseData(sample.RawProfile)
			if err = broken; err != nil {
				break
			}
			if err = checkParcaProfile(p); err != nil {
				break
			}
			s.add(labels, p)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, "{}")
}

func (s *store) serveTotals(w http.ResponseWriter, _ *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err := json.NewEncoder(w).Encode(s.totals); err != nil {
		log.Print(err)
	}
}

func main() {
	ofPyroscope := &pyroscope{
		store:    store{totals: map[string]map[string]int64{}},
		requests: requests{all: []seen{}},
	}
	ofParca := &parca{store: store{totals: map[string]map[string]int64{}}}
	mux := http.NewServeMux()
	mux.Handle(pushv1connect.NewPusherServiceHandler(ofPyroscope))
	mux.Handle("POST /api/profiles/writeraw", ofParca)
	mux.HandleFunc("GET /pyroscope/totals", ofPyroscope.serveTotals)
	mux.Handle("GET /pyroscope/requests", &ofPyroscope.requests)
	mux.HandleFunc("GET /parca/totals", ofParca.serveTotals)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}
