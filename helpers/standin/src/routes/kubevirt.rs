//! The KubeVirt object and its schema, as the version played has them.

use http::StatusCode;
use serde_json::{Value, json};

use super::Shared;
use crate::{
    State,
    options::{KubeVirt, Options},
    reply::{self, Reply},
};

/// The object's name.
const NAME: &str = "kubevirt";

/// Lists the one object, or none in another namespace.
pub(crate) fn list(shared: &Shared, namespace: &str) -> Reply {
    let state = shared.state.borrow();
    let items = if namespace == shared.options.namespace {
        vec![object(&shared.options, &state)]
    } else {
        Vec::new()
    };
    let list = json!({
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirtList",
        "metadata": { "resourceVersion": state.revisions.current().to_string() },
        "items": items,
    });
    reply::json(StatusCode::OK, &list)
}

/// Gets the object by name.
pub(crate) fn get(shared: &Shared, namespace: &str, name: &str) -> Reply {
    if namespace == shared.options.namespace && name == NAME {
        return reply::json(
            StatusCode::OK,
            &object(&shared.options, &shared.state.borrow()),
        );
    }
    let message = format!("kubevirts.kubevirt.io {name:?} not found");
    let details = json!({ "name": name, "group": "kubevirt.io", "kind": "kubevirts" });
    reply::status_of(StatusCode::NOT_FOUND, &message, details)
}

fn object(options: &Options, state: &State) -> Value {
    let version = options.kubevirt.version();
    json!({
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {
            "name": NAME,
            "namespace": options.namespace,
            "uid": "0d1ad9a4-2f0a-4a4e-9a0c-6f2f5f3f0c11",
            "generation": state.generation,
            "resourceVersion": (3_900_000 + state.generation).to_string(),
            "creationTimestamp": "2026-01-12T09:14:03Z",
            "finalizers": ["foregroundDeleteKubeVirt"],
            "annotations": {
                "kubevirt.io/latest-observed-api-version": "v1",
                "kubevirt.io/storage-observed-api-version": "v1",
            },
            "managedFields": [{
                "manager": "kubectl-patch",
                "operation": "Update",
                "apiVersion": "kubevirt.io/v1",
                "time": "2026-01-12T09:20:41Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": { "f:spec": { "f:configuration": { "f:developerConfiguration": {} } } },
            }],
        },
        "spec": {
            "certificateRotateStrategy": {},
            "configuration": { "developerConfiguration": developer_configuration(options, state.gate) },
            "customizeComponents": {},
            "imagePullPolicy": "IfNotPresent",
            "workloadUpdateStrategy": {},
        },
        "status": {
            "conditions": [
                condition("Available", "True", "AllComponentsReady"),
                condition("Progressing", "False", "AllComponentsReady"),
                condition("Degraded", "False", "AllComponentsReady"),
                condition("Created", "True", "AllResourcesCreated"),
            ],
            "defaultArchitecture": "amd64",
            "generations": [],
            "observedDeploymentID": "f6d7c0bf0e0e36d4b8a8aa5ab8a5a9e4d0c8f2a1",
            "observedGeneration": state.generation,
            "observedKubeVirtRegistry": "quay.io/kubevirt",
            "observedKubeVirtVersion": version,
            "operatorVersion": version,
            "outdatedVirtualMachineInstanceWorkloads": 0,
            "phase": "Deployed",
            "targetDeploymentID": "f6d7c0bf0e0e36d4b8a8aa5ab8a5a9e4d0c8f2a1",
            "targetKubeVirtRegistry": "quay.io/kubevirt",
            "targetKubeVirtVersion": version,
        },
    })
}

fn developer_configuration(options: &Options, gate: bool) -> Value {
    let mut gates = vec!["DataVolumes", "LiveMigration"];
    if options.kubevirt.has_field() {
        return json!({ "clusterProfiler": gate, "featureGates": gates });
    }
    gates.extend(gate.then_some("ClusterProfiler"));
    json!({ "featureGates": gates })
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

/// The OpenAPI document of the group, reduced to the way to what enables the profiler.
pub(crate) fn schema(options: &Options) -> Reply {
    let object = |properties: Value| json!({ "type": "object", "properties": properties });
    let developer = object(developer_properties(options.kubevirt));
    let configuration = object(json!({ "developerConfiguration": developer }));
    let spec = object(json!({ "configuration": configuration }));
    let kubevirt = json!({
        "type": "object",
        "description": "KubeVirt represents the object deploying all KubeVirt resources",
        "required": ["spec"],
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "metadata": { "type": "object" },
            "spec": spec,
            "status": { "type": "object" },
        },
        "x-kubernetes-group-version-kind": [
            { "group": "kubevirt.io", "kind": "KubeVirt", "version": "v1" }
        ],
    });
    let document = json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes CRD Swagger", "version": "v0.1.0" },
        "paths": {},
        "components": { "schemas": { "io.kubevirt.v1.KubeVirt": kubevirt } },
    });
    reply::json(StatusCode::OK, &document)
}

fn developer_properties(kubevirt: KubeVirt) -> Value {
    let mut properties = json!({
        "featureGates": {
            "type": "array",
            "description": "FeatureGates is the list of experimental features to enable.",
            "items": { "type": "string" },
        },
        "useEmulation": { "type": "boolean" },
    });
    if kubevirt.has_field() {
        properties["clusterProfiler"] = json!({
            "type": "boolean",
            "description": "Enable the ability to pprof profile KubeVirt control plane",
        });
    }
    properties
}
