//! HyperConverged's annotation: a JSON patch of the KubeVirt object that it makes. RFC 6902
//!
//! What is refused, and the words, are those of the library that HyperConverged uses.

use json_patch::PatchOperation;
use serde_json::{Value, json};

use crate::json_patch_errors::{mistyped, why};

/// Its key.
pub(crate) const KEY: &str = "kubevirt.kubevirt.io/jsonpatch";

/// The annotation of an object.
pub(crate) fn of(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"][KEY].as_str()
}

/// The spec with the patch applied, or why it is refused.
pub(crate) fn apply(spec: &Value, text: Option<&str>) -> Result<Value, String> {
    let Some(text) = text else {
        return Ok(spec.clone());
    };
    let invalid = |why: String| format!("invalid jsonPatch in the {KEY} annotation: {why}");
    let mut document = json!({ "spec": spec });
    let operations = operations(text).map_err(invalid)?;
    for operation in operations {
        let one = std::slice::from_ref(&operation);
        if json_patch::patch(&mut document, one).is_err() {
            return Err(invalid(why(&document, &operation)));
        }
    }
    let mut result = spec.clone();
    read_into(&mut result, document["spec"].take());
    Ok(result)
}

/// The patch's operations.
pub(crate) fn operations(text: &str) -> Result<Vec<PatchOperation>, String> {
    let operations = match serde_json::from_str(text) {
        Ok(Value::Array(operations)) => operations,
        Ok(Value::Null) => Vec::new(),
        Ok(other) => return Err(mistyped(&other, "jsonpatch.Patch")),
        Err(_) => return Err("invalid state detected".to_owned()),
    };
    let parsed: Result<Vec<_>, String> = operations.into_iter().map(operation).collect();
    let parsed = parsed?;
    let elsewhere = |it: &PatchOperation| !it.path().as_str().starts_with("/spec/");
    if parsed.iter().any(elsewhere) {
        return Err("can only modify spec fields".to_owned());
    }
    Ok(parsed)
}

fn operation(operation: Value) -> Result<PatchOperation, String> {
    if !operation.is_object() {
        return Err(mistyped(&operation, "jsonpatch.Operation"));
    }
    let fault = match operation["op"].as_str() {
        Some("add" | "replace") if operation.get("value").is_none() => {
            "failed to decode 'value': operation, missing value field: missing value"
        }
        Some("add" | "remove" | "replace" | "move" | "copy" | "test") => {
            "failed to decode 'path': operation, missing path field: missing value"
        }
        _ => "unsupported operation",
    };
    let text = operation.to_string();
    serde_json::from_value(operation).map_err(|_| format!("invalid operation {text}: {fault}"))
}

/// HyperConverged reads the patched document INTO the object that was patched: what an operation
/// took away stays as it was.
fn read_into(object: &mut Value, patched: Value) {
    match (object, patched) {
        (Value::Object(object), Value::Object(patched)) => {
            for (key, value) in patched {
                read_into(object.entry(key).or_insert(Value::Null), value);
            }
        }
        (object, patched) => *object = patched,
    }
}
