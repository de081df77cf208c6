//! The node LIST: the nodes that pods run on, with whole objects or their metadata only.

use std::collections::BTreeSet;

use http::{StatusCode, request::Parts};
use serde_json::{Value, json};

use super::pods::{Asked, metadata_only};
use crate::{
    reply::{self, Reply},
    revisions::Revisions,
    shared::Shared,
    token::Token,
};

/// The images that a node has and tells of, which is most of its object.
const IMAGES: usize = 50;

/// Lists nodes as they are now: no test changes them between two pages.
pub(crate) fn list(shared: &Shared, parts: &Parts) -> Reply {
    let asked = Asked::parse(parts.uri.query().unwrap_or_default());
    let token = |asked: &Asked| match asked.token.as_str() {
        "" => Ok(String::new()),
        token => Token::decode(token).map(|token| token.start),
    };
    let asked = asked.and_then(|asked| Ok((token(&asked)?, asked)));
    let (start, asked) = match asked {
        Ok(asked) => asked,
        Err(message) => return reply::status(StatusCode::BAD_REQUEST, &message),
    };
    let limit = if asked.limit == 0 {
        usize::MAX
    } else {
        asked.limit
    };
    let state = shared.state.borrow();
    let revision = state.revisions.current();
    let names = names(&state.revisions);
    let rest: Vec<_> = names.range(start..).collect();
    let (page, after) = rest.split_at(limit.min(rest.len()));
    let mut metadata = json!({ "resourceVersion": revision.to_string() });
    if let Some(last) = page.last()
        && !after.is_empty()
    {
        let token = Token::after(last, revision, String::new());
        metadata["continue"] = json!(token.encode());
        metadata["remainingItemCount"] = json!(after.len());
    }
    let (kind, version) = if metadata_only(parts) {
        ("PartialObjectMetadata", "meta.k8s.io/v1")
    } else {
        ("Node", "v1")
    };
    let items: Vec<_> = page.iter().map(|name| node(name, kind)).collect();
    let list = json!({
        "kind": format!("{kind}List"),
        "apiVersion": version,
        "metadata": metadata,
        "items": items,
    });
    reply::json(StatusCode::OK, &list)
}

fn names(revisions: &Revisions) -> BTreeSet<String> {
    let pods = revisions.pods().iter();
    pods.map(|pod| pod.node.clone()).collect()
}

fn node(name: &str, kind: &str) -> Value {
    let mut node = json!({ "metadata": {
        "name": name,
        "labels": { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" },
    }});
    if kind == "Node" {
        node["spec"] = json!({ "podCIDR": "10.128.0.0/23" });
        node["status"] = status(name);
    }
    node
}

/// Every node has a size of its own.
fn status(name: &str) -> Value {
    let number: usize = name
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(usize::from)
        .sum();
    let image = |of: usize| {
        let digest = format!("{of:064x}");
        json!({ "names": [format!("quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:{digest}")], "sizeBytes": 500_000_000 + of })
    };
    json!({
        "capacity": { "cpu": "8", "memory": "32Gi", "pods": "250" },
        "allocatable": {
            "cpu": format!("{}m", 7500 + number),
            "memory": format!("{}Ki", 31_000_000 + number),
            "pods": "250",
        },
        "nodeInfo": { "architecture": "amd64", "operatingSystem": "linux" },
        "images": (0..IMAGES).map(image).collect::<Vec<_>>(),
    })
}
