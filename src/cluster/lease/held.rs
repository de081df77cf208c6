//! The Lease while this run holds it: renewed, written to, given up.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease as Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::journal::Journal;
use crate::cluster::call::{CallError, Connection};
use crate::limits::Limits;

/// The Lease's name.
pub const NAME: &str = "cluster-profiler-job";

/// The reason that a run does not hold the Lease.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else holds it.
    #[error(
        "the run {holder} is using the profiler of this cluster{}; wait until it has ended, or for \
         longer with PROFILER_LOCK_WAIT (the Lease {NAME} in {namespace})",
        since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default()
    )]
    Held {
        /// The run that holds it.
        holder: String,
        /// Since when.
        since: Option<String>,
        /// The namespace of the Lease.
        namespace: String,
    },
    /// Somebody else took it over, or it could not be renewed for its whole life.
    #[error("this run has lost its Lease {NAME}: {0}")]
    Lost(String),
    /// The API server failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl LeaseError {
    /// The error of a write of the Lease that was given up before any answer came.
    pub fn unanswered() -> Self {
        Self::Call(CallError::Transport {
            call: format!("update the Lease {NAME}"),
            detail: "none in the time that there was".to_owned(),
        })
    }

    /// Whether the same may succeed a little later, under the same Lease.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Held { .. } | Self::Lost(_) => false,
            Self::Call(error) => error.may_pass(),
        }
    }
}

/// The Lease, held.
#[derive(Debug)]
pub struct HeldLease {
    pub(super) connection: Connection,
    pub(super) api: Api<Object>,
    pub(super) identity: String,
    pub(super) object: Mutex<Object>,
}

impl HeldLease {
    /// Writes the journal: before what it tells of is done.
    ///
    /// # Errors
    /// The Lease is lost, or the API server failed.
    pub async fn write(&self, journal: &Journal) -> Result<(), LeaseError> {
        let annotations = journal.annotations();
        let written = self.update(move |object| {
            let all = object.metadata.annotations.get_or_insert_default();
            Journal::remove(all);
            all.extend(annotations.clone());
        });
        still_held(written.await?)
    }

    /// The limits of its calls.
    pub fn limits(&self) -> &Limits {
        &self.connection.limits
    }

    /// Says that its holder lives.
    ///
    /// # Errors
    /// The Lease is lost, or the API server failed.
    pub async fn renew(&self) -> Result<(), LeaseError> {
        still_held(self.update(|_| {}).await?)
    }

    /// Gives the Lease up, and leaves the journal in it or takes it away.
    ///
    /// # Errors
    /// The Lease is lost, or the API server failed.
    pub async fn release(&self, keep_journal: bool) -> Result<(), LeaseError> {
        // Without a holder it is released: by a try whose answer was lost.
        let released = self.update(|object| {
            if let Some(spec) = &mut object.spec {
                spec.holder_identity = None;
            }
            if !keep_journal {
                let annotations = object.metadata.annotations.as_mut();
                Journal::remove(annotations.unwrap_or(&mut BTreeMap::new()));
            }
        });
        released.await.map(|_| ())
    }

    /// Renews the Lease until it is lost, and resolves then.
    pub async fn keep(&self) -> LeaseError {
        let limits = &self.connection.limits;
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(limits.lease_renewal).await;
            let dies = renewed + limits.lease;
            // Others count the Lease's life from when the renewal is stored, which may be long before its
            // answer: so the time of sending counts here.
            let asked = Instant::now();
            match tokio::time::timeout_at(dies, self.renew()).await {
                Ok(Ok(())) => renewed = asked,
                Ok(Err(lost @ LeaseError::Lost(_))) => return lost,
                Ok(Err(error)) => tracing::warn!(%error, "the Lease could not be renewed"),
                Err(_) => {}
            }
            if Instant::now() >= dies {
                let life = limits.lease;
                return LeaseError::Lost(format!("it could not be renewed for {life:?}"));
            }
        }
    }

    /// Writes the Lease as this holder's, and makes it again where somebody deleted it. Others may
    /// edit what is not theirs; the holder they may not change. `false`: it has no holder any more.
    async fn update(&self, change: impl Fn(&mut Object)) -> Result<bool, LeaseError> {
        let mut current = self.object.lock().await;
        loop {
            let mut object = current.clone();
            change(&mut object);
            if let Some(spec) = &mut object.spec {
                spec.renew_time = Some(MicroTime(Timestamp::now()));
            }
            let exists = object.metadata.resource_version.is_some();
            let call = format!("update the Lease {NAME}");
            match put(&self.connection, &self.api, &call, &object).await {
                Ok(object) => {
                    *current = object;
                    return Ok(true);
                }
                Err(CallError::Answer { code: 409, .. }) => {}
                Err(error) if exists && error.is_absent() => {}
                Err(error) => return Err(error.into()),
            }
            match get(&self.connection, &self.api).await? {
                Some(object) => *current = object,
                None => *current = anew(&current),
            }
            match holder_of(&current) {
                Some(holder) if holder == self.identity => {}
                None => return Ok(false),
                Some(other) => {
                    return Err(LeaseError::Lost(format!("{other} has taken it over")));
                }
            }
        }
    }
}

/// The API of the Leases in a namespace.
pub(super) fn leases(connection: &Connection, namespace: &str) -> Api<Object> {
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

/// Writes the Lease where it is as it was read, and makes one that was not read.
pub(super) async fn put(
    connection: &Connection,
    api: &Api<Object>,
    call: &str,
    object: &Object,
) -> Result<Object, CallError> {
    let params = PostParams::default();
    if object.metadata.resource_version.is_some() {
        let replace = || api.replace(NAME, &params, object);
        connection.call(call, replace).await
    } else {
        let create = || api.create(&params, object);
        connection.call(call, create).await
    }
}

/// The identity of its holder.
pub(super) fn holder_of(object: &Object) -> Option<&str> {
    let holder = object.spec.as_ref()?.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}

/// A Lease that somebody deleted, to be made again: what is in it is known nowhere else.
fn anew(held: &Object) -> Object {
    tracing::warn!("somebody deleted the Lease {NAME}: making it again");
    Object {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            annotations: held.metadata.annotations.clone(),
            ..ObjectMeta::default()
        },
        spec: held.spec.clone(),
    }
}

fn still_held(held: bool) -> Result<(), LeaseError> {
    let emptied = || LeaseError::Lost("somebody has taken its holder out".to_owned());
    held.then_some(()).ok_or_else(emptied)
}
