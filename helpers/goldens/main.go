// Goldens works hard and then writes every pprof kind twice from the same
// process state: as the text that KubeVirt serves (debug=2) and as Go's own
// proto (debug=0), the oracle for whoever turns the one into the other.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"cluster-profiler-job/goldens/shapes.v1"
)

// A plan says how much of everything a set holds. Paths are stacks that differ
// from each other, on top of the ones every set has from package shapes.
type plan struct {
	heapPaths, contendedPaths, parkedPaths int
	// identical is how many goroutines have one and the same stack.
	identical int
	// age is how long the goroutines stay parked: past a minute, Go writes
	// the wait into a goroutine's header.
	age time.Duration
}

var plans = map[string]plan{
	"large": {heapPaths: 3000, contendedPaths: 20, parkedPaths: 20, identical: 150, age: 62 * time.Second},
	"small": {heapPaths: 4, contendedPaths: 2, parkedPaths: 1, identical: 5},
}

func main() {
	set := flag.String("set", "small", "which set to write: large, small or window")
	out := flag.String("out", "", "folder to write it to (default data/SET)")
	flag.Parse()
	if *out == "" {
		*out = "data/" + *set
	}
	if err := run(*set, *out); err != nil {
		fmt.Fprintln(os.Stderr, "goldens:", err)
		os.Exit(1)
	}
}

func run(set, out string) error {
	if set == "window" {
		return runWindow(out)
	}
	plan, ok := plans[set]
	if !ok {
		return fmt.Errorf("-set %q: want large, small or window", set)
	}
	// Rates other than 1, so that a converter that scales wrongly is found out.
	runtime.SetMutexProfileFraction(5)
	runtime.SetBlockProfileRate(50_000)

	if err := park(withShapes(paths(plan.parkedPaths)), plan.identical); err != nil {
		return err
	}
	// A goroutine's wait is counted from the first collection that sees it.
	runtime.GC()
	aged := time.Now().Add(plan.age)

	// Held until everything is written, or there would be nothing in use.
	held := fillHeap(paths(plan.heapPaths))
	defer runtime.KeepAlive(held)
	contend(withShapes(paths(plan.contendedPaths)))
	cpu, err := profileCPU(shapes.All())
	if err != nil {
		return err
	}
	// Asleep, for a wait on a channel would be most of the block profile.
	time.Sleep(time.Until(aged))

	profiles, err := capture()
	if err != nil {
		return err
	}
	return write(out, append(profiles, file{"cpu.pb.gz", cpu}))
}

func withShapes(paths []shapes.Route) []shapes.Route {
	return append(shapes.All(), paths...)
}
