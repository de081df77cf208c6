//! The Lease while this run holds it: renewed, written to, given up.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease as Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::{Instant, sleep_until};

use super::journal::Journal;
use crate::cluster::call::{CallError, Connection};
use crate::cluster::retry::{self, Backoff, Outlook};
use crate::errors::lock;

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
    /// Somebody else took it over.
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

    /// What it says of the same a little later, under the same Lease.
    pub fn outlook(&self) -> Outlook {
        match self {
            Self::Held { .. } | Self::Lost(_) => Outlook::Final,
            Self::Call(error) => error.outlook(),
        }
    }
}

/// The Lease, held. A renewal waits for no other write: each is made as if there were no other, and where two
/// meet, the version that a write is of tells, and the later one is made again.
#[derive(Debug)]
pub struct HeldLease {
    connection: Connection,
    api: Api<Object>,
    identity: String,
    /// The Lease as the last answer had it. No call is made while it is locked.
    seen: Mutex<Object>,
    /// The time of sending of the last write that was answered well. Others count the Lease's life from when it
    /// was stored, which may be long before its answer.
    renewed: Mutex<Instant>,
}

impl HeldLease {
    /// The Lease that was taken by a write that was sent then.
    pub(super) fn new(
        connection: Connection,
        api: Api<Object>,
        identity: String,
        object: Object,
        sent: Instant,
    ) -> Self {
        connection.permit.extend(sent + connection.limits.lease);
        Self {
            connection,
            api,
            identity,
            seen: Mutex::new(object),
            renewed: Mutex::new(sent),
        }
    }

    /// Writes the journal: before what it tells of is done.
    ///
    /// # Errors
    /// The Lease is lost, or the API server failed.
    pub async fn write(&self, journal: &Journal) -> Result<(), LeaseError> {
        let annotations = journal.annotations();
        let change = |object: &mut Object| {
            let all = object.metadata.annotations.get_or_insert_default();
            Journal::remove(all);
            all.extend(annotations.clone());
        };
        let tries = || self.update(&change);
        let Connection { limits, waits, .. } = &self.connection;
        let outlook = LeaseError::outlook;
        let written = retry::tries(limits, waits, Duration::ZERO, outlook, tries).await?;
        self.still_held(written)
    }

    /// The connection for calls about it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether it is not older than its life, by this process's own clock.
    pub fn is_alive(&self) -> bool {
        self.connection.permit.is_granted()
    }

    /// Says that its holder lives, by one try.
    ///
    /// # Errors
    /// The Lease is lost, or the API server failed.
    pub async fn renew(&self) -> Result<(), LeaseError> {
        let renewed = self.update(&|_| {}).await?;
        self.still_held(renewed)
    }

    /// Gives the Lease up, by one try, and leaves the journal in it or takes it away.
    ///
    /// # Errors
    /// The Lease is lost, or the API server failed.
    pub async fn release(&self, keep_journal: bool) -> Result<(), LeaseError> {
        // Without a holder it is released: by a try whose answer was lost.
        let change = |object: &mut Object| {
            if let Some(spec) = &mut object.spec {
                spec.holder_identity = None;
            }
            if !keep_journal {
                let annotations = object.metadata.annotations.as_mut();
                Journal::remove(annotations.unwrap_or(&mut BTreeMap::new()));
            }
        };
        self.update(&change).await?;
        self.connection.permit.end();
        Ok(())
    }

    /// Renews the Lease until somebody else has it, and resolves then. One that could not be renewed for all its
    /// life may still be this holder's: until that shows, nothing is changed in the cluster.
    pub async fn keep(&self) -> LeaseError {
        let limits = &self.connection.limits;
        let mut backoff = Backoff::new(limits);
        let mut was_alive = true;
        let mut wait = None;
        loop {
            let renewed = *lock(&self.renewed);
            sleep_until(renewed + limits.lease_renewal).await;
            // A journal that was written has renewed it, too.
            if *lock(&self.renewed) != renewed {
                continue;
            }
            match self.renew().await {
                Ok(()) => {
                    if !was_alive {
                        tracing::info!("the Lease is renewed again: nobody had taken it");
                    }
                    was_alive = true;
                    wait = None;
                    backoff = Backoff::new(limits);
                }
                Err(lost @ LeaseError::Lost(_)) => return lost,
                Err(error) if was_alive && !self.is_alive() => {
                    was_alive = false;
                    let wait = wait.insert(self.connection.waits.begin());
                    wait.tell(format_args!("this run's Lease to be renewed: {error}"));
                    let life = limits.lease;
                    tracing::error!(
                        %error,
                        "the Lease could not be renewed for {life:?}: until it is, nothing is changed in the cluster"
                    );
                }
                Err(error) => {
                    tracing::warn!(%error, "the Lease could not be renewed");
                    backoff.pause().await;
                }
            }
        }
    }

    /// Writes the Lease as this holder's, and makes it again where somebody deleted it. Others may
    /// edit what is not theirs; the holder they may not change. `false`: it has no holder any more.
    async fn update(&self, change: &impl Fn(&mut Object)) -> Result<bool, LeaseError> {
        let limits = &self.connection.limits;
        let mut conflicts: Option<Backoff> = None;
        loop {
            let mut object = lock(&self.seen).clone();
            change(&mut object);
            if let Some(spec) = &mut object.spec {
                spec.renew_time = Some(MicroTime((limits.now)()));
            }
            let exists = object.metadata.resource_version.is_some();
            let call = format!("update the Lease {NAME}");
            let sent = Instant::now();
            match put(&self.connection, &self.api, &call, &object).await {
                Ok(object) => {
                    *lock(&self.seen) = object;
                    let mut renewed = lock(&self.renewed);
                    *renewed = sent.max(*renewed);
                    self.connection.permit.extend(*renewed + limits.lease);
                    return Ok(true);
                }
                Err(CallError::Answer { code: 409, .. }) => {}
                Err(error) if exists && error.is_absent() => {}
                Err(error) => return Err(error.into()),
            }
            match &mut conflicts {
                // The first is mostly one with a write of this process.
                None => conflicts = Some(Backoff::new(limits)),
                Some(pauses) => pauses.pause().await,
            }
            let found = get(&self.connection, &self.api).await?;
            let mut seen = lock(&self.seen);
            *seen = found.unwrap_or_else(|| anew(&seen));
            match holder_of(&seen) {
                Some(holder) if holder == self.identity => {}
                None => return Ok(false),
                Some(other) => {
                    self.connection.permit.end();
                    return Err(LeaseError::Lost(format!("{other} has taken it over")));
                }
            }
        }
    }

    fn still_held(&self, held: bool) -> Result<(), LeaseError> {
        if held {
            return Ok(());
        }
        self.connection.permit.end();
        Err(LeaseError::Lost(
            "somebody has taken its holder out".to_owned(),
        ))
    }
}

/// The Lease, if there is one, by one try.
pub(super) async fn get(
    connection: &Connection,
    api: &Api<Object>,
) -> Result<Option<Object>, CallError> {
    let call = format!("get the Lease {NAME}");
    connection.once(&call, api.get_opt(NAME)).await
}

/// Writes the Lease where it is as it was read, and makes one that was not read, by one try.
pub(super) async fn put(
    connection: &Connection,
    api: &Api<Object>,
    call: &str,
    object: &Object,
) -> Result<Object, CallError> {
    let params = PostParams::default();
    if object.metadata.resource_version.is_some() {
        let replace = api.replace(NAME, &params, object);
        connection.once(call, replace).await
    } else {
        connection.once(call, api.create(&params, object)).await
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
