//! The pod LIST, with whole objects or their metadata only.

use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, header, request::Parts};
use serde_json::{Value, json};

use crate::{
    body::Body,
    list::{self, EXPIRED, ListError, Page, Query},
    pod::Pod,
    pod_object,
    reply::{self, Reply},
    selector::Selector,
    shared::Shared,
};

/// Lists pods; there are none outside the install namespace.
pub(crate) fn list(shared: &Shared, namespace: &str, parts: &Parts) -> Reply {
    let asked = match Asked::parse(parts.uri.query().unwrap_or_default()) {
        Ok(asked) => asked,
        Err(message) => return reply::status(StatusCode::BAD_REQUEST, &message),
    };
    let query = Query {
        selector: &asked.selector,
        limit: asked.limit,
        token: &asked.token,
    };
    let page = list::list(&shared.state.borrow().revisions, &query);
    let mut page = match page {
        Ok(page) => page,
        Err(ListError::Invalid(message)) => {
            return reply::status(StatusCode::BAD_REQUEST, &message);
        }
        Err(ListError::Expired { fresh }) => {
            return reply::status_with_token(StatusCode::GONE, EXPIRED, &fresh);
        }
    };
    if namespace != shared.options.namespace {
        page = Page {
            pods: Vec::new(),
            token: String::new(),
            remaining: None,
            ..page
        };
    }
    reply::stream(body(page, namespace, metadata_only(parts)))
}

pub(super) struct Asked {
    selector: Selector,
    pub(super) limit: usize,
    pub(super) token: String,
}

impl Asked {
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut asked = Self {
            selector: Selector::default(),
            limit: 0,
            token: String::new(),
        };
        let mut revision = String::new();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "labelSelector" => asked.selector = Selector::parse(&value)?,
                "limit" => {
                    asked.limit = value
                        .parse()
                        .map_err(|_| format!("invalid limit {value:?}"))?
                }
                "continue" => asked.token = value.into_owned(),
                "resourceVersion" => revision = value.into_owned(),
                _ => {}
            }
        }
        if !asked.token.is_empty() && !revision.is_empty() && revision != "0" {
            return Err(
                "specifying resource version is not allowed when using continue".to_owned(),
            );
        }
        Ok(asked)
    }
}

/// Whether the client asked for PartialObjectMetadata.
pub(super) fn metadata_only(parts: &Parts) -> bool {
    let accept = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("as=PartialObjectMetadataList"))
}

/// The list's JSON; each object is made when it is sent.
fn body(page: Page, namespace: &str, metadata_only: bool) -> Body {
    let (kind, version) = if metadata_only {
        ("PartialObjectMetadataList", "meta.k8s.io/v1")
    } else {
        ("PodList", "v1")
    };
    let mut metadata = json!({ "resourceVersion": page.revision.to_string() });
    if !page.token.is_empty() {
        metadata["continue"] = json!(page.token);
    }
    if let Some(remaining) = page.remaining {
        metadata["remainingItemCount"] = json!(remaining);
    }
    let head = format!(
        "{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",\"metadata\":{metadata},\"items\":["
    );
    let namespace = namespace.to_owned();
    let items = page.pods.into_iter().enumerate().map(move |(index, pod)| {
        let comma = if index == 0 { "" } else { "," };
        Bytes::from(format!(
            "{comma}{}",
            object(&pod, &namespace, metadata_only)
        ))
    });
    let end = Bytes::from_static(b"]}\n");
    Body::lazy(
        std::iter::once(Bytes::from(head))
            .chain(items)
            .chain(std::iter::once(end)),
    )
}

fn object(pod: &Arc<Pod>, namespace: &str, metadata_only: bool) -> Value {
    let mut whole = pod_object::of(pod, namespace);
    if !metadata_only {
        return whole;
    }
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": whole["metadata"].take(),
    })
}
