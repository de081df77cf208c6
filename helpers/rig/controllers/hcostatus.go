package main

import (
	"context"

	jsonpatch "github.com/evanphx/json-patch/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// updateStatus says that all is well and, as HCO does, that the configuration is tainted as long as
// the annotation has an operation. An untainted one has no such condition.
func (h hyperConverged) updateStatus(ctx context.Context, owner *unstructured.Unstructured) error {
	observed, _, _ := unstructured.NestedInt64(owner.Object, "status", "observedGeneration")
	tainted := isTainted(owner)
	if observed == owner.GetGeneration() && tainted == saysTainted(owner) {
		return nil
	}
	conditions := []any{
		condition("ReconcileComplete", "True", "ReconcileCompleted", "Reconcile completed successfully"),
		condition("Available", "True", "ReconcileCompleted", "Reconcile completed successfully"),
		condition("Progressing", "False", "ReconcileCompleted", "Reconcile completed successfully"),
		condition("Degraded", "False", "ReconcileCompleted", "Reconcile completed successfully"),
		condition("Upgradeable", "True", "ReconcileCompleted", "Reconcile completed successfully"),
	}
	if tainted {
		conditions = append(conditions, condition("TaintedConfiguration", "True",
			"UnsupportedFeatureAnnotation", "Unsupported feature was activated via an HCO annotation"))
	}
	owner.Object["status"] = map[string]any{
		"observedGeneration": owner.GetGeneration(),
		"conditions":         conditions,
	}
	_, err := h.hyperConvergeds.UpdateStatus(ctx, owner, metav1.UpdateOptions{})
	return err
}

func isTainted(owner *unstructured.Unstructured) bool {
	operations, err := jsonpatch.DecodePatch([]byte(owner.GetAnnotations()[patchAnnotation]))
	return err == nil && len(operations) > 0
}

func saysTainted(owner *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(owner.Object, "status", "conditions")
	for _, entry := range conditions {
		if fields, ok := entry.(map[string]any); ok && fields["type"] == "TaintedConfiguration" {
			return true
		}
	}
	return false
}
