//! What a request for an object says: the object, and who writes it.

use http::{header, request::Parts};
use serde_json::Value;

use crate::{
    managed::{Part, Writer},
    object::Key,
    refusal::{self, Refusal},
};

/// The object of a request.
pub(super) fn object(key: &Key, body: &[u8]) -> Result<Value, Refusal> {
    let kind = key.resource.kind();
    let unknown = |why: String| {
        refusal::bad(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get \
             version/kind; json parse error: {why}"
        ))
    };
    let object: Value = serde_json::from_slice(body).map_err(|error| unknown(error.to_string()))?;
    sound(&object)?;
    let says = |field: &str, value: &str| object[field].as_str().is_none_or(|said| said == value);
    if !says("kind", kind) || !says("apiVersion", &key.resource.api_version()) {
        let (kind_said, version) = (&object["kind"], &object["apiVersion"]);
        let message = format!("{kind_said} in version {version} cannot be handled as a {kind}");
        return Err(refusal::bad(message));
    }
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    if !namespace.is_empty() && namespace != key.namespace {
        let message =
            "the namespace of the provided object does not match the namespace sent on the request";
        return Err(refusal::bad(message));
    }
    Ok(object)
}

/// Whether it has the shape of an object, as far as the stand-in itself writes into it.
pub(super) fn sound(object: &Value) -> Result<(), Refusal> {
    let is_map = |value: &Value| value.is_object() || value.is_null();
    if object.is_object() && is_map(&object["metadata"]) {
        return Ok(());
    }
    Err(refusal::bad(
        "the object provided is unrecognized: it is no object with metadata",
    ))
}

/// Who writes: the field manager that is named, or the program.
pub(super) fn writer(parts: &Parts) -> Writer {
    let query = parts.uri.query().unwrap_or_default();
    let named = form_urlencoded::parse(query.as_bytes())
        .find_map(|(key, value)| (key == "fieldManager").then(|| value.into_owned()));
    let agent = parts.headers.get(header::USER_AGENT);
    let agent = agent
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    let program = agent.split('/').next().unwrap_or_default();
    let manager = [named.as_deref().unwrap_or_default(), program, "unknown"]
        .into_iter()
        .find(|name| !name.is_empty());
    Writer::new(manager.unwrap_or_default(), Part::Main)
}
