package shapes

// A Pair is a type argument that has type arguments.
type Pair[A, B any] struct {
	First  A
	Second B
}

// visit is called as a value, through visit-fm, a wrapper that the stacks of
// block and mutex show.
//
//go:noinline
func (p *Pair[A, B]) visit(do func()) { generic(p.First, do) }

func method(do func()) {
	visit := (&Pair[int, string]{1, "a"}).visit
	call(visit, do)
}

//go:noinline
func call(route Route, do func()) { route(do) }

// generic runs do from a closure whose name holds the type arguments too.
//
//go:noinline
func generic[T any](value T, do func()) {
	Run(func() {
		keep(value)
		do()
	})
}

//go:noinline
func keep[T any](T) {}

// instances is three instances of one generic on one stack: three functions in
// the proto, one name in the text.
func instances(do func()) {
	generic(1, func() { generic("a", func() { generic(2.5, do) }) })
}

func nestedInstance(do func()) {
	generic(Pair[string, map[int]Pair[int, []byte]]{}, do)
}

// oddInstances have blanks, quotes and brackets in their type arguments.
func oddInstances(do func()) {
	type tagged = struct {
		Name string `json:"name,omitempty"`
	}
	generic(tagged{}, func() {
		generic(func(int) (string, error) { return "", nil }, func() {
			generic([3]chan<- interface{ Close() error }{}, do)
		})
	})
}
