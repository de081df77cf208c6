package main

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/yaml"
)

// admitted is what Tekton's webhook does with an object.
type admitted interface {
	metav1.Object
	apis.Defaultable
	apis.Validatable
}

// ofTekton fills in what is left out, as the webhook does, and asks the object.
func ofTekton(raw json.RawMessage, object admitted) ([]string, error) {
	if err := yaml.UnmarshalStrict(raw, object); err != nil {
		return nil, err
	}
	// The API server makes the name before.
	if object.GetName() == "" {
		object.SetName(object.GetGenerateName() + "made")
	}
	ctx := apis.WithinCreate(context.Background())
	object.SetDefaults(ctx)
	if err := object.Validate(ctx); err != nil {
		return []string{err.Error()}, nil
	}
	return nil, nil
}
