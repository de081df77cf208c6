//! The hurry of a process that was told to stop: no call may take all the time that it has left.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::limits::{HURRIED_TRIES, SHORTEST_TRY};

/// Until when a process has to have ended, once it is told to stop. Clones share it.
#[derive(Debug, Clone)]
pub struct Hurry(watch::Sender<Option<Instant>>);

impl Hurry {
    /// That of a process that nobody has told to stop.
    pub fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Begins it: the process will be killed then.
    pub fn begin(&self, until: Instant) {
        self.0.send_replace(Some(until));
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Resolves when a call that begins now, and is not answered, has to make room for another try: after one of so
    /// many parts of the time that is left when the process is told to stop, or now if it was told before.
    pub async fn try_is_over(&self) {
        let mut receiver = self.0.subscribe();
        let told = receiver.wait_for(Option::is_some).await;
        let Ok(Some(until)) = told.map(|until| *until) else {
            // Nobody can tell any more.
            return pending().await;
        };
        sleep(length_of_try(
            until.saturating_duration_since(Instant::now()),
        ))
        .await;
    }
}

impl Default for Hurry {
    fn default() -> Self {
        Self::new()
    }
}

/// How long one try may take of the time that is left.
fn length_of_try(left: Duration) -> Duration {
    SHORTEST_TRY.max(left / HURRIED_TRIES)
}
