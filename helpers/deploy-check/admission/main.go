// Command admission reads a JSON list of objects and writes a JSON list of lists: what the project that
// each object is for has against it. It decodes an object strictly into its Go type, which knows the
// fields where the CustomResourceDefinition is open, and calls what that project's own webhook or
// controller calls.
package main

import (
	"encoding/json"
	"log"
	"os"
)

// object is any of them, as far as it is known before it is decoded.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

func main() {
	var raw []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&raw); err != nil {
		log.Fatal(err)
	}
	known, err := templates(raw)
	if err != nil {
		log.Fatal(err)
	}
	all := make([][]string, 0, len(raw))
	for _, one := range raw {
		said, err := faults(one, known)
		if err != nil {
			said = append(said, err.Error())
		}
		all = append(all, said)
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		log.Fatal(err)
	}
}
