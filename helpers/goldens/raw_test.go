package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var bless = flag.Bool("bless", false, "write what go tool pprof says of the data anew")

// TestRaw holds what go tool pprof says of the protos to what is kept of it,
// by which the runner's own reader is tested where there is no Go.
func TestRaw(t *testing.T) {
	proto := func(folder, kind string) string {
		return filepath.Join("data", folder, kind+".pb.gz")
	}
	raw := func(folder, kind string, arguments ...string) {
		t.Helper()
		arguments = append([]string{"tool", "pprof", "-raw", "-symbolize=none"}, arguments...)
		command := exec.Command("go", arguments...)
		command.Env = append(os.Environ(), "TZ=UTC")
		said, err := command.Output()
		if err != nil {
			t.Fatalf("go %v: %v", arguments, err)
		}
		keep(t, filepath.Join("data", folder, kind+".raw.gz"), said)
	}
	for _, kind := range append([]string{"cpu"}, kinds...) {
		for _, set := range sets {
			raw(set, kind, proto(set, kind))
		}
		raw("merged", kind, proto("small", kind), proto("large", kind))
	}
	for _, kind := range kinds {
		raw("window", kind, "-base", proto("window/before", kind), proto("window/after", kind))
	}
}

// keep writes what was said, or compares it with what was kept.
func keep(t *testing.T, path string, said []byte) {
	t.Helper()
	if *bless {
		content := packed(file{filepath.Base(path), said}).content
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	reader, err := gzip.NewReader(kept)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain, said) {
		t.Errorf("%s is not what go tool pprof says", path)
	}
}
