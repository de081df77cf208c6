//! The watch: a task for each of the two kinds, which goes on whatever breaks.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::WatchEvent;
use tokio::sync::watch;
use tokio::time::timeout;

use super::api::{self, Kind, Object, Scope};
use super::table::Table;
use crate::cluster::call::{CallError, Connection};
use crate::cluster::retry::Backoff;
use crate::errors::{chain, lock};
use crate::limits::{VM_LISTINGS, VM_LISTS, VM_SILENCE, VM_WATCH};

/// What the tasks share.
#[derive(Debug, Clone)]
pub(super) struct Following {
    connection: Connection,
    scope: Scope,
    table: Arc<Mutex<Table>>,
    /// How many are Running; `None` until the first LIST is over.
    pub(super) running: watch::Sender<Option<usize>>,
    /// The revision that the watch of instances has read.
    seen: watch::Sender<u64>,
}

impl Following {
    /// What is to be followed, and nothing known of it.
    pub(super) fn new(connection: &Connection, scope: &Scope, since: Timestamp) -> Self {
        Self {
            connection: connection.clone(),
            scope: scope.clone(),
            table: Arc::new(Mutex::new(Table::new(since))),
            running: watch::Sender::new(None),
            seen: watch::Sender::new(0),
        }
    }

    /// What is known by now.
    pub(super) fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// The table, for whoever is the last to need it.
    pub(super) fn take(&self) -> Table {
        std::mem::replace(&mut *self.table(), Table::new(Timestamp::UNIX_EPOCH))
    }

