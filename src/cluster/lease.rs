//! The lock: one Lease in KubeVirt's install namespace, for two profilers in one cluster clear each
//! other's data. Its holder's journal lies in it, for whoever comes after a holder that died.
//! <https://kubernetes.io/docs/concepts/architecture/leases/>

mod held;
mod journal;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease as Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta};
use tokio::time::Instant;

use super::call::{CallError, Connection};
use super::retry::{self, Backoff};
use crate::limits::{LEASE_LOOKS, LEASE_TRIES};
pub use held::{HeldLease, LeaseError, NAME};
use held::{get, holder_of, put};
pub use journal::{Journal, Stage, StartedPod};

/// The Lease once it is taken, and what was found in it.
#[derive(Debug)]
pub struct Acquired {
    /// The Lease, held.
    pub lease: HeldLease,
    /// The journal of its last holder.
    pub left: Option<Journal>,
    /// Whether there was a holder to wait for: much may have changed since.
    pub waited: bool,
}

/// The journal in the Lease, whoever's it is.
///
/// # Errors
/// The API server failed.
pub async fn peek(connection: &Connection, namespace: &str) -> Result<Option<Journal>, CallError> {
    let api = leases(connection, namespace);
    let object = look(connection, &api, Duration::ZERO).await?;
    Ok(object.as_ref().and_then(journal_of))
}

/// Waits for the Lease until then. A holder is dead once the Lease has not changed for as long as it
/// lives, by this process's own clock. What the last holder left comes beside the Lease: that may be pods that
/// profile, so an API server that is away is waited for.
///
/// # Errors
/// A live holder keeps it, or the API server failed.
pub async fn acquire(
    connection: &Connection,
    namespace: &str,
    run_id: &str,
    until: Instant,
) -> Result<Acquired, LeaseError> {
    let connection = &own_sockets(connection);
    let api = leases(connection, namespace);
    let identity = format!("{run_id}/{:08x}", fastrand::u32(..));
    let pause = connection.limits.lease / LEASE_LOOKS;
    let mut seen: Option<(Option<String>, Instant)> = None;
    let mut named: Option<String> = None;
    let mut sent = Instant::now();
    let wait = connection.waits.begin();
    let mut conflicts = Backoff::new(&connection.limits);
    loop {
        let object = look(connection, &api, connection.limits.outage).await?;
        // Its own holder took it by a try whose answer was lost.
        let is_own = |object: &Object| holder_of(object) == Some(&identity);
        let other = object.as_ref().filter(|object| !is_own(object));
        if let Some((object, holder)) = other.and_then(|o| Some((o, holder_of(o)?))) {
            let version = object.metadata.resource_version.clone();
            let since = match &seen {
                Some((same, since)) if *same == version => *since,
                _ => seen.insert((version, Instant::now())).1,
            };
            if named.as_deref() != Some(holder) {
                tracing::info!(holder, "waiting for the run that holds the Lease");
                named = Some(holder.to_owned());
            }
            wait.tell(held_for(object, holder));
            if since.elapsed() < life(object, connection) {
                if Instant::now() >= until {
                    return Err(held_by_another(object, holder, namespace));
                }
                tokio::time::sleep(pause).await;
                continue;
            }
            tracing::warn!(holder, "its holder is dead: taking the Lease over");
        }
        let left = object.as_ref().and_then(journal_of);
        let taken = if object.as_ref().is_some_and(is_own) {
            object
        } else {
            take(connection, &api, &identity, object, &mut sent).await?
        };
        if let Some(object) = taken {
            let lease = HeldLease::new(connection.clone(), api, identity, object, sent);
            return Ok(Acquired {
                lease,
                left,
                waited: seen.is_some(),
            });
        }
        conflicts.pause().await;
    }
}

/// The connection for calls about the Lease. Each has a socket of its own and a small part of the Lease's life,
/// so that one that is never answered keeps neither the next from being sent nor the Lease from being
/// renewed.
fn own_sockets(connection: &Connection) -> Connection {
    connection.lone(connection.limits.lease / LEASE_TRIES)
}

/// The API of the Leases in a namespace.
fn leases(connection: &Connection, namespace: &str) -> Api<Object> {
    Api::namespaced(connection.client(), namespace)
}

/// The Lease, if there is one, by as many tries as a call has, and then for as long as `patience` goes.
async fn look(
    connection: &Connection,
    api: &Api<Object>,
    patience: Duration,
) -> Result<Option<Object>, CallError> {
    let Connection { limits, waits, .. } = connection;
    let tries = || get(connection, api);
    retry::tries(limits, waits, patience, CallError::outlook, tries).await
}

fn journal_of(object: &Object) -> Option<Journal> {
    Journal::of(object.metadata.annotations.as_ref()?)
}

fn life(object: &Object, connection: &Connection) -> Duration {
    let spec = object.spec.as_ref();
    let seconds = spec
        .and_then(|spec| spec.lease_duration_seconds)
        .and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(connection.limits.lease, Duration::from_secs)
}

fn held_by_another(object: &Object, holder: &str, namespace: &str) -> LeaseError {
    LeaseError::Held {
        holder: run_of(holder).to_owned(),
        since: since(object),
        namespace: namespace.to_owned(),
    }
}

/// Whom a run waits for that waits for the Lease.
fn held_for(object: &Object, holder: &str) -> String {
    let run = run_of(holder);
    let since = since(object).map(|since| format!(" since {since}"));
    format!(
        "the run {run}, which holds the Lease {NAME}{}",
        since.unwrap_or_default()
    )
}

/// The run that an identity is of.
fn run_of(holder: &str) -> &str {
    holder.split('/').next().unwrap_or(holder)
}

/// The time at which the holder took it.
fn since(object: &Object) -> Option<String> {
    let acquired = object.spec.as_ref()?.acquire_time.as_ref()?;
    Some(format!("{:.0}", acquired.0))
}

/// Writes this holder into the Lease, which is made if there is none; `None` if somebody else wrote
/// first. An API server that is away is waited for. When the last try was sent is noted in `sent`.
async fn take(
    connection: &Connection,
    api: &Api<Object>,
    identity: &str,
    found: Option<Object>,
    sent: &mut Instant,
) -> Result<Option<Object>, CallError> {
    let now = MicroTime((connection.limits.now)());
    let transition = i32::from(found.is_some());
    let mut object = found.unwrap_or_else(|| Object {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            ..ObjectMeta::default()
        },
        spec: None,
    });
    let spec = object.spec.get_or_insert_default();
    spec.holder_identity = Some(identity.to_owned());
    spec.lease_duration_seconds = i32::try_from(connection.limits.lease.as_secs().max(1)).ok();
    spec.acquire_time = Some(now.clone());
    spec.renew_time = Some(now);
    spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + transition);
    let call = format!("take the Lease {NAME}");
    // A try whose answer was lost is a conflict with itself: who holds it is looked at anew.
    let take_once = || {
        *sent = Instant::now();
        async {
            match put(connection, api, &call, &object).await {
                Ok(object) => Ok(Some(object)),
                Err(CallError::Answer { code: 409, .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }
    };
    let Connection { limits, waits, .. } = connection;
    retry::tries(limits, waits, limits.outage, CallError::outlook, take_once).await
}
