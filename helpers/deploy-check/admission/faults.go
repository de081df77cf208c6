package main

import (
	"encoding/json"
	"fmt"

	"github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/operator"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"sigs.k8s.io/yaml"
)

// faults is what is wrong with an object; an error, if it is none.
func faults(raw json.RawMessage, known known) ([]string, error) {
	var object object
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	switch object.APIVersion + " " + object.Kind {
	case "tekton.dev/v1 Task":
		return ofTekton(raw, &tekton.Task{})
	case "tekton.dev/v1 Pipeline":
		return ofTekton(raw, &tekton.Pipeline{})
	case "tekton.dev/v1 TaskRun":
		return ofTekton(raw, &tekton.TaskRun{})
	case "tekton.dev/v1 PipelineRun":
		return ofTekton(raw, &tekton.PipelineRun{})
	case "argoproj.io/v1alpha1 WorkflowTemplate":
		return ofWorkflowTemplate(raw, known)
	case "argoproj.io/v1alpha1 Workflow":
		return ofWorkflow(raw, known)
	case monitoring.GroupName + "/v1 PrometheusRule":
		return ofPrometheus(raw)
	}
	return nil, fmt.Errorf("%s %s is no kind of ours", object.APIVersion, object.Kind)
}

// ofPrometheus also parses the expressions.
func ofPrometheus(raw json.RawMessage) ([]string, error) {
	var rule monitoringv1.PrometheusRule
	if err := yaml.UnmarshalStrict(raw, &rule); err != nil {
		return nil, err
	}
	var said []string
	for _, err := range operator.ValidateRule(rule.Spec) {
		said = append(said, err.Error())
	}
	return said, nil
}
