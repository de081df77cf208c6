//! The objects that can be written, as kube-apiserver gives and takes them.

use http::{StatusCode, header, request::Parts};
use serde_json::{Value, json};

use super::asked;
use crate::{
    json_patch_errors::mistyped,
    object::{self, Key},
    refusal::{self, Refusal},
    reply::{self, Reply},
    resource::{Resource, Verb},
    shared::Shared,
};

/// Answers a request for one object, or for all of a namespace where the key has no name.
pub(crate) fn answer(shared: &Shared, verb: Verb, key: Key, parts: &Parts, body: &[u8]) -> Reply {
    let answer = match verb {
        Verb::Get => get(shared, &key),
        Verb::List => Ok((StatusCode::OK, list(shared, key.resource, &key.namespace))),
        Verb::Create => create(shared, key, parts, body),
        Verb::Update => update(shared, &key, parts, body),
        Verb::Patch => patch(shared, &key, parts, body),
        Verb::Delete => delete(shared, &key),
    };
    match answer {
        Ok((code, object)) => reply::json(code, &object),
        Err(refusal) => reply::refusal(refusal),
    }
}

type Answer = Result<(StatusCode, Value), Refusal>;

fn get(shared: &Shared, key: &Key) -> Answer {
    let state = shared.state.borrow();
    Ok((StatusCode::OK, state.control.get(key)?.clone()))
}

fn list(shared: &Shared, resource: Resource, namespace: &str) -> Value {
    let state = shared.state.borrow();
    json!({
        "apiVersion": resource.api_version(),
        "kind": format!("{}List", resource.kind()),
        "metadata": { "resourceVersion": state.revisions.current().to_string() },
        "items": state.control.list(resource, namespace),
    })
}

fn create(shared: &Shared, mut key: Key, parts: &Parts, body: &[u8]) -> Answer {
    let object = asked::object(&key, body)?;
    let Some(name) = object["metadata"]["name"]
        .as_str()
        .filter(|it| !it.is_empty())
    else {
        return Err(refusal::no_name(key.resource));
    };
    key.name = name.to_owned();
    let version = object["metadata"]["resourceVersion"].as_str();
    if !matches!(version, None | Some("" | "0")) {
        let message = "resourceVersion should not be set on objects to be created";
        return Err(refusal::internal(message));
    }
    let created = shared.change(|state| {
        let revisions = &mut state.revisions;
        state
            .control
            .create(&key, object, &asked::writer(parts), revisions)
    });
    Ok((StatusCode::CREATED, created?))
}

/// A Lease may be created so, too.
fn update(shared: &Shared, key: &Key, parts: &Parts, body: &[u8]) -> Answer {
    let object = asked::object(key, body)?;
    let name = &key.name;
    match object["metadata"]["name"].as_str() {
        Some(there) if there == name => {}
        None | Some("") => {
            let message = format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be \
                 provided"
            );
            return Err(refusal::bad(message));
        }
        Some(other) => {
            let message = format!(
                "the name of the object ({other}) does not match the name on the URL ({name})"
            );
            return Err(refusal::bad(message));
        }
    }
    shared.change(|state| {
        let (control, revisions) = (&mut state.control, &mut state.revisions);
        if key.resource == Resource::Leases && control.get(key).is_err() {
            object::is_same(key, "", &object)?;
            let created = control.create(key, object, &asked::writer(parts), revisions)?;
            return Ok((StatusCode::CREATED, created));
        }
        let updated = control.update(key, object, &asked::writer(parts), revisions)?;
        Ok((StatusCode::OK, updated))
    })
}

/// A merge patch. RFC 7386; one that names no version is of the one that is there.
fn patch(shared: &Shared, key: &Key, parts: &Parts, body: &[u8]) -> Answer {
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    if content_type.split(';').next().map(str::trim) != Some("application/merge-patch+json") {
        return Err(refusal::unknown_patch());
    }
    let patch: Value = serde_json::from_slice(body)
        .map_err(|error| refusal::bad(format!("error decoding patch: {error}")))?;
    if !patch.is_object() {
        let why = mistyped(&patch, "map[string]interface {}");
        return Err(refusal::bad(format!("error decoding patch: {why}")));
    }
    shared.change(|state| {
        let mut object = state.control.get(key)?.clone();
        json_patch::merge(&mut object, &patch);
        asked::sound(&object)?;
        let revisions = &mut state.revisions;
        let patched = state
            .control
            .update(key, object, &asked::writer(parts), revisions)?;
        Ok((StatusCode::OK, patched))
    })
}

fn delete(shared: &Shared, key: &Key) -> Answer {
    let object = shared.change(|state| state.control.remove(key))?;
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": key.name,
            "group": key.resource.group(),
            "kind": key.resource.plural(),
            "uid": object["metadata"]["uid"],
        },
    });
    Ok((StatusCode::OK, status))
}
