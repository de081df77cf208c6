//! The lock while it is held: renewed, written to, given up.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease as Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, PostParams};
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
        self.update(move |object| {
            let all = object.metadata.annotations.get_or_insert_default();
            all.extend(annotations.clone());
        })
        .await
    }

    /// Says that its holder lives.
    ///
    /// # Errors
    /// The lock is lost, or the API server failed.
    pub async fn renew(&self) -> Result<(), LockError> {
        self.update(|_| {}).await
    }

    /// Gives it up, and leaves the record or takes it away.
    ///
    /// # Errors
    /// The lock is lost, or the API server failed.
    pub async fn release(&self, keep_record: bool) -> Result<(), LockError> {
        self.update(|object| {
            if let Some(spec) = &mut object.spec {
                spec.holder_identity = None;
            }
            if !keep_record {
                let annotations = object.metadata.annotations.as_mut();
                Record::remove(annotations.unwrap_or(&mut BTreeMap::new()));
            }
        })
        .await
    }

    /// Resolves when the lock is lost; renews it until then.
    pub async fn keep(&self) -> LockError {
        let limits = &self.connection.limits;
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(limits.lease_renewal).await;
            let dies = renewed + limits.lease;
            match tokio::time::timeout_at(dies, self.renew()).await {
                Ok(Ok(())) => renewed = Instant::now(),
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

    /// Writes the Lease as this holder's. Others may edit what is not theirs; the holder they may
    /// not change.
    async fn update(&self, change: impl Fn(&mut Object)) -> Result<(), LockError> {
        let mut held = self.object.lock().await;
        let (call, params) = (format!("update the Lease {NAME}"), PostParams::default());
        loop {
            let mut object = held.clone();
            change(&mut object);
            if let Some(spec) = &mut object.spec {
                spec.renew_time = Some(MicroTime(Timestamp::now()));
            }
            let replace = || self.api.replace(NAME, &params, &object);
            match self.connection.call(&call, replace).await {
                Ok(object) => {
                    *held = object;
                    return Ok(());
                }
                Err(CallError::Answer {
                    code: 409 | 404, ..
                }) => {}
                Err(error) => return Err(error.into()),
            }
            *held = get(&self.connection, &self.api)
                .await?
                .ok_or_else(|| LockError::Lost("somebody deleted it".to_owned()))?;
            match holder(&held) {
                Some(holder) if holder == self.identity => {}
                // A release whose answer was lost.
                None => return Ok(()),
                Some(other) => {
                    return Err(LockError::Lost(format!("{other} has taken it over")));
                }
            }
        }
    }
}