    /// Waits until the watch of instances has read what there is now, is silent, or does not go on.
    pub(super) async fn catch_up(&self) {
        let Ok(now) = api::current_revision(&self.connection, &self.scope).await else {
            return;
        };
        let Ok(now) = now.parse::<u64>() else { return };
        let mut seen = self.seen.subscribe();
        while self.table().broken.is_none() && *seen.borrow_and_update() < now {
            if !matches!(timeout(VM_SILENCE, seen.changed()).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// Lists once more what there is, unless `given_up` resolves before.
    pub(super) async fn list_at_last(&self, given_up: impl Future<Output = ()>) {
        let lists = async {
            for kind in [Kind::Machine, Kind::Instance] {
                if kind == Kind::Machine && !self.table().has_machines {
                    continue;
                }
                match self.list(kind).await {
                    Ok(_) => {}
                    Err(error) if kind == Kind::Machine && is_withheld(&error) => self.withhold(),
                    Err(error) => self.table().miss(format!(
                        "the LIST after the window failed, so what happened last may be missing: {error}"
                    )),
                }
            }
        };
        let why = tokio::select! {
            listed = timeout(VM_LISTS, lists) => match listed {
                Ok(()) => return,
                Err(_) => "it took too long",
            },
            () = given_up => "the run was told to stop",
        };
        self.table().miss(format!(
            "there was no LIST after the window, for {why}: what happened last may be missing"
        ));
    }

    /// Follows one kind for as long as it is polled.
    pub(super) async fn follow(&self, kind: Kind) {
        let mut backoff = Backoff::new(&self.connection.limits);
        let mut revision: Option<String> = None;
        let mut has_listed = false;
        loop {
            let known = revision.clone();
            let result = match &mut revision {
                Some(revision) => self.watch(kind, revision).await,
                none => match self.list(kind).await {
                    Ok(listed) => {
                        if has_listed {
                            self.note_gap(kind);
                        }
                        has_listed = true;
                        *none = Some(listed);
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
            };
            match result {
                Ok(()) if known.is_none() => {}
                Ok(()) if revision != known => backoff = Backoff::new(&self.connection.limits),
                // A server that ends each watch at once is not asked as fast as it answers.
                Ok(()) => backoff.pause().await,
                Err(error) if kind == Kind::Machine && is_withheld(&error) && !has_listed => {
                    return self.withhold();
                }
                Err(CallError::Answer { code: 410, .. }) => {
                    if revision.take() == known {
                        backoff.pause().await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, pause = ?backoff.next_pause(), "watching {} again", kind.plural());
                    if kind == Kind::Instance {
                        self.table().broken = Some(error.to_string());
                    }
                    if has_listed {
                        self.tell_running(kind);
                    }
                    backoff.pause().await;
                }
            }
        }
    }

    /// Notes that the watch was behind what the API server remembers.
    fn note_gap(&self, kind: Kind) {
        tracing::warn!(
            "listed {} anew, for the watch was too far behind",
            kind.plural()
        );
        self.table().miss(format!(
            "the watch of {} broke, and the API server no longer knew what came after (410): one that came and went \
             in between is not counted, and times of one that was deleted in between may be missing",
            kind.plural()
        ));
    }

    /// Notes that machines cannot be read.
    fn withhold(&self) {
        let mut table = self.table();
        table.has_machines = false;
        table.miss(
            "virtualmachines cannot be listed: there is no VMReady and no VMICreated, and all latencies count from \
             the creation of the VMI",
        );
    }

    /// Lists what there is, and gives the revision to watch from. A list whose token goes stale begins anew: what its
    /// first pages had may be gone by now.
    async fn list(&self, kind: Kind) -> Result<String, CallError> {
        let mut listing = 1;
        let revision = loop {
            self.table().begin_list(kind);
            let each = |object: &Object| self.table().note(kind, object);
            match api::list_once(&self.connection, kind, &self.scope, each).await {
                Err(CallError::Answer { code: 410, .. }) if listing < VM_LISTINGS => listing += 1,
                listed => break listed?,
            }
        };
        self.table().end_list(kind);
        self.note_seen(kind, &revision);
        self.tell_running(kind);
        Ok(revision)
    }

    /// Notes the revision up to which everything is known.
    fn note_seen(&self, kind: Kind, revision: &str) {
        if kind == Kind::Instance {
            self.seen.send_replace(revision.parse().unwrap_or_default());
        }
    }

    /// Watches until the stream ends; the revision follows what came.
    async fn watch(&self, kind: Kind, revision: &mut String) -> Result<(), CallError> {
        let events = api::watch(&self.connection, kind, &self.scope, revision).await?;
        let mut events = std::pin::pin!(events);
        if kind == Kind::Instance {
            self.table().broken = None;
        }
        let call = format!("watch {}", kind.plural());
        let idle = VM_WATCH + self.connection.limits.idle;
        loop {
            let event = match timeout(idle, events.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(error))) => return Err(broken(&call, chain(&error))),
                Err(_) => return Err(broken(&call, format!("nothing within {idle:?}"))),
            };
            let (object, is_deleted) = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
                WatchEvent::Deleted(object) => (object, true),
                WatchEvent::Bookmark(bookmark) => {
                    *revision = bookmark.metadata.resource_version;
                    self.note_seen(kind, revision);
                    continue;
                }
                WatchEvent::Error(status) => {
                    return Err(CallError::Answer {
                        call,
                        code: status.code,
                        message: status.message,
                        status: true,
                        continue_token: None,
                    });
                }
            };
            object.revision().clone_into(revision);
            self.note_seen(kind, revision);
            if is_deleted {
                self.table().note_deleted(kind, &object);
            } else {
                self.table().note(kind, &object);
            }
            self.tell_running(kind);
        }
    }

    fn tell_running(&self, kind: Kind) {
        if kind == Kind::Instance {
            let now = Some(self.table().running());
            self.running.send_if_modified(|told| {
                let is_new = *told != now;
                *told = now;
                is_new
            });
        }
    }
}

fn broken(call: &str, detail: String) -> CallError {
    CallError::Transport {
        call: call.to_owned(),
        detail,
    }
}

/// Whether objects of a kind cannot be read: there is no right, or no such kind.
fn is_withheld(error: &CallError) -> bool {
    error.is_denied() || error.is_absent()
}
