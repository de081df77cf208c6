//! The lock: one Lease in KubeVirt's install namespace, for two profilers in one cluster clear each
//! other's data. Its holder's record lies in it, for whoever comes after a holder that died.
//! <https://kubernetes.io/docs/concepts/architecture/leases/>

mod lock;
mod object;
mod record;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease as Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::call::{CallError, Connection};
use crate::limits::LEASE_LOOKS;
pub use lock::Lock;
pub use object::{LockError, NAME};
use object::{api, get, holder};
pub use record::{Record, Stage, StartedPod};

/// What taking the lock brought.
#[derive(Debug)]
pub struct Acquired {
    /// The lock.
    pub lock: Lock,
    /// What its last holder left.
    pub left: Option<Record>,
    /// Whether there was a holder to wait for: much may have changed since.
    pub waited: bool,
}

/// The record that lies there, whoever's it is.
///
/// # Errors
/// The API server failed.
pub async fn peek(connection: &Connection, namespace: &str) -> Result<Option<Record>, CallError> {
    let object = get(connection, &api(connection, namespace)).await?;
    Ok(object.as_ref().and_then(record))
}

/// Waits for the lock until then. A holder is dead once the Lease has not changed for as long as it
/// lives, by this process's own clock. What the last holder left comes beside the lock.
///
/// # Errors
/// A live holder keeps it, or the API server failed.
pub async fn acquire(
    connection: &Connection,
    namespace: &str,
    run_id: &str,
    until: Instant,
) -> Result<Acquired, LockError> {
    let api = api(connection, namespace);
    let identity = format!("{run_id}/{:08x}", fastrand::u32(..));
    let pause = connection.limits.lease / LEASE_LOOKS;
    let mut seen: Option<(Option<String>, Instant)> = None;
    let mut told: Option<String> = None;
    loop {
        let object = get(connection, &api).await?;
        if let Some((object, holder)) = object.as_ref().and_then(|o| Some((o, holder(o)?))) {
            let version = object.metadata.resource_version.clone();
            let since = match &seen {
                Some((same, since)) if *same == version => *since,
                _ => seen.insert((version, Instant::now())).1,
            };
            if told.as_deref() != Some(holder) {
                tracing::info!(holder, "waiting for the run that holds the Lease");
                told = Some(holder.to_owned());
            }
            if since.elapsed() < life(object, connection) {
                if Instant::now() >= until {
                    return Err(held(object, holder, namespace));
                }
                tokio::time::sleep(pause).await;
                continue;
            }
            tracing::warn!(holder, "its holder is dead: taking the Lease over");
        }
        let left = object.as_ref().and_then(record);
        if let Some(object) = take(connection, &api, &identity, object).await? {
            let lock = Lock {
                connection: connection.clone(),
                api,
                identity,
                object: Mutex::new(object),
            };
            return Ok(Acquired {
                lock,
                left,
                waited: seen.is_some(),
            });
        }
    }
}

fn record(object: &Object) -> Option<Record> {
    Record::of(object.metadata.annotations.as_ref()?)
}

fn life(object: &Object, connection: &Connection) -> std::time::Duration {
    let seconds = object
        .spec
        .as_ref()
        .and_then(|spec| spec.lease_duration_seconds);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(connection.limits.lease, std::time::Duration::from_secs)
}

fn held(object: &Object, holder: &str, namespace: &str) -> LockError {
    let acquired = object
        .spec
        .as_ref()
        .and_then(|spec| spec.acquire_time.as_ref());
    LockError::Held {
        holder: holder.split('/').next().unwrap_or(holder).to_owned(),
        since: acquired.map(|time| format!("{:.0}", time.0)),
        namespace: namespace.to_owned(),
    }
}

/// Writes this holder into the Lease; `None` if somebody else wrote first.
async fn take(
    connection: &Connection,
    api: &Api<Object>,
    identity: &str,
    object: Option<Object>,
) -> Result<Option<Object>, CallError> {
    let (now, params) = (MicroTime(Timestamp::now()), PostParams::default());
    let there = object.is_some();
    let mut object = object.unwrap_or_else(|| Object {
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
    spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + i32::from(there));
    let call = format!("take the Lease {NAME}");
    // A try whose answer was lost is a conflict with itself: whoever holds it is looked at anew.
    let taken = match there {
        true => {
            connection
                .call(&call, || api.replace(NAME, &params, &object))
                .await
        }
        false => {
            connection
                .call(&call, || api.create(&params, &object))
                .await
        }
    };
    match taken {
        Ok(object) => Ok(Some(object)),
        Err(CallError::Answer { code: 409, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
