// Dashboard holds the file of a Grafana dashboard against Grafana's own schema, as the types that are generated from it
// have it: every field is known, of its type, and there where it must be.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/grafanapyroscope"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// parts are what the dashboard's own types leave open, because it depends on the panel's type and the data source.
type parts struct {
	Panels []struct {
		Title       string
		Type        string
		Targets     []json.RawMessage
		FieldConfig struct {
			Defaults struct{ Custom json.RawMessage }
		}
	}
}

func main() {
	raw, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	faults := check(raw)
	for _, fault := range faults {
		fmt.Println(fault)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
}

func check(raw []byte) []error {
	var whole dashboard.Dashboard
	faults := faultsOf("the dashboard", whole.UnmarshalJSONStrict(raw), whole.Validate)
	var open parts
	if err := json.Unmarshal(raw, &open); err != nil {
		return append(faults, err)
	}
	for _, panel := range open.Panels {
		for _, target := range panel.Targets {
			var query grafanapyroscope.Dataquery
			faults = append(faults, faultsOf(panel.Title, query.UnmarshalJSONStrict(target), query.Validate)...)
		}
		if custom := panel.FieldConfig.Defaults.Custom; custom != nil && panel.Type == "timeseries" {
			var config timeseries.FieldConfig
			faults = append(faults, faultsOf(panel.Title, config.UnmarshalJSONStrict(custom), config.Validate)...)
		}
	}
	return faults
}

// faultsOf are the faults of reading something, and of what was read. An empty list of them is an error, too.
func faultsOf(what string, reading error, validate func() error) []error {
	var faults []error
	for _, err := range []error{reading, validate()} {
		if list, is := err.(cog.BuildErrors); err == nil || is && len(list) == 0 {
			continue
		}
		faults = append(faults, fmt.Errorf("%s: %w", what, err))
	}
	return faults
}
