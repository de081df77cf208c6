//! The lock while it is held: renewed, written to, given up.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease as Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::object::{LockError, NAME, get, holder};
use super::record::Record;
use crate::cluster::call::{CallError, Connection};

/// The lock, held.
#[derive(Debug)]
pub struct Lock {
    pub(super) connection: Connection,
    pub(super) api: Api<Object>,
    pub(super) identity: String,
    pub(super) object: Mutex<Object>,
}

impl Lock {
    /// Writes the record: before what it tells of is done.
    ///
    /// # Errors
    /// The lock is lost, or the API server failed.
    pub async fn write(&self, record: &Record) -> Result<(), LockError> {
        let annotations = record.annotations();
        let written = self.update(move |object| {
            let all = object.metadata.annotations.get_or_insert_default();
            all.extend(annotations.clone());
        });
        still_held(written.await?)
    }

    /// Says that its holder lives.
    ///
    /// # Errors
    /// The lock is lost, or the API server failed.
    pub async fn renew(&self) -> Result<(), LockError> {
        still_held(self.update(|_| {}).await?)
    }

    /// Gives it up, and leaves the record or takes it away.
    ///
    /// # Errors
    /// The lock is lost, or the API server failed.
    pub async fn release(&self, keep_record: bool) -> Result<(), LockError> {
        // Without a holder it is released: by a try whose answer was lost.
        let released = self.update(|object| {
            if let Some(spec) = &mut object.spec {
                spec.holder_identity = None;
            }
            if !keep_record {
                let annotations = object.metadata.annotations.as_mut();
                Record::remove(annotations.unwrap_or(&mut BTreeMap::new()));
            }
        });
        released.await.map(|_| ())
    }

    /// Resolves when the lock is lost; renews it until then.
    pub async fn keep(&self) -> LockError {
        let limits = &self.connection.limits;
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(limits.lease_renewal).await;
            let dies = renewed + limits.lease;
            // Whoever waits for its death counts from when this arrives, not from its answer.
            let asked = Instant::now();
            match tokio::time::timeout_at(dies, self.renew()).await {
                Ok(Ok(())) => renewed = asked,
                Ok(Err(lost @ LockError::Lost(_))) => return lost,
                Ok(Err(error)) => tracing::warn!(%error, "the Lease could not be renewed"),
                Err(_) => {}
            }
            if Instant::now() >= dies {
                let life = limits.lease;
                return LockError::Lost(format!("it could not be renewed for {life:?}"));
            }
        }
    }

    /// Writes the Lease as this holder's, and makes it again where somebody deleted it. Others may
    /// edit what is not theirs; the holder they may not change. `false`: it has no holder any more.
    async fn update(&self, change: impl Fn(&mut Object)) -> Result<bool, LockError> {
        let mut held = self.object.lock().await;
        let (call, params) = (format!("update the Lease {NAME}"), PostParams::default());
        loop {
            let mut object = held.clone();
            change(&mut object);
            if let Some(spec) = &mut object.spec {
                spec.renew_time = Some(MicroTime(Timestamp::now()));
            }
            let there = object.metadata.resource_version.is_some();
            let written = match there {
                true => {
                    let replace = || self.api.replace(NAME, &params, &object);
                    self.connection.call(&call, replace).await
                }
                false => {
                    let create = || self.api.create(&params, &object);
                    self.connection.call(&call, create).await
                }
            };
            match written {
                Ok(object) => {
                    *held = object;
                    return Ok(true);
                }
                Err(CallError::Answer { code: 409, .. }) => {}
                Err(error) if there && error.is_absent() => {}
                Err(error) => return Err(error.into()),
            }
            match get(&self.connection, &self.api).await? {
                Some(object) => *held = object,
                None => *held = anew(&held),
            }
            match holder(&held) {
                Some(holder) if holder == self.identity => {}
                None => return Ok(false),
                Some(other) => {
                    return Err(LockError::Lost(format!("{other} has taken it over")));
                }
            }
        }
    }
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

fn still_held(held: bool) -> Result<(), LockError> {
    let emptied = || LockError::Lost("somebody has taken its holder out".to_owned());
    held.then_some(()).ok_or_else(emptied)
}
