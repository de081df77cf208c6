//! The Lease itself, and what stands between a run and it.

use k8s_openapi::api::coordination::v1::Lease as Object;
use kube::api::Api;

use crate::cluster::call::{CallError, Connection};

/// The Lease's name.
pub const NAME: &str = "cluster-profiler-job";

/// A lock that is not had, or not any more.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error(
        "the run {holder} is using the profiler of this cluster{}; wait until it has ended, or for \
         longer with PROFILER_LOCK_WAIT (the Lease {NAME} in {namespace})",
        since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default()
    )]
    Held {
        /// Who.
        holder: String,
        /// Since when.
        since: Option<String>,
        /// Where the Lease is.
        namespace: String,
    },
    /// Somebody else took it over, or it could not be renewed for its whole life.
    #[error("this run has lost its Lease {NAME}: {0}")]
    Lost(String),
    /// The API server failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Where a cluster's Lease is.
pub(super) fn api(connection: &Connection, namespace: &str) -> Api<Object> {
    Api::namespaced(connection.client.clone(), namespace)
}

/// The Lease, if there is one.
pub(super) async fn get(
    connection: &Connection,
    api: &Api<Object>,
) -> Result<Option<Object>, CallError> {
    let call = format!("get the Lease {NAME}");
    connection.call(&call, || api.get_opt(NAME)).await
}

/// Who holds it.
pub(super) fn holder(object: &Object) -> Option<&str> {
    let holder = object.spec.as_ref()?.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}
