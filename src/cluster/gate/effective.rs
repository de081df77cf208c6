//! What HyperConverged will make of the KubeVirt object.

use json_patch::PatchOperation;
use serde_json::{Value, json};

/// `spec.configuration` once these operations have been applied to it. HyperConverged has applied
/// most of them already: one that does not apply again, such as a removal, changes nothing.
pub fn configuration(configuration: &Value, operations: &[PatchOperation]) -> Value {
    let mut object = json!({ "spec": { "configuration": configuration } });
    for operation in operations {
        if let Err(error) = json_patch::patch(&mut object, std::slice::from_ref(operation)) {
            tracing::debug!(%error, "an operation of the annotation does not apply again");
        }
    }
    object["spec"]["configuration"].take()
}
