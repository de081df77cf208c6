package main

import (
	"bytes"
	"crypto/sha256"
	"runtime/pprof"
	"slices"
	"time"

	"cluster-profiler-job/goldens/shapes.v1"
)

// burning is the length of the CPU profile.
const burning = 2 * time.Second

// profileCPU burns CPU at the end of every route and returns the profile of it.
// KubeVirt serves just these bytes: this kind has no text.
func profileCPU(routes []shapes.Route) ([]byte, error) {
	var proto bytes.Buffer
	if err := pprof.StartCPUProfile(&proto); err != nil {
		return nil, err
	}
	for _, route := range routes {
		end := time.Now().Add(burning / time.Duration(len(routes)))
		route(func() {
			for time.Now().Before(end) {
				burn()
			}
		})
	}
	pprof.StopCPUProfile()
	return proto.Bytes(), nil
}

// burn hashes and sorts. It allocates nothing: the heap profile is to hold what
// fillHeap put there.
func burn() {
	var sums [200][sha256.Size]byte
	for i := range sums {
		sums[i] = sha256.Sum256([]byte{byte(i)})
	}
	slices.SortFunc(sums[:], func(a, b [sha256.Size]byte) int {
		return bytes.Compare(a[:], b[:])
	})
}
