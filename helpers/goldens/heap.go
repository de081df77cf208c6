package main

import (
	"math/rand/v2"

	"cluster-profiler-job/goldens/shapes.v1"
)

// What a route allocates, beside a runtime.MemProfileRate of 512 KiB, the
// default, which is left alone: most paths are sampled and every shape almost
// surely is, but nothing fully, so every record has to be unsampled.
const (
	perPath  = 1 << 20
	perShape = 4 << 20
)

// fillHeap allocates at the end of every shape and path and returns what it kept.
func fillHeap(paths []shapes.Route) [][]byte {
	// Seeded, so that another run has the same sizes.
	random := rand.New(rand.NewPCG(1, 2))
	held := fill(nil, shapes.All(), perShape, random)
	return fill(held, paths, perPath, random)
}

func fill(held [][]byte, routes []shapes.Route, perRoute int, random *rand.Rand) [][]byte {
	for i, route := range routes {
		sizes := []int{1 << (13 + random.IntN(6))} // 8 KiB to 256 KiB
		// Another size on the same stack makes another record of that stack.
		if i%16 == 0 {
			sizes = append(sizes, sizes[0]*3/2)
		}
		for _, size := range sizes {
			route(func() { held = allocate(held, size, perRoute/size, random) })
		}
	}
	return held
}

// allocate keeps one in six, so that what is in use differs from what was
// allocated.
func allocate(held [][]byte, size, count int, random *rand.Rand) [][]byte {
	for range count {
		chunk := make([]byte, size)
		if random.IntN(6) == 0 {
			held = append(held, chunk)
		}
	}
	return held
}
