//! kube-apiserver's answer to what versions a group has. Of virt-api's own group upstream's program asks before
//! each of its calls.

use http::StatusCode;
use serde_json::json;

use crate::reply::{self, Reply};

/// A group with these versions, the preferred one first.
pub(super) fn get(name: &str, versions: &[&str]) -> Reply {
    let version = |version: &&str| {
        json!({
            "groupVersion": format!("{name}/{version}"),
            "version": version,
        })
    };
    let group = json!({
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": versions.iter().map(version).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(version),
    });
    reply::json(StatusCode::OK, &group)
}
