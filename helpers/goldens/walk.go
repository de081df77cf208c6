package main

import "cluster-profiler-job/goldens/shapes.v1"

// bits allows 4096 paths, every one about as deep as a request is in a real
// API server.
const bits = 12

// paths are that many routes that differ from each other.
func paths(count int) (routes []shapes.Route) {
	for path := range count {
		routes = append(routes, walk(uint(path)))
	}
	return routes
}

// walk is the route that turns left or right at each bit of path, so that a
// handful of functions makes as many distinct stacks as there are paths.
func walk(path uint) shapes.Route {
	return func(do func()) { step(path, bits, do) }
}

func step(path uint, left int, do func()) {
	switch {
	case left == 0:
		do()
	case path&1 == 0:
		(&leftTurn[string]{}).take(path>>1, left-1, do)
	default:
		(&rightTurn[shapes.Pair[int, string]]{}).take(path>>1, left-1, do)
	}
}

type leftTurn[T any] struct{ seen T }

// take goes on through an inlined call.
func (t *leftTurn[T]) take(path uint, left int, do func()) {
	straight(path, left, do)
}

func straight(path uint, left int, do func()) { step(path, left, do) }

type rightTurn[T any] struct{ seen T }

// take goes on through a closure.
func (t *rightTurn[T]) take(path uint, left int, do func()) {
	shapes.Run(func() { step(path, left, do) })
}
