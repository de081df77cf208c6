//! The HyperConverged object and its operator, as far as the KubeVirt object goes.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::{
    annotation, kubevirt,
    options::Options,
    refusal::{self, Refusal},
};

/// The object's name.
pub(crate) const NAME: &str = "kubevirt-hyperconverged";

/// Who its operator is to `managedFields`.
pub(crate) const MANAGER: &str = "hyperconverged-cluster-operator";

/// The spec it makes of an object that says nothing.
static BASE: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("hyperconverged.json")).expect("the base is JSON")
});

/// The object as it is at first.
pub(crate) fn object(options: &Options) -> Value {
    let mut object = json!({
        "metadata": { "labels": { "app": NAME } },
        "spec": {},
    });
    if options.gate {
        let operations = json!([kubevirt::operation(options.kubevirt)]).to_string();
        object["metadata"]["annotations"] = json!({ annotation::KEY: operations });
    }
    object["status"] = status(&object, 1);
    object
}

/// The KubeVirt spec it asks for.
pub(crate) fn required(object: &Value) -> Result<Value, String> {
    annotation::apply(&BASE, annotation::of(object))
}

/// What the webhook says to an update; one that changes neither spec nor annotations is not looked at.
pub(crate) fn admit(old: &Value, new: &Value) -> Result<(), Refusal> {
    let annotations = |object: &Value| object["metadata"]["annotations"].clone();
    if old["spec"] == new["spec"] && annotations(old) == annotations(new) {
        return Ok(());
    }
    match required(new) {
        Ok(_) => Ok(()),
        Err(why) => Err(refusal::denied("validate-hco.kubevirt.io", &why)),
    }
}

/// All is well, and tainted as long as the annotation has an operation.
pub(crate) fn status(object: &Value, generation: i64) -> Value {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": "2026-01-12T09:21:10Z",
        })
    };
    let completed = |kind, status| {
        condition(
            kind,
            status,
            "ReconcileCompleted",
            "Reconcile completed successfully",
        )
    };
    let mut conditions = vec![
        completed("ReconcileComplete", "True"),
        completed("Available", "True"),
        completed("Progressing", "False"),
        completed("Degraded", "False"),
        completed("Upgradeable", "True"),
    ];
    let operations = annotation::operations(annotation::of(object).unwrap_or("[]"));
    if operations.is_ok_and(|operations| !operations.is_empty()) {
        let reason = "UnsupportedFeatureAnnotation";
        let message = "Unsupported feature was activated via an HCO annotation";
        conditions.push(condition("TaintedConfiguration", "True", reason, message));
    }
    json!({ "observedGeneration": generation, "conditions": conditions })
}

/// Switches the profiler in the annotation, as a person would. Other operations stay.
pub(crate) fn switch(options: &Options, on: bool, object: &mut Value) {
    let text = annotation::of(object).unwrap_or("[]");
    let mut operations: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    operations.retain(|operation| !kubevirt::is_about(operation));
    operations.extend(on.then(|| kubevirt::operation(options.kubevirt)));
    object["metadata"]["annotations"][annotation::KEY] = if operations.is_empty() {
        Value::Null
    } else {
        json!(Value::Array(operations).to_string())
    };
}
