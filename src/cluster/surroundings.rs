//! What surrounds a run: how many nodes and virtual machine instances there are, how large the nodes are, and which
//! pods lead. No run needs it, so whatever fails here is no fault of one.

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use kube::core::Request;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::call::{CallError, Connection};
use crate::manifest::{Allocatable, Node};

/// Nodes in one page of a LIST: a node is some 20 KiB, most of it the names of its images.
const PAGE: u32 = 50;

/// A kind of object that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// The nodes.
    Nodes,
    /// The virtual machine instances of all namespaces.
    Instances,
}

impl Counted {
    fn plural(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Instances => "virtualmachineinstances",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Nodes => "/api/v1/nodes",
            Self::Instances => "/apis/kubevirt.io/v1/virtualmachineinstances",
        }
    }
}

#[derive(Debug, Deserialize)]
struct List<T> {
    metadata: ListMetadata,
    items: Option<Vec<T>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMetadata {
    #[serde(rename = "continue")]
    token: String,
    remaining_item_count: Option<u64>,
}

/// A node, with only the fields that are used.
#[derive(Debug, Deserialize)]
struct NodeObject {
    metadata: NodeMetadata,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Debug, Deserialize)]
struct NodeMetadata {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeStatus {
    allocatable: Allocatable,
    #[serde(rename = "nodeInfo")]
    info: NodeInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeInfo {
    architecture: Option<String>,
}

/// Counts objects by a LIST of one, without its content: the API server says how many remain. `None` if it does not.
///
/// # Errors
/// The API server failed, or the right is missing.
pub async fn count(connection: &Connection, of: Counted) -> Result<Option<u64>, CallError> {
    let params = ListParams::default().limit(1);
    let request = || Request::new(of.path()).list_metadata(&params);
    let list = list::<IgnoredAny>(connection, of, request).await?;
    let here = list.items.map_or(0, |items| items.len() as u64);
    let remaining = match list.metadata.remaining_item_count {
        None if list.metadata.token.is_empty() => Some(0),
        remaining => remaining,
    };
    Ok(remaining.map(|remaining| here + remaining))
}

/// Lists all nodes, and hands each on.
///
/// # Errors
/// The API server failed, or the right is missing.
pub async fn each_node(
    connection: &Connection,
    mut each: impl FnMut(String, Node),
) -> Result<(), CallError> {
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let request = || Request::new(Counted::Nodes.path()).list(&params);
        let list = list::<NodeObject>(connection, Counted::Nodes, request).await?;
        for NodeObject { metadata, status } in list.items.into_iter().flatten() {
            let node = Node {
                allocatable: status.allocatable,
                architecture: status.info.architecture,
            };
            each(metadata.name, node);
        }
        if list.metadata.token.is_empty() {
            return Ok(());
        }
        params = params.continue_token(&list.metadata.token);
    }
}

/// The identity of whoever holds a Lease; `None` if nobody does. A component's replica that leads has its pod's name
/// for identity.
///
/// # Errors
/// The API server failed, there is no such Lease, or the right is missing.
pub async fn holder(
    connection: &Connection,
    namespace: &str,
    lease: &str,
) -> Result<Option<String>, CallError> {
    let api: Api<Lease> = Api::namespaced(connection.client(), namespace);
    let call = format!("get the Lease {lease}");
    let lease = connection.call(&call, || api.get(lease)).await?;
    let holder = lease.spec.and_then(|spec| spec.holder_identity);
    Ok(holder.filter(|holder| !holder.is_empty()))
}

async fn list<T: DeserializeOwned>(
    connection: &Connection,
    of: Counted,
    request: impl Fn() -> Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<List<T>, CallError> {
    let call = format!("list {}", of.plural());
    let attempt = || async {
        let request = request().map_err(kube::Error::BuildRequest)?;
        connection.client().request(request).await
    };
    connection.call(&call, attempt).await
}
