//! Virtual machines and their instances as the API server has them, with only the fields that are used.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::Stream;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Request;
use serde::Deserialize;

use super::second::{self, Second};
use crate::cluster::call::{CallError, Connection};
use crate::limits::VM_WATCH;

/// Objects in one page of a LIST. An instance's is about 8 KiB, of which 100 bytes are kept, and a page's text is
/// in memory twice while it is read.
const PAGE: u32 = 200;

/// The instances that are followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Their namespace; `None` is all.
    pub namespace: Option<String>,
    /// The selector of their labels; `None` is all.
    pub selector: Option<String>,
}

/// The two kinds of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A VirtualMachine, of which only the metadata are asked for: its Ready condition is a copy of its
    /// instance's, time and all.
    Machine,
    /// A VirtualMachineInstance.
    Instance,
}

impl Kind {
    /// The resource's name.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Machine => "virtualmachines",
            Self::Instance => "virtualmachineinstances",
        }
    }

    fn request(self, scope: &Scope) -> Request {
        let within = scope.namespace.as_ref();
        let within = within.map_or_else(String::new, |name| format!("/namespaces/{name}"));
        Request::new(format!("/apis/kubevirt.io/v1{within}/{}", self.plural()))
    }

    /// The selector, which is of instances: a machine's labels may be others than its instance's.
    fn selector(self, scope: &Scope) -> Option<String> {
        match self {
            Self::Machine => None,
            Self::Instance => scope.selector.clone(),
        }
    }
}

/// An object, reduced to what is used. kube's own type of metadata has all of `managedFields`, too.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Object {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) status: Option<Status>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    uid: String,
    resource_version: String,
    #[serde(deserialize_with = "second::deserialize")]
    pub(super) creation_timestamp: Option<Second>,
    #[serde(deserialize_with = "second::deserialize")]
    pub(super) deletion_timestamp: Option<Second>,
    owner_references: Vec<Owner>,
}

#[derive(Debug, Clone, Deserialize)]
struct Owner {
    kind: String,
    uid: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) phase: String,
    pub(super) phase_transition_timestamps: Vec<Transition>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transition {
    pub(super) phase: String,
    #[serde(
        rename = "phaseTransitionTimestamp",
        deserialize_with = "second::deserialize",
        default
    )]
    pub(super) at: Option<Second>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    #[serde(deserialize_with = "second::deserialize", default)]
    last_transition_time: Option<Second>,
}

/// An object's UID in sixteen bytes.
pub(super) type Uid = u128;

impl Object {
    /// Its UID.
    pub(super) fn uid(&self) -> Uid {
        compact(&self.metadata.uid)
    }

    /// Its revision.
    pub(super) fn revision(&self) -> &str {
        &self.metadata.resource_version
    }

    /// The UID of the VirtualMachine that it belongs to, if it belongs to one.
    pub(super) fn machine(&self) -> Option<Uid> {
        let mut owners = self.metadata.owner_references.iter();
        let machine = owners.find(|owner| owner.kind == "VirtualMachine")?;
        Some(compact(&machine.uid))
    }

    /// Since when it has been Ready, if it is.
    pub(super) fn ready(&self) -> Option<Second> {
        let mut conditions = self.status.as_ref()?.conditions.iter();
        let ready = conditions.find(|c| c.type_ == "Ready" && c.status == "True")?;
        ready.last_transition_time
    }
}

/// A UID as a number. Kubernetes makes random UUIDs; whatever else it may be is hashed.
fn compact(uid: &str) -> Uid {
    let digits: String = uid.chars().filter(|c| *c != '-').collect();
    Uid::from_str_radix(&digits, 16).unwrap_or_else(|_| {
        let mut hasher = DefaultHasher::new();
        uid.hash(&mut hasher);
        Uid::from(hasher.finish())
    })
}

#[derive(Debug, Deserialize)]
struct Page {
    metadata: PageMetadata,
    /// Null in a list of metadata that has none.
    items: Option<Vec<Object>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    token: String,
}

/// Proves that the instances can be listed, and that the selector is one.
///
/// # Errors
/// They cannot be listed.
pub async fn prove(connection: &Connection, scope: &Scope) -> Result<(), CallError> {
    current_revision(connection, scope).await?;
    Ok(())
}

/// The revision that the instances have now.
///
/// # Errors
/// They cannot be listed.
pub(super) async fn current_revision(
    connection: &Connection,
    scope: &Scope,
) -> Result<String, CallError> {
    let params = params(Kind::Instance, scope).limit(1);
    let page = page(connection, Kind::Instance, scope, &params).await?;
    Ok(page.metadata.resource_version)
}

/// Lists all objects once, and gives the revision of the list, which all its pages have. A token that goes stale under
/// it is an error.
///
/// # Errors
/// The API server failed.
pub(super) async fn list_once(
    connection: &Connection,
    kind: Kind,
    scope: &Scope,
    mut each: impl FnMut(&Object),
) -> Result<String, CallError> {
    let mut params = params(kind, scope).limit(PAGE);
    let mut revision = None;
    loop {
        let page = page(connection, kind, scope, &params).await?;
        let PageMetadata {
            resource_version,
            token,
        } = page.metadata;
        let revision = revision.get_or_insert(resource_version);
        page.items.iter().flatten().for_each(&mut each);
        if token.is_empty() {
            return Ok(std::mem::take(revision));
        }
        params = params.continue_token(&token);
    }
}

fn params(kind: Kind, scope: &Scope) -> ListParams {
    ListParams {
        label_selector: kind.selector(scope),
        ..ListParams::default()
    }
}

async fn page(
    connection: &Connection,
    kind: Kind,
    scope: &Scope,
    params: &ListParams,
) -> Result<Page, CallError> {
    let call = format!("list {}", kind.plural());
    let attempt = || async {
        let request = kind.request(scope);
        let request = match kind {
            Kind::Machine => request.list_metadata(params),
            Kind::Instance => request.list(params),
        };
        let request = request.map_err(kube::Error::BuildRequest)?;
        connection.client().request(request).await
    };
    connection.call(&call, attempt).await
}

/// Watches the objects from a revision on, once.
///
/// # Errors
/// The API server failed.
pub(super) async fn watch(
    connection: &Connection,
    kind: Kind,
    scope: &Scope,
    revision: &str,
) -> Result<impl Stream<Item = Result<WatchEvent<Object>, kube::Error>> + use<>, CallError> {
    let params = WatchParams {
        label_selector: kind.selector(scope),
        timeout: Some(VM_WATCH.as_secs() as u32),
        bookmarks: true,
        ..WatchParams::default()
    };
    let request = kind.request(scope);
    let request = match kind {
        Kind::Machine => request.watch_metadata(&params, revision),
        Kind::Instance => request.watch(&params, revision),
    };
    let call = format!("watch {}", kind.plural());
    let attempt = async {
        let request = request.map_err(kube::Error::BuildRequest)?;
        connection.client().request_events::<Object>(request).await
    };
    connection.once(&call, attempt).await
}
