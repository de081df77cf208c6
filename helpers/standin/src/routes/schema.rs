//! The KubeVirt schema, as the version played has it.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    options::{KubeVirt, Options},
    reply::{self, Reply},
};

/// The OpenAPI document of the group, reduced to the way to what enables the profiler.
pub(crate) fn get(options: &Options) -> Reply {
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
