//! The KubeVirt object, and what in it enables the profiler, as the version played has them.

use serde_json::{Value, json};

use crate::options::{KubeVirt, Options};

/// The object's name, and the one that HyperConverged gives it.
const NAME: &str = "kubevirt";
const OWNED: &str = "kubevirt-kubevirt-hyperconverged";

const GATE: &str = "ClusterProfiler";
const FIELD: &str = "clusterProfiler";

/// The name of the object.
pub(crate) fn name(options: &Options) -> &'static str {
    if options.hyperconverged { OWNED } else { NAME }
}

/// The object as it is at first, with its status and without what kube-apiserver sets.
pub(crate) fn object(options: &Options, spec: Option<Value>) -> Value {
    let metadata = if options.hyperconverged {
        json!({ "labels": {
            "app": "kubevirt-hyperconverged",
            "app.kubernetes.io/managed-by": "hco-operator",
        } })
    } else {
        json!({})
    };
    let mut object = json!({
        "metadata": metadata,
        "spec": spec.unwrap_or_else(plain_spec),
        "status": status(options.kubevirt.version()),
    });
    object["metadata"]["finalizers"] = json!(["foregroundDeleteKubeVirt"]);
    object["metadata"]["annotations"] = json!({
        "kubevirt.io/latest-observed-api-version": "v1",
        "kubevirt.io/storage-observed-api-version": "v1",
    });
    object
}

fn plain_spec() -> Value {
    json!({
        "certificateRotateStrategy": {},
        "configuration": {
            "developerConfiguration": { "featureGates": ["DataVolumes", "LiveMigration"] },
        },
        "customizeComponents": {},
        "imagePullPolicy": "IfNotPresent",
        "workloadUpdateStrategy": {},
    })
}

fn status(version: &str) -> Value {
    json!({
        "conditions": [
            condition("Available", "True", "AllComponentsReady"),
            condition("Progressing", "False", "AllComponentsReady"),
            condition("Degraded", "False", "AllComponentsReady"),
            condition("Created", "True", "AllResourcesCreated"),
        ],
        "defaultArchitecture": "amd64",
        "generations": [],
        "observedDeploymentID": "f6d7c0bf0e0e36d4b8a8aa5ab8a5a9e4d0c8f2a1",
        "observedGeneration": 1,
        "observedKubeVirtRegistry": "quay.io/kubevirt",
        "observedKubeVirtVersion": version,
        "operatorVersion": version,
        "outdatedVirtualMachineInstanceWorkloads": 0,
        "phase": "Deployed",
        "targetDeploymentID": "f6d7c0bf0e0e36d4b8a8aa5ab8a5a9e4d0c8f2a1",
        "targetKubeVirtRegistry": "quay.io/kubevirt",
        "targetKubeVirtVersion": version,
    })
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({
        "type": kind,
        "status": status,
        "reason": reason,
        "message": format!("{reason}."),
        "lastProbeTime": "2026-01-12T09:21:10Z",
        "lastTransitionTime": "2026-01-12T09:21:10Z",
    })
}

/// Whether virt-api takes this object to enable the profiler. One without a phase it ignores.
pub(crate) fn is_on(version: KubeVirt, object: &Value) -> bool {
    let developer = &object["spec"]["configuration"]["developerConfiguration"];
    let gates = developer["featureGates"].as_array();
    let gate = gates.is_some_and(|gates| gates.iter().any(|gate| gate == GATE));
    let field = developer[FIELD] == json!(true);
    let known = object["status"]["phase"]
        .as_str()
        .is_some_and(|phase| !phase.is_empty());
    known
        && match version {
            KubeVirt::V1_5 => gate,
            KubeVirt::V1_7 => gate || field,
            KubeVirt::V1_8 => field,
        }
}

/// Switches the profiler as a person would, and leaves everything else.
pub(crate) fn switch(version: KubeVirt, on: bool, object: &mut Value) {
    let developer = &mut object["spec"]["configuration"]["developerConfiguration"];
    if let Some(gates) = developer["featureGates"].as_array_mut() {
        gates.retain(|gate| version == KubeVirt::V1_8 || gate != GATE);
    }
    if version.has_field() {
        developer[FIELD] = json!(on);
    } else if on {
        match developer["featureGates"].as_array_mut() {
            Some(gates) => gates.push(json!(GATE)),
            None => developer["featureGates"] = json!([GATE]),
        }
    }
}

/// The operation of a JSON patch that switches it on.
pub(crate) fn operation(version: KubeVirt) -> Value {
    let developer = "/spec/configuration/developerConfiguration";
    let (path, value) = if version.has_field() {
        (format!("{developer}/{FIELD}"), json!(true))
    } else {
        (format!("{developer}/featureGates/-"), json!(GATE))
    };
    json!({ "op": "add", "path": path, "value": value })
}

/// Whether an operation of a JSON patch has to do with it.
pub(crate) fn is_about(operation: &Value) -> bool {
    let text = operation.to_string();
    text.contains(GATE) || text.contains(FIELD)
}

/// Drops the field where the schema does not know it, as kube-apiserver does.
pub(crate) fn prune(version: KubeVirt, object: &mut Value) {
    let developer = object.pointer_mut("/spec/configuration/developerConfiguration");
    if let (false, Some(Value::Object(developer))) = (version.has_field(), developer) {
        developer.remove(FIELD);
    }
}
