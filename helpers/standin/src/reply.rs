//! The answers: kube-apiserver's Status objects, virt-api's plain text.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::{body::Body, refusal::Refusal};

/// An answer.
pub(crate) type Reply = Response<Body>;

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &Value) -> Reply {
    with_type(status, "application/json", Body::whole(value.to_string()))
}

/// Plain text, as virt-api's handlers answer.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    with_type(status, "text/plain; charset=utf-8", Body::whole(text))
}

/// A JSON answer whose body is made while it is sent.
pub(crate) fn stream(body: Body) -> Reply {
    with_type(StatusCode::OK, "application/json", body)
}

/// Nothing but the code.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::whole(Bytes::new()));
    *reply.status_mut() = status;
    reply
}

/// virt-api's 204: no body, but its type.
pub(crate) fn no_content() -> Reply {
    with_type(
        StatusCode::NO_CONTENT,
        "application/json",
        Body::whole(Bytes::new()),
    )
}

/// A Status object with the reason that belongs to its code.
pub(crate) fn status(code: StatusCode, message: &str) -> Reply {
    failure(code, reason(code), message, json!({}), Value::Null)
}

/// A Status object that says why an object is not had or written.
pub(crate) fn refusal(refusal: Refusal) -> Reply {
    let Refusal {
        code,
        reason,
        message,
        details,
    } = refusal;
    failure(code, reason, &message, json!({}), details)
}

/// A Status object about a resource.
pub(crate) fn status_of(code: StatusCode, message: &str, details: Value) -> Reply {
    failure(code, reason(code), message, json!({}), details)
}

/// A Status object that carries a fresh token.
pub(crate) fn status_with_token(code: StatusCode, message: &str, token: &str) -> Reply {
    let metadata = json!({ "continue": token });
    failure(code, reason(code), message, metadata, Value::Null)
}

fn failure(
    code: StatusCode,
    reason: &str,
    message: &str,
    metadata: Value,
    details: Value,
) -> Reply {
    let mut status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": metadata,
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code.as_u16(),
    });
    if !details.is_null() {
        status["details"] = details;
    }
    let mut reply = json(code, &status);
    if code == StatusCode::TOO_MANY_REQUESTS {
        reply
            .headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    reply
}

fn reason(code: StatusCode) -> &'static str {
    match code.as_u16() {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "",
    }
}

fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let content_type = header::HeaderValue::from_static(content_type);
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    reply
}
