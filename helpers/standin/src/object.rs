//! What kube-apiserver does to every object that is written: it looks whether it may be, and sets
//! what only it sets.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::{
    managed::{self, Part, Writer},
    names,
    refusal::{self, Refusal},
    resource::Resource,
};

/// The longest that all annotations together may be, keys and values, in bytes.
const ANNOTATIONS: usize = 256 * 1024;

/// The place of an object: its kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) resource: Resource,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// An object as it is once it is created, or why it is not.
pub(crate) fn created(
    key: &Key,
    mut object: Value,
    writer: &Writer,
    revision: i64,
) -> Result<Value, Refusal> {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    object["apiVersion"] = json!(key.resource.api_version());
    object["kind"] = json!(key.resource.kind());
    let metadata = &mut object["metadata"];
    metadata["name"] = json!(key.name);
    metadata["namespace"] = json!(key.namespace);
    metadata["uid"] = json!(names::uid(usize::try_from(revision).unwrap_or_default()));
    metadata["creationTimestamp"] = json!(now);
    metadata["resourceVersion"] = json!(revision.to_string());
    if key.resource.has_status() {
        metadata["generation"] = json!(1);
    }
    without_empty(metadata);
    within_limits(key, &object)?;
    let entries = managed::entries(&Value::Null, &object, writer, &now);
    object["metadata"]["managedFields"] = json!(entries);
    Ok(object)
}

/// Checks that an update means the object that is stored, in the version that is stored.
pub(crate) fn is_of(key: &Key, old: &Value, new: &Value) -> Result<(), Refusal> {
    let (resource, name) = (key.resource, key.name.as_str());
    is_same(
        key,
        old["metadata"]["uid"].as_str().unwrap_or_default(),
        new,
    )?;
    match new["metadata"]["resourceVersion"].as_str() {
        None | Some("" | "0") => Err(refusal::no_version(resource, name)),
        Some(version) if version.parse::<u64>().is_err() => {
            let message = format!("strconv.ParseUint: parsing {version:?}: invalid syntax");
            Err(refusal::internal(message))
        }
        Some(version) if old["metadata"]["resourceVersion"] != version => {
            Err(refusal::modified(resource, name))
        }
        Some(_) => Ok(()),
    }
}

/// Checks that an update that names a uid names the one of the object that is stored.
pub(crate) fn is_same(key: &Key, uid: &str, new: &Value) -> Result<(), Refusal> {
    let meant = new["metadata"]["uid"].as_str().unwrap_or_default();
    if meant.is_empty() || meant == uid {
        return Ok(());
    }
    let place = (key.namespace.as_str(), key.name.as_str());
    Err(refusal::another(key.resource, place, meant, uid))
}

/// The object that replaces the old one, with the old revision; `None` if it changes nothing.
pub(crate) fn updated(
    key: &Key,
    old: &Value,
    mut new: Value,
    writer: &Writer,
) -> Result<Option<Value>, Refusal> {
    if key.resource.has_status() {
        match writer.part {
            Part::Main => keep(old, &mut new, "status"),
            Part::Status => {
                let status = new["status"].take();
                new = old.clone();
                new["status"] = status;
            }
            Part::Whole => {}
        }
    }
    for field in ["apiVersion", "kind"] {
        keep(old, &mut new, field);
    }
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
        "managedFields",
    ] {
        keep(&old["metadata"], &mut new["metadata"], field);
    }
    without_empty(&mut new["metadata"]);
    within_limits(key, &new)?;
    if new == *old {
        return Ok(None);
    }
    if key.resource.has_status() && new["spec"] != old["spec"] {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
        new["metadata"]["generation"] = json!(generation + 1);
    }
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let entries = managed::entries(old, &new, writer, &now);
    new["metadata"]["managedFields"] = json!(entries);
    Ok(Some(new))
}

fn keep(old: &Value, new: &mut Value, field: &str) {
    match (old.get(field), new.as_object_mut()) {
        (Some(value), Some(_)) => new[field] = value.clone(),
        (None, Some(new)) => drop(new.remove(field)),
        (_, None) => {}
    }
}

/// No annotations and an empty map of them are the same.
fn without_empty(metadata: &mut Value) {
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.retain(|_, value| !value.is_null() && *value != json!({}));
    }
}

fn within_limits(key: &Key, object: &Value) -> Result<(), Refusal> {
    let annotations = object["metadata"]["annotations"].as_object();
    let lengths = annotations
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len));
    if lengths.sum::<usize>() > ANNOTATIONS {
        return Err(refusal::too_long(key.resource, &key.name, ANNOTATIONS));
    }
    Ok(())
}
