package shapes

const (
	// pastTraceback is more frames than a traceback prints (100), though
	// fewer than a profile keeps.
	pastTraceback = 110
	// pastProfile is more frames than a profile keeps (128).
	pastProfile = 200
)

// deep is direct recursion: one PC again and again.
func deep(do func()) { descend(pastProfile, do) }

func descend(left int, do func()) {
	if left == 0 {
		do()
		return
	}
	descend(left-1, do)
}

// mutual is mutual recursion through an inlined call, so that a profile's last
// frame falls in an inlined chain.
func mutual(do func()) { even(pastProfile, do) }

//go:noinline
func even(left int, do func()) {
	if left <= 0 {
		do()
		return
	}
	onward(left-1, do)
}

func onward(left int, do func()) { odd(left, do) }

//go:noinline
func odd(left int, do func()) { even(left-1, do) }

// elided is cut in a traceback and whole in a profile.
func elided(do func()) { descend(pastTraceback, do) }
