// Package shapes has call stacks of every shape that a profile's text can
// show. Its folder has a dot because Go escapes such a name (shapes%2ev1), as
// it does for gopkg.in/yaml.v3 in KubeVirt.
package shapes

import (
	"reflect"
	"slices"
	"sync"
)

// A Route calls do at the end of a stack of one shape. Routes keep no state:
// any number of goroutines may take one at the same time.
type Route func(do func())

// All is one route of each shape.
func All() []Route {
	return []Route{
		deep, mutual, elided, inlined, closures, atInit, unicode, arguments,
		deferred, panicking, faulting, ranged, sorted, once, reflected,
		method, instances, nestedInstance, oddInstances,
	}
}

// Run calls do from a frame of its own, so that the compiler cannot flatten
// the closure it is given.
//
//go:noinline
func Run(do func()) { do() }

// inlined is one call by the machine and four by the source.
func inlined(do func()) { outer(do) }
func outer(do func())   { middle(do) }
func middle(do func())  { inner(do) }
func inner(do func())   { do() }

// closures are named .func1.2 and .func1.2.1.
func closures(do func()) {
	Run(func() {
		Run(func() {})
		Run(func() { Run(func() { do() }) })
	})
}

// atInit is named after the package's init.
var atInit = func(do func()) { do() }

type größe struct{ 幅 int }

func unicode(do func()) { (&größe{幅: 3}).вычислить(do) }

//go:noinline
func (g *größe) вычислить(do func()) { πράξη(g.幅, do) }

//go:noinline
func πράξη(_ int, do func()) { do() }

func arguments(do func()) {
	manyArguments(1, 2, 3, 4, 5, 6, "seven", []byte("eight"), Pair[int, string]{9, "ten"}, do)
}

// manyArguments is printed in a traceback with braces and a closing "...".
//
//go:noinline
func manyArguments(_, _, _, _, _, _ int, _ string, _ []byte, _ Pair[int, string], do func()) {
	do()
}

// ranged is the body of a range over a function, named ranged-range1.
func ranged(do func()) {
	for range twice {
		do()
		break
	}
}

//go:noinline
func twice(yield func(int) bool) {
	_ = yield(1) && yield(2)
}

// sorted comes back from a generic of the standard library.
func sorted(do func()) {
	slices.SortFunc([]int{2, 1}, func(a, b int) int {
		do()
		return a - b
	})
}

func once(do func()) {
	new(sync.Once).Do(do)
}

// reflected has assembly frames in the middle.
func reflected(do func()) {
	reflect.ValueOf(Run).Call([]reflect.Value{reflect.ValueOf(do)})
}
