package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"cluster-profiler-job/goldens/shapes.v1"
)

// An amount is what one function allocates in the window: so many objects of
// one size. Sizes are on both sides of runtime.MemProfileRate, which is left at
// its default of 512 KiB.
type amount struct {
	function string
	allocate func(count int)
	size     int
	count    int
	// before is how many the function allocates before the window, so that its
	// stack is in both profiles.
	before int
}

var amounts = []amount{
	{"main.tiny", tiny, 64, 1 << 20, 1 << 18},
	{"main.small", small, 16 << 10, 1 << 13, 0},
	{"main.middle", middle, 512 << 10, 1 << 8, 1 << 6},
	{"main.big", big, 3 << 20, 1 << 5, 1 << 3},
	{"main.huge", huge, 16 << 20, 1 << 2, 0},
	// Nothing of it happens in the window.
	{"main.earlier", earlier, 4 << 20, 0, 1 << 3},
}

var sink []byte

//go:noinline
func tiny(count int) { repeat(count, func() { sink = make([]byte, 64) }) }

//go:noinline
func small(count int) { repeat(count, func() { sink = make([]byte, 16<<10) }) }

//go:noinline
func middle(count int) { repeat(count, func() { sink = make([]byte, 512<<10) }) }

//go:noinline
func big(count int) { repeat(count, func() { sink = make([]byte, 3<<20) }) }

//go:noinline
func huge(count int) { repeat(count, func() { sink = make([]byte, 16<<20) }) }

//go:noinline
func earlier(count int) { repeat(count, func() { sink = make([]byte, 4<<20) }) }

func repeat(count int, do func()) {
	for range count {
		do()
	}
}

// runWindow writes every kind twice: before and after something is done whose
// amounts are known, which it writes beside them.
func runWindow(out string) error {
	runtime.SetMutexProfileFraction(5)
	runtime.SetBlockProfileRate(50_000)
	if err := park(shapes.All(), 3); err != nil {
		return err
	}
	contend(shapes.All()[:4])
	for _, amount := range amounts {
		amount.allocate(amount.before)
	}
	held := fillHeap(paths(4))
	before, err := capture()
	if err != nil {
		return err
	}

	// capture has switched the collector off.
	for _, amount := range amounts {
		amount.allocate(amount.count)
		runtime.GC()
	}
	held = append(held[len(held)/2:], fillHeap(paths(8))...)
	defer runtime.KeepAlive(held)
	contend(shapes.All()[2:6])
	if err := park(shapes.All()[:5], 2); err != nil {
		return err
	}
	after, err := capture()
	if err != nil {
		return err
	}

	var known strings.Builder
	for _, amount := range amounts {
		fmt.Fprintf(&known, "%s %d %d\n", amount.function, amount.count, amount.count*amount.size)
	}
	if err := write(filepath.Join(out, "before"), before); err != nil {
		return err
	}
	after = append(after, file{"known.txt", []byte(known.String())})
	return write(filepath.Join(out, "after"), after)
}
