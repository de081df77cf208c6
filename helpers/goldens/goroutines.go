package main

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"cluster-profiler-job/goldens/shapes.v1"
)

// park starts goroutines that stay as they are until the program ends: one in
// each state, one at the end of every route, and many that are alike, some of
// them created by another than the first.
func park(routes []shapes.Route, identical int) error {
	never := make(chan struct{})
	states, err := waits(never)
	if err != nil {
		return err
	}
	for _, wait := range states {
		go wait()
	}
	for _, route := range routes {
		go route(func() {
			go worker(never)
			<-never
		})
	}
	for range identical {
		go worker(never)
	}
	spawn(1, never)
	spawn("a", never)
	settle()
	return nil
}

func worker(jobs <-chan struct{}) {
	for range jobs {
	}
}

// spawn makes a goroutine whose creator is a closure in a generic.
//
//go:noinline
func spawn[T any](value T, never <-chan struct{}) {
	shapes.Run(func() {
		go func() {
			<-never
			runtime.KeepAlive(value)
		}()
	})
}

// settle returns when no goroutine but its own has anything left to run:
// whatever ran on would change the profiles between the text and the proto.
func settle() {
	for {
		stacks := tracebacks()
		if strings.Count(stacks, " [running") == 1 && !strings.Contains(stacks, " [runnable") {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func tracebacks() string {
	var text bytes.Buffer
	// A bytes.Buffer takes every write.
	_ = pprof.Lookup("goroutine").WriteTo(&text, asText)
	return text.String()
}
