package main

import (
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// profileDepth is how many frames a profile keeps of a stack.
const profileDepth = 128

var sets = []string{"large", "small"}

func text(t *testing.T, set, kind string) string {
	t.Helper()
	packed, err := os.Open(filepath.Join("data", set, kind+".txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	reader, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// top is what the real go tool pprof says of a proto.
func top(t *testing.T, set, kind string, arguments ...string) string {
	t.Helper()
	arguments = append([]string{"tool", "pprof", "-top"}, arguments...)
	arguments = append(arguments, filepath.Join("data", set, kind+".pb.gz"))
	out, err := exec.Command("go", arguments...).Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(arguments, " "), err)
	}
	return string(out)
}

func TestEveryProtoOpensWithNames(t *testing.T) {
	name := regexp.MustCompile(`(?m)% +(main|runtime)\.\w+`)
	for _, set := range sets {
		for _, kind := range append([]string{"cpu"}, kinds...) {
			if !name.MatchString(top(t, set, kind)) {
				t.Errorf("%s/%s has no names", set, kind)
			}
		}
		inUse := top(t, set, "heap", "-sample_index=inuse_space")
		if !regexp.MustCompile(`of [1-9][\d.]*[kM]B total`).MatchString(inUse) {
			t.Errorf("%s/heap has nothing in use:\n%s", set, inUse)
		}
	}
}

func TestHeapTextIsAsLongAsItShouldBe(t *testing.T) {
	if got := len(text(t, "large", "heap")); got < 10<<20 {
		t.Errorf("large: %d bytes, want more than 10 MB", got)
	}
	if got := len(text(t, "small", "heap")); got > 150_000 {
		t.Errorf("small: %d bytes, want less than 150 KB", got)
	}
}

// TestTextsHoldTheHardCases looks for what a converter could get wrong.
func TestTextsHoldTheHardCases(t *testing.T) {
	contended := `(?m)^[1-9]\d* [1-9]\d* @ 0x`
	cases := []struct{ kind, pattern string }{
		{"heap", `rightTurn\[\.\.\.\]\)\.take\+0x`},
		{"heap", `shapes%2ev1\.\(\*größe\)\.вычислить\+0x`},
		{"heap", `\.closures\.func1\.2`},
		{"goroutine", `(?m)^\.\.\.\d+ frames elided\.\.\.$`},
		{"goroutine", `\[\.\.\.\]`},
		{"goroutine", `(?m)^goroutine \d+ \[chan receive.*, locked to thread\]:$`},
		{"goroutine", `\[chan send`},
		{"goroutine", `\[select[,\]]`},
		{"goroutine", `\[IO wait`},
		{"goroutine", `\[syscall`},
		{"goroutine", `\[sync\.WaitGroup\.Wait`},
		{"goroutine", `(?m)^panic\(`},
		{"goroutine", `created by main\.spawn\[\.\.\.\]`},
		{"block", contended},
		{"mutex", contended},
		{"mutex", `\.visit-fm\+0x`},
		{"mutex", `(?m)^sampling period=5$`},
		{"threadcreate", `main\.waits\.locked\.func\d+\+0x`},
	}
	for _, set := range sets {
		for _, c := range cases {
			if !regexp.MustCompile(c.pattern).MatchString(text(t, set, c.kind)) {
				t.Errorf("%s/%s has no %s", set, c.kind, c.pattern)
			}
		}
		for _, kind := range []string{"heap", "allocs", "block", "mutex"} {
			if got := deepest(text(t, set, kind)); got < profileDepth {
				t.Errorf("%s/%s: deepest stack has %d PCs", set, kind, got)
			}
		}
	}
	if !strings.Contains(text(t, "large", "goroutine"), ", 1 minutes]") {
		t.Error("large/goroutine has no wait of a minute")
	}
}

func deepest(text string) (depth int) {
	for line := range strings.Lines(text) {
		if _, stack, found := strings.Cut(line, " @"); found {
			depth = max(depth, strings.Count(stack, " 0x"))
		}
	}
	return depth
}
