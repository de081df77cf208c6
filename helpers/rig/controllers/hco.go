package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"reflect"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	virtv1 "kubevirt.io/api/core/v1"
)

var hyperConvergeds = schema.GroupVersionResource{
	Group: "hco.kubevirt.io", Version: "v1beta1", Resource: "hyperconvergeds",
}

const (
	hyperConvergedName = "kubevirt-hyperconverged"
	kubeVirtName       = "kubevirt-" + hyperConvergedName
	patchAnnotation    = "kubevirt.kubevirt.io/jsonpatch"
)

// baseSpec is the spec that HCO makes of a HyperConverged that says nothing.
//
//go:embed base.json
var baseSpec []byte

// hyperConverged is HCO as far as its KubeVirt goes: it owns that object's spec.
type hyperConverged struct {
	kubeVirts, hyperConvergeds dynamic.ResourceInterface
}

// reconcile makes the KubeVirt what the HyperConverged asks for, whoever changed either.
func (h hyperConverged) reconcile(ctx context.Context) error {
	owner, err := h.hyperConvergeds.Get(ctx, hyperConvergedName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	required, err := requiredKubeVirt(owner)
	if err != nil {
		return err
	}
	if err := h.ensure(ctx, owner, required); err != nil {
		return err
	}
	return h.updateStatus(ctx, owner)
}

func (h hyperConverged) ensure(ctx context.Context, owner *unstructured.Unstructured, required *virtv1.KubeVirt) error {
	found, err := h.kubeVirts.Get(ctx, kubeVirtName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		created := unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "kubevirt.io/v1",
			"kind":       "KubeVirt",
			"metadata": map[string]any{
				"name":   kubeVirtName,
				"labels": map[string]any{"app": owner.GetName(), "app.kubernetes.io/managed-by": "hco-operator"},
			},
			"spec": asMap(required.Spec),
		}}
		_, err = h.kubeVirts.Create(ctx, &created, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	// Compared as HCO does, type by type: a field that is empty and one that is not there are the same.
	var current virtv1.KubeVirt
	if err := convert(found.Object, &current); err != nil {
		return err
	}
	if reflect.DeepEqual(current.Spec, required.Spec) {
		return nil
	}
	found.Object["spec"] = asMap(required.Spec)
	updated, err := h.kubeVirts.Update(ctx, found, metav1.UpdateOptions{})
	if err == nil && updated.GetResourceVersion() != found.GetResourceVersion() {
		log.Printf("%s: spec overwritten, generation %d", kubeVirtName, updated.GetGeneration())
	}
	return err
}

// requiredKubeVirt is the base with the annotation's patch applied, by the steps of HCO: the patched
// document is read INTO the object that was patched, so what an operation removes stays as it was.
func requiredKubeVirt(owner *unstructured.Unstructured) (*virtv1.KubeVirt, error) {
	kubeVirt := &virtv1.KubeVirt{}
	kubeVirt.Name, kubeVirt.Namespace = kubeVirtName, owner.GetNamespace()
	if err := json.Unmarshal(baseSpec, &kubeVirt.Spec); err != nil {
		return nil, err
	}
	if annotation, ok := owner.GetAnnotations()[patchAnnotation]; ok {
		if err := applyPatch(kubeVirt, annotation); err != nil {
			return nil, fmt.Errorf("invalid jsonPatch in the %s annotation: %v", patchAnnotation, err)
		}
	}
	// Once through JSON, so that it compares equal to what the API server gives back.
	reread := &virtv1.KubeVirt{}
	return reread, convert(kubeVirt, reread)
}

func applyPatch(kubeVirt *virtv1.KubeVirt, annotation string) error {
	operations, err := jsonpatch.DecodePatch([]byte(annotation))
	if err != nil {
		return err
	}
	for _, operation := range operations {
		path, err := operation.Path()
		if err != nil {
			return err
		}
		if !strings.HasPrefix(path, "/spec/") {
			return errors.New("can only modify spec fields")
		}
	}
	document, err := json.Marshal(kubeVirt)
	if err != nil {
		return err
	}
	patched, err := operations.Apply(document)
	if err != nil {
		return err
	}
	return json.Unmarshal(patched, kubeVirt)
}

// convert goes through JSON from one form of an object to another.
func convert(from, to any) error {
	bytes, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes, to)
}

func asMap(value any) map[string]any {
	result := map[string]any{}
	if err := convert(value, &result); err != nil {
		log.Fatal(err)
	}
	return result
}
