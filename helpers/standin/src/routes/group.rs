//! kube-apiserver's answer to what versions virt-api's own group has: upstream's program asks before each
//! of its calls.

use http::StatusCode;
use serde_json::json;

use crate::reply::{self, Reply};

pub(super) fn get() -> Reply {
    let version = |version| {
        json!({
            "groupVersion": format!("subresources.kubevirt.io/{version}"),
            "version": version,
        })
    };
    let group = json!({
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "subresources.kubevirt.io",
        "versions": [version("v1"), version("v1alpha3")],
        "preferredVersion": version("v1"),
    });
    reply::json(StatusCode::OK, &group)
}
