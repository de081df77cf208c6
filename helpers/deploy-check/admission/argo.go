package main

import (
	"encoding/json"
	"fmt"

	argo "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/argoproj/argo-workflows/v3/workflow/validate"
	"sigs.k8s.io/yaml"
)

// known are the WorkflowTemplates that others may refer to, by name.
type known map[string]*argo.WorkflowTemplate

// Get is what Argo asks for.
func (k known) Get(name string) (*argo.WorkflowTemplate, error) {
	if template, is := k[name]; is {
		return template, nil
	}
	return nil, fmt.Errorf("there is no WorkflowTemplate %s", name)
}

// none are the ClusterWorkflowTemplates.
type none struct{}

func (none) Get(name string) (*argo.ClusterWorkflowTemplate, error) {
	return nil, fmt.Errorf("there is no ClusterWorkflowTemplate %s", name)
}

// templates finds them among all objects. One with a fault is reported where it is looked at itself.
func templates(all []json.RawMessage) (known, error) {
	found := known{}
	for _, raw := range all {
		var object object
		if err := json.Unmarshal(raw, &object); err != nil {
			return nil, err
		}
		template := &argo.WorkflowTemplate{}
		if object.Kind == "WorkflowTemplate" && yaml.UnmarshalStrict(raw, template) == nil {
			found[template.Name] = template
		}
	}
	return found, nil
}

func ofWorkflowTemplate(raw json.RawMessage, known known) ([]string, error) {
	var template argo.WorkflowTemplate
	if err := yaml.UnmarshalStrict(raw, &template); err != nil {
		return nil, err
	}
	return nil, validate.ValidateWorkflowTemplate(known, none{}, &template, nil, validate.ValidateOpts{})
}

func ofWorkflow(raw json.RawMessage, known known) ([]string, error) {
	var workflow argo.Workflow
	if err := yaml.UnmarshalStrict(raw, &workflow); err != nil {
		return nil, err
	}
	return nil, validate.ValidateWorkflow(known, none{}, &workflow, nil, validate.ValidateOpts{Submit: true})
}
