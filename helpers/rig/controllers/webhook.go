package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"path/filepath"
	"reflect"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// dryRunTimeout is the time that HCO's webhook gives the trial update of its operands.
const dryRunTimeout = 3 * time.Second

// serveWebhook answers AdmissionReviews of HyperConvergeds as HCO's validating webhook does.
func serveWebhook(address, certificates string, hco hyperConverged) error {
	handler := func(response http.ResponseWriter, request *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(request.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(response, "no AdmissionReview", http.StatusBadRequest)
			return
		}
		review.Response = answer(hco.validate(request.Context(), review.Request))
		review.Response.UID = review.Request.UID
		response.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(response).Encode(review); err != nil {
			log.Print(err)
		}
	}
	log.Printf("webhook on %s", address)
	return http.ListenAndServeTLS(address, filepath.Join(certificates, "server.crt"),
		filepath.Join(certificates, "server.key"), http.HandlerFunc(handler))
}

// answer passes an API server's refusal on as it is, and makes any other fault a 403.
func answer(err error) *admissionv1.AdmissionResponse {
	if err == nil {
		return &admissionv1.AdmissionResponse{Allowed: true, Result: &metav1.Status{Code: http.StatusOK}}
	}
	log.Printf("denied: %v", err)
	status := metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: err.Error()}
	var apiStatus apierrors.APIStatus
	if errors.As(err, &apiStatus) {
		status = apiStatus.Status()
	}
	return &admissionv1.AdmissionResponse{Result: &status}
}

// validate lets an update pass that changes neither spec nor annotations, even if the annotation is
// bad. Any other has its KubeVirt updated on trial.
func (h hyperConverged) validate(ctx context.Context, request *admissionv1.AdmissionRequest) error {
	if request.Operation == admissionv1.Delete {
		return nil
	}
	var requested, existing unstructured.Unstructured
	if err := json.Unmarshal(request.Object.Raw, &requested); err != nil {
		return err
	}
	required, err := requiredKubeVirt(&requested)
	if request.Operation == admissionv1.Create {
		return err
	}
	if err := json.Unmarshal(request.OldObject.Raw, &existing); err != nil {
		return err
	}
	if reflect.DeepEqual(existing.Object["spec"], requested.Object["spec"]) &&
		reflect.DeepEqual(existing.GetAnnotations(), requested.GetAnnotations()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dryRunTimeout)
	defer cancel()
	found, getErr := h.kubeVirts.Get(ctx, kubeVirtName, metav1.GetOptions{})
	if getErr != nil {
		return getErr
	}
	if err != nil {
		return err
	}
	found.Object["spec"] = asMap(required.Spec)
	_, err = h.kubeVirts.Update(ctx, found, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}
