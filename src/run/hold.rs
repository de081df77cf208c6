//! The cluster's lock while the run has it, and the record that lies in it.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;

use super::fault::Fault;
use crate::cluster::lease::{HeldLease, Journal, LeaseError, Stage};

/// The lock, once there is one.
#[derive(Debug)]
pub(super) struct Hold {
    held: Mutex<Option<Held>>,
    lost: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct Held {
    lock: Arc<HeldLease>,
    record: Journal,
    renewing: AbortHandle,
}

impl Hold {
    pub(super) fn new() -> Self {
        Self {
            held: Mutex::new(None),
            lost: watch::channel(None).0,
        }
    }

    /// Keeps a lock, whose Lease is renewed from now on.
    pub(super) async fn keep(&self, lock: HeldLease, record: Journal) {
        let lock = Arc::new(lock);
        let renewing = tokio::spawn({
            let (lock, lost) = (Arc::clone(&lock), self.lost.clone());
            async move { drop(lost.send_replace(Some(lock.keep().await.to_string()))) }
        });
        *self.held.lock().await = Some(Held {
            lock,
            record,
            renewing: renewing.abort_handle(),
        });
    }

    /// Resolves when the lock is lost, with the reason.
    pub(super) async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Whether the lock is held, so that nobody else can be at this run.
    pub(super) async fn is_held(&self) -> bool {
        self.held.lock().await.is_some() && self.lost.borrow().is_none()
    }

    /// The record, while the lock is held.
    pub(super) async fn record(&self) -> Option<Journal> {
        let held = self.held.lock().await;
        held.as_ref().map(|held| held.record.clone())
    }

    /// Changes the record, where others see it: before what it tells of is done.
    ///
    /// # Errors
    /// The lock is lost, or the API server failed: then it must not be done.
    pub(super) async fn note(&self, change: impl FnOnce(&mut Journal)) -> Result<(), Fault> {
        let mut held = self.held.lock().await;
        let Some(held) = held.as_mut() else {
            return Ok(());
        };
        let mut changed = held.record.clone();
        change(&mut changed);
        if changed != held.record {
            let written = held.lock.write(&changed).await;
            if let Err(lost @ LeaseError::Lost(_)) = &written {
                self.lost.send_replace(Some(lost.to_string()));
            }
            written?;
            held.record = changed;
        }
        Ok(())
    }

    /// Notes that no pod profiles any more, if one did.
    ///
    /// # Errors
    /// As of [`Self::note`].
    pub(super) async fn note_stopped(&self) -> Result<(), Fault> {
        self.note(|record| {
            if record.stage == Stage::Started {
                // Of a window whose regular end nobody saw, this is the end.
                record.stopped.get_or_insert_with(Timestamp::now);
                record.stage = Stage::Stopped;
            }
        })
        .await
    }

    /// Notes that no pod profiles, and that none has profiled anything worth keeping.
    ///
    /// # Errors
    /// As of [`Self::note`].
    pub(super) async fn note_cancelled(&self) -> Result<(), Fault> {
        self.note(|record| {
            let gate = std::mem::take(&mut record.changes);
            *record = Journal::new(record.run_id.clone());
            record.changes = gate;
        })
        .await
    }

    /// Gives the lock up, and leaves the record there or takes it away.
    pub(super) async fn release(&self, keep_record: bool) -> Result<(), LeaseError> {
        match self.held.lock().await.take() {
            Some(held) => {
                held.renewing.abort();
                held.lock.release(keep_record).await
            }
            None => Ok(()),
        }
    }
}
