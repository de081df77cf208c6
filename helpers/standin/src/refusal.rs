//! The reasons why an object is not read or written, in kube-apiserver's words.

use http::StatusCode;
use serde_json::{Value, json};

use crate::resource::Resource;

/// A reason why a request is refused, from which a Status is made.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: StatusCode,
    /// The reason in one word; empty if there is none.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// More about the reason; null if there is none.
    pub(crate) details: Value,
}

impl Refusal {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
        }
    }

    fn about(mut self, resource: Resource, name: &str) -> Self {
        let (group, kind) = (resource.group(), resource.plural());
        self.details = json!({ "name": name, "group": group, "kind": kind });
        self
    }
}

/// There is no object of this name.
pub(crate) fn not_found(resource: Resource, name: &str) -> Refusal {
    let message = format!("{} {name:?} not found", resource.qualified());
    Refusal::new(StatusCode::NOT_FOUND, "NotFound", message).about(resource, name)
}

/// There is an object of this name already.
pub(crate) fn already_exists(resource: Resource, name: &str) -> Refusal {
    let message = format!("{} {name:?} already exists", resource.qualified());
    Refusal::new(StatusCode::CONFLICT, "AlreadyExists", message).about(resource, name)
}

/// Somebody else wrote first.
pub(crate) fn modified(resource: Resource, name: &str) -> Refusal {
    let why = "the object has been modified; please apply your changes to the latest version and \
               try again";
    conflict(resource, name, why)
}

/// It is not the object that was meant: that one was deleted.
pub(crate) fn another(resource: Resource, place: (&str, &str), meant: &str, is: &str) -> Refusal {
    let (namespace, name) = place;
    let plural = resource.plural();
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{plural}/{namespace}/{name}, \
         ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: \
         {meant}, UID in object meta: {is}"
    );
    conflict(resource, name, &why)
}

fn conflict(resource: Resource, name: &str, why: &str) -> Refusal {
    let qualified = resource.qualified();
    let message = format!("Operation cannot be fulfilled on {qualified} {name:?}: {why}");
    Refusal::new(StatusCode::CONFLICT, "Conflict", message).about(resource, name)
}

/// An update does not say which version it is of.
pub(crate) fn no_version(resource: Resource, name: &str) -> Refusal {
    let cause = Cause {
        field: "metadata.resourceVersion",
        reason: "FieldValueInvalid",
        why: "Invalid value: 0: must be specified for an update",
    };
    let mut refusal = invalid(&resource.qualified(), name, &cause);
    refusal.details["group"] = json!(resource.group());
    refusal.details["kind"] = json!(resource.plural());
    refusal
}

/// All annotations together are too long.
pub(crate) fn too_long(resource: Resource, name: &str, limit: usize) -> Refusal {
    let why = format!("Too long: may not be more than {limit} bytes");
    let cause = Cause {
        field: "metadata.annotations",
        reason: "FieldValueTooLong",
        why: &why,
    };
    typed(resource, name, &cause)
}

/// A new object has no name.
pub(crate) fn no_name(resource: Resource) -> Refusal {
    let cause = Cause {
        field: "metadata.name",
        reason: "FieldValueRequired",
        why: "Required value: name or generateName is required",
    };
    typed(resource, "", &cause)
}

/// A field whose value is not taken.
struct Cause<'a> {
    field: &'a str,
    reason: &'a str,
    why: &'a str,
}

fn typed(resource: Resource, name: &str, cause: &Cause<'_>) -> Refusal {
    let kind = format!("{}.{}", resource.kind(), resource.group());
    let mut refusal = invalid(&kind, name, cause);
    refusal.details["group"] = json!(resource.group());
    refusal.details["kind"] = json!(resource.kind());
    refusal
}

fn invalid(what: &str, name: &str, cause: &Cause<'_>) -> Refusal {
    let Cause { field, reason, why } = cause;
    let message = format!("{what} {name:?} is invalid: {field}: {why}");
    let mut details = json!({
        "causes": [{ "reason": reason, "message": why, "field": field }],
    });
    if !name.is_empty() {
        details["name"] = json!(name);
    }
    Refusal {
        details,
        ..Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    }
}

/// The request makes no sense.
pub(crate) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

/// kube-apiserver has no better word for it.
pub(crate) fn internal(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
}

/// An admission webhook said no: a 403 that is no lack of a right.
pub(crate) fn denied(webhook: &str, why: &str) -> Refusal {
    let message = format!("admission webhook {webhook:?} denied the request: {why}");
    Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message)
}

/// The patch is of an unknown kind.
pub(crate) fn unknown_patch() -> Refusal {
    let message = "the body of the request was in an unknown format - accepted media types \
                   include: application/merge-patch+json";
    let code = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Refusal::new(code, "UnsupportedMediaType", message)
}
