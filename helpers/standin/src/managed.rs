//! `metadata.managedFields`: who wrote which field last.
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>

use serde_json::{Map, Value, json};

/// Who writes, and which part of an object.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) part: Part,
}

/// A part of an object that is written alone: the others stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but the status.
    Main,
    /// The status.
    Status,
    /// Everything; only a test's own edits do this.
    Whole,
}

impl Writer {
    pub(crate) fn new(manager: impl Into<String>, part: Part) -> Self {
        let manager = manager.into();
        Self { manager, part }
    }
}

/// The entries after this writer made the new object of the old one.
pub(crate) fn entries(old: &Value, new: &Value, writer: &Writer, time: &str) -> Vec<Value> {
    let (old_fields, new_fields) = (owned(old), owned(new));
    let touched = differing(&old_fields, &new_fields, true);
    let written = differing(&old_fields, &new_fields, false);
    let subresource = match writer.part {
        Part::Status => json!("status"),
        Part::Main | Part::Whole => Value::Null,
    };
    let before = old["metadata"]["managedFields"].as_array();
    let mut entries = before.cloned().unwrap_or_default();
    for entry in &mut entries {
        subtract(&mut entry["fieldsV1"], &touched);
    }
    let own = |entry: &Value| {
        entry["manager"] == json!(writer.manager) && entry["subresource"] == subresource
    };
    let place = entries.iter().position(own);
    entries.retain(|entry| own(entry) || entry["fieldsV1"] != json!({}));
    let mut entry = match place {
        Some(_) => entries.remove(entries.iter().position(own).unwrap_or_default()),
        None => json!({
            "manager": writer.manager,
            "operation": "Update",
            "apiVersion": new["apiVersion"],
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
        }),
    };
    json_patch::merge(&mut entry["fieldsV1"], &written);
    if entry["fieldsV1"] == json!({}) {
        return entries;
    }
    entry["time"] = json!(time);
    if !subresource.is_null() {
        entry["subresource"] = subresource;
    }
    entries.push(entry);
    entries
}

/// What of an object is owned field by field.
fn owned(object: &Value) -> Value {
    let mut fields = Map::new();
    for key in ["annotations", "labels"] {
        if let Some(value) = object["metadata"].get(key) {
            let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
            metadata[key] = value.clone();
        }
    }
    for key in ["spec", "status"] {
        if let Some(value) = object.get(key) {
            fields.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(fields)
}

/// The paths at which two values differ, as FieldsV1 has them; with or without those that are gone.
fn differing(old: &Value, new: &Value, gone: bool) -> Value {
    let none = Map::new();
    let (before, after) = (
        old.as_object().unwrap_or(&none),
        new.as_object().unwrap_or(&none),
    );
    let mut fields = Map::new();
    let keys = before.keys().chain(after.keys());
    for key in keys {
        let (old, new) = (before.get(key), after.get(key));
        let within = match (old, new) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(_), None) if !gone => continue,
            (old, new) => differing(
                old.unwrap_or(&Value::Null),
                new.unwrap_or(&Value::Null),
                gone,
            ),
        };
        // An object that lost fields and got none wrote nothing.
        let is_object = |value: Option<&Value>| value.is_some_and(Value::is_object);
        if gone || within != json!({}) || !(is_object(old) && is_object(new)) {
            fields.insert(format!("f:{key}"), within);
        }
    }
    Value::Object(fields)
}

fn subtract(fields: &mut Value, touched: &Value) {
    let (Some(fields), Some(touched)) = (fields.as_object_mut(), touched.as_object()) else {
        return;
    };
    for (key, touched) in touched {
        if let Some(within) = fields.get_mut(key) {
            subtract(within, touched);
            if *within == json!({}) {
                fields.remove(key);
            }
        }
    }
}
