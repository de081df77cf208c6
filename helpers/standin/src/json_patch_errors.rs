//! How Go's libraries say what is wrong with JSON and with a JSON patch (evanphx/json-patch v5).

use json_patch::{PatchOperation, jsonptr::Pointer};
use serde_json::Value;

/// Why a value is not read.
pub(crate) fn mistyped(value: &Value, wanted: &str) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("json: cannot unmarshal {kind} into Go value of type {wanted}")
}

/// Why an operation does not apply.
pub(crate) fn why(document: &Value, operation: &PatchOperation) -> String {
    let path = operation.path();
    let (there, key) = place(document, path);
    match operation {
        PatchOperation::Add(_) | PatchOperation::Remove(_) => {
            let is_add = matches!(operation, PatchOperation::Add(_));
            let verb = if is_add { "add" } else { "remove" };
            match there {
                Some(Value::Array(_)) => {
                    format!("error in {verb} for path: '{path}': {}", no_index(&key))
                }
                Some(Value::Object(_)) => format!(
                    "error in {verb} for path: '{path}': unable to {verb} nonexistent key: {key}: \
                     missing value"
                ),
                _ => format!(
                    "{verb} operation does not apply: doc is missing path: \"{path}\": missing value"
                ),
            }
        }
        PatchOperation::Replace(_) => {
            let what = if there.is_some() { "key" } else { "path" };
            format!(
                "replace operation does not apply: doc is missing {what}: {path}: missing value"
            )
        }
        PatchOperation::Move(operation) => {
            let (there, key) = place(document, &operation.from);
            match there {
                Some(_) => format!("error in move for path: '{key}': {}", no_key(&key)),
                None => format!(
                    "move operation does not apply: doc is missing from path: {}: missing value",
                    operation.from
                ),
            }
        }
        PatchOperation::Copy(operation) => {
            let (from, (there, key)) = (&operation.from, place(document, &operation.from));
            match there {
                Some(_) => format!("error in copy for from: '{from}': {}", no_key(&key)),
                None => format!(
                    "copy operation does not apply: doc is missing from path: \"{from}\": missing \
                     value"
                ),
            }
        }
        PatchOperation::Test(_) if there.is_some() => {
            format!("testing value {path} failed: test failed")
        }
        PatchOperation::Test(_) => {
            format!("test operation does not apply: is missing path: {path}: missing value")
        }
    }
}

/// What a path's last key is to be found in, and that key.
fn place<'a>(document: &'a Value, path: &Pointer) -> (Option<&'a Value>, String) {
    let Some((parent, key)) = path.split_back() else {
        return (None, String::new());
    };
    let there = document.pointer(parent.as_str());
    let there = there.filter(|it| it.is_object() || it.is_array());
    (there, key.decoded().into_owned())
}

fn no_key(key: &str) -> String {
    format!("unable to get nonexistent key: {key}: missing value")
}

fn no_index(key: &str) -> String {
    match key.parse::<i64>() {
        Ok(_) => format!("Unable to access invalid index: {key}: invalid index referenced"),
        Err(_) => format!(
            "value was not a proper array index: '{key}': strconv.Atoi: parsing {key:?}: invalid \
             syntax"
        ),
    }
}
