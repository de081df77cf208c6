package shapes

// These leave frames of the runtime in the middle of a stack, where a
// traceback hides some of them and a profile shows them all.

// deferred is called by runtime.deferreturn: a defer in a loop is not open coded.
func deferred(do func()) {
	for range 2 {
		defer keep(0)
	}
	for range 1 {
		defer do()
	}
}

// panicking has runtime.gopanic, which a traceback calls panic.
func panicking(do func()) {
	defer recovered(do)
	panic("on purpose")
}

// faulting has runtime.sigpanic below runtime.gopanic.
func faulting(do func()) {
	defer recovered(do)
	keep(*missing())
}

//go:noinline
func missing() *int { return nil }

// recovered runs do while the panic is still under way.
func recovered(do func()) {
	do()
	_ = recover()
}
