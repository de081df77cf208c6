package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/google/pprof/profile"
	"github.com/google/uuid"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
)

// The limits of Pyroscope, as it is configured by default.
const (
	mostLabels   = 30
	longestValue = 2048
	mostSamples  = 16_000
	mostBytes    = 4 << 20
	oldest       = time.Hour
	newest       = 10 * time.Minute
)

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

type pair struct{ Name, Value string }

// checkedLabels are labels that both servers take.
func checkedLabels(pairs []pair) (map[string]string, error) {
	labels := map[string]string{}
	for _, label := range pairs {
		if !labelName.MatchString(label.Name) {
			return nil, fmt.Errorf("invalid label name %q", label.Name)
		}
		if _, is := labels[label.Name]; is {
			return nil, fmt.Errorf("duplicate label name %q", label.Name)
		}
		labels[label.Name] = label.Value
	}
	if labels["__name__"] == "" {
		return nil, errors.New("there is no name")
	}
	return labels, nil
}

func checkPyroscopeLabels(labels map[string]string) error {
	if labels["service_name"] == "" {
		return errors.New("service name is not provided")
	}
	if len(labels) > mostLabels {
		return fmt.Errorf("%d label names; limit %d", len(labels), mostLabels)
	}
	for name, value := range labels {
		if value == "" || len(value) > longestValue {
			return fmt.Errorf("label %s is empty or too long", name)
		}
	}
	return nil
}

// checkedPyroscopeProfile is a profile that Pyroscope takes, and that a Pyroscope of version 1 would not take for a
// running total.
func checkedPyroscopeProfile(sample *pushv1.RawSample, labels map[string]string) (*profile.Profile, error) {
	if _, err := uuid.Parse(sample.ID); err != nil {
		return nil, err
	}
	unpacked, err := unpack(sample.RawProfile)
	if err != nil {
		return nil, err
	}
	p, err := profile.ParseData(unpacked)
	if err != nil {
		return nil, err
	}
	now, at := time.Now(), time.Unix(0, p.TimeNanos)
	switch {
	case p.TimeNanos == 0:
		return nil, errors.New("it has no time, and would be misplaced")
	case at.Before(now.Add(-oldest)) || at.After(now.Add(newest)):
		return nil, fmt.Errorf("profile is outside of ingestion window (profile timestamp: %s)", at)
	case len(unpacked) > mostBytes:
		return nil, fmt.Errorf("it exceeds the size limit (max_profile_size_byte, actual: %d)", len(unpacked))
	case len(p.Sample) > mostSamples:
		return nil, fmt.Errorf("it exceeds the samples count limit (actual: %d)", len(p.Sample))
	case len(p.Sample) == 0:
		return nil, errors.New("it is empty, and would be dropped without a word")
	case labels["__delta__"] != "false":
		return nil, errors.New("it would be taken for a running total")
	}
	for _, sample := range p.Sample {
		if len(sample.Location) == 0 {
			return nil, errors.New("a sample has no stack, and would be dropped without a word")
		}
		if len(sample.Label) > 0 {
			return nil, errors.New("a sample has a label, and would be a series of its own")
		}
	}
	return p, nil
}

// checkParcaProfile checks that a profile has a time, that it is a difference where it has a length, and that what it
// numbers is in order.
func checkParcaProfile(p *profile.Profile) error {
	if p.TimeNanos == 0 {
		return errors.New("it has no time")
	}
	for i, mapping := range p.Mapping {
		if mapping.ID != uint64(i+1) {
			return errors.New("mapping id is not sequential")
		}
	}
	for i, function := range p.Function {
		if function.ID != uint64(i+1) {
			return errors.New("function id is not sequential")
		}
	}
	for i, location := range p.Location {
		if location.ID != uint64(i+1) {
			return errors.New("location id is not sequential")
		}
	}
	for _, of := range p.SampleType {
		isSnapshot := of.Type == "inuse_space" || of.Type == "goroutine" || of.Type == "threadcreate"
		if isSnapshot && p.DurationNanos != 0 {
			return fmt.Errorf("%s has a length, and would be taken for a difference", of.Type)
		}
		isDifference := of.Type == "alloc_space" || of.Type == "cpu"
		if isDifference && p.DurationNanos == 0 {
			return fmt.Errorf("%s has no length, and would be taken for a snapshot", of.Type)
		}
	}
	return nil
}

func unpack(raw []byte) ([]byte, error) {
	if !bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		return raw, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}
