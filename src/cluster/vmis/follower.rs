//! The machines and instances that are followed: from before the start of a window until after its stop.

use futures::FutureExt;
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::api::{Kind, Scope};
use super::following::Following;
use super::table::Table;
use crate::cluster::call::Connection;
use crate::limits::VM_LISTS;

/// The machines and instances that are followed, until this is dropped.
#[derive(Debug)]
pub struct Follower {
    following: Following,
    tasks: Vec<JoinHandle<()>>,
}

impl Follower {
    /// Begins to follow, for a window that is to open.
    pub fn begin(connection: &Connection, scope: &Scope, now: Timestamp) -> Self {
        let following = Following::new(connection, scope, now);
        let tasks = [Kind::Machine, Kind::Instance].map(|kind| {
            let following = following.clone();
            tokio::spawn(async move { following.follow(kind).await })
        });
        Self {
            following,
            tasks: tasks.into(),
        }
    }

    /// Waits for the first LIST of instances, for so long at most.
    pub async fn first_list(&self) {
        let mut running = self.following.running.subscribe();
        let _ = timeout(VM_LISTS, running.wait_for(Option::is_some)).await;
    }

    /// Notes that the window opens now.
    pub fn open_window(&self) {
        self.following.table().open();
    }

    /// How many instances are Running now.
    pub fn running(&self) -> usize {
        self.following.table().running()
    }

    /// Waits until so many instances are Running, and tells of each change on the way.
    pub async fn until_running(&self, wanted: usize, mut tell: impl FnMut(usize)) {
        let mut running = self.following.running.subscribe();
        let reached = running.wait_for(|now| {
            let now = now.unwrap_or_default();
            tell(now);
            now >= wanted
        });
        if reached.await.is_err() {
            std::future::pending().await
        }
    }

    /// Reads the watch to its end, and lists once more what there is, unless `given_up` resolves before.
    pub async fn finish(mut self, given_up: impl Future<Output = ()>) -> Table {
        let given_up = given_up.shared();
        tokio::select! {
            caught_up = timeout(VM_LISTS, self.following.catch_up()) => if caught_up.is_err() {
                self.following.table().miss(
                    "the watch was still behind long after the window: one that was deleted is not known",
                );
            },
            () = given_up.clone() => {}
        }
        for task in self.tasks.drain(..) {
            task.abort();
            // Its end is waited for: until then it may still write.
            let _ = task.await;
        }
        let broken = self.following.table().broken.take();
        if let Some(error) = broken {
            self.following.table().miss(format!(
                "the watch of virtualmachineinstances was broken when the window ended, and one that was deleted since \
                 is not known: {error}"
            ));
        }
        self.following.list_at_last(given_up).await;
        self.following.take()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Table {
    /// What a LIST alone tells, of a window that nobody watched.
    pub async fn listed(
        connection: &Connection,
        scope: &Scope,
        since: Timestamp,
        given_up: impl Future<Output = ()>,
    ) -> Self {
        let following = Following::new(connection, scope, since);
        following.table().open_unseen();
        following.list_at_last(given_up).await;
        following.take()
    }
}
