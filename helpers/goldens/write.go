package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
)

// What the debug argument of pprof's WriteTo means.
const (
	asProto = 0
	asText  = 2
)

// kinds are the profiles that KubeVirt serves as text.
var kinds = []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"}

// roomForText holds the longest text, so that no buffer grows meanwhile.
const roomForText = 32 << 20

type file struct {
	name    string
	content []byte
}

// capture has every kind as text and at once as proto. Nothing is packed or
// written to disk in between, because that would show in the profiles.
func capture() (files []file, err error) {
	settle()
	// A heap profile is what the last finished collection saw. Without another
	// collection, the text and the proto are of the same one.
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1)
	for _, kind := range kinds {
		var text, proto bytes.Buffer
		text.Grow(roomForText)
		textErr := pprof.Lookup(kind).WriteTo(&text, asText)
		protoErr := pprof.Lookup(kind).WriteTo(&proto, asProto)
		if textErr != nil || protoErr != nil {
			return nil, fmt.Errorf("profile %s: text: %v, proto: %v", kind, textErr, protoErr)
		}
		files = append(files, file{kind + ".txt", text.Bytes()}, file{kind + ".pb.gz", proto.Bytes()})
	}
	return files, nil
}

// write packs the texts; Go has packed the protos already.
func write(folder string, files []file) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		if filepath.Ext(file.name) == ".txt" {
			file = packed(file)
		}
		if err := os.WriteFile(filepath.Join(folder, file.name), file.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func packed(plain file) file {
	var content bytes.Buffer
	// The level is a valid one and a bytes.Buffer takes every write.
	writer, _ := gzip.NewWriterLevel(&content, gzip.BestCompression)
	_, _ = writer.Write(plain.content)
	_ = writer.Close()
	return file{plain.name + ".gz", content.Bytes()}
}
