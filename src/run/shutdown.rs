//! The request to stop: a signal, a second signal, or the run's own deadline.
//!
//! It aborts nothing. It ends waits, and sets the times by which the stop and the dump are over.

use std::future::pending;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::hurry::Hurry;
use crate::config::Patience;
use crate::limits::{SHIPPING_RESERVE, STOP_RESERVE, WRITE_LIMIT};
use crate::manifest::EndedBy;
use crate::outcome::ExitCode;

/// What was asked of the run, and the times that follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShutdownRequest {
    /// What the process exits with then.
    pub(super) code: ExitCode,
    /// Why.
    pub(super) by: EndedBy,
    /// When the dump ends, whatever is missing then. A second signal brings it forward.
    pub(super) dump_until: Instant,
    /// When the stop is given up, whichever pods have not seen it.
    pub(super) stop_until: Instant,
}

impl ShutdownRequest {
    /// Why the run ends, for a person.
    pub(super) fn why(&self) -> &'static str {
        if self.by == EndedBy::Deadline {
            "PROFILER_DEADLINE is near"
        } else {
            "told to stop"
        }
    }
}

/// The place where the request is seen, once there is one.
#[derive(Debug, Clone)]
pub(super) struct Shutdown(watch::Receiver<Option<ShutdownRequest>>);

impl Shutdown {
    /// Listens for signals, each the exit code for it, and to the deadline, for as long as the
    /// returned future is polled; that one never ends. Calls to the API server are in a hurry from then on.
    pub(super) fn listen(
        signals: mpsc::Receiver<ExitCode>,
        patience: Patience,
        hurry: Hurry,
    ) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = watch::channel(None);
        (Self(receiver), listen(signals, patience, hurry, sender))
    }

    /// The request, if there is one by now.
    pub(super) fn request(&self) -> Option<ShutdownRequest> {
        *self.0.borrow()
    }

    /// Whether the run was told to stop.
    pub(super) fn is_requested(&self) -> bool {
        self.request().is_some()
    }

    /// Waits for the request.
    pub(super) async fn requested(&self) -> ShutdownRequest {
        let mut receiver = self.0.clone();
        let request = receiver.wait_for(Option::is_some).await;
        match request.map(|request| *request) {
            Ok(Some(request)) => request,
            // Nobody listens any more, so nobody will tell.
            Ok(None) | Err(_) => pending().await,
        }
    }

    /// Resolves when the stop has to be given up; a second signal does not change that.
    pub(super) async fn stop_time_is_over(&self) {
        sleep_until(self.requested().await.stop_until).await;
    }

    /// Resolves when what is undone of a run that was told to stop has had its time: so much of the grace, once the stop
    /// is given up.
    pub(super) async fn reserve_is_over(&self, reserve: Duration) {
        sleep_until(self.requested().await.stop_until + reserve).await;
    }

    /// Resolves when something that can wait has had its share of the time that the stop of a run which was told to
    /// stop has left: one of so many, and a write's time at most.
    pub(super) async fn share_is_over(&self, shares: u32) {
        let until = self.requested().await.stop_until;
        let left = until.saturating_duration_since(Instant::now());
        sleep(WRITE_LIMIT.min(left / shares)).await;
    }

    /// Resolves when the dump has to end: when its time is over, at once at a second signal.
    pub(super) async fn dump_time_is_over(&self) {
        let mut receiver = self.0.clone();
        loop {
            receiver.mark_unchanged();
            let until = self.requested().await.dump_until;
            tokio::select! {
                () = sleep_until(until) => return,
                Ok(()) = receiver.changed() => {}
            }
        }
    }

    /// Does something that the run needs, but not for longer than a run that was told to stop has.
    ///
    /// # Errors
    /// The request, when its time is over first.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, ShutdownRequest> {
        tokio::select! {
            done = work => Ok(done),
            () = self.stop_time_is_over() => Err(self.requested().await),
        }
    }
}

/// Waits for something that ends what is done, and then for a write of the cluster that may be under way: one that is
/// dropped may be made all the same, after this run has looked what there is to put back.
pub(super) async fn and_a_write<T>(over: impl Future<Output = T>) -> T {
    let over = over.await;
    sleep(WRITE_LIMIT).await;
    over
}

async fn listen(
    mut signals: mpsc::Receiver<ExitCode>,
    patience: Patience,
    hurry: Hurry,
    sender: watch::Sender<Option<ShutdownRequest>>,
) {
    let deadline = async {
        match patience.deadline {
            Some(deadline) => sleep(deadline.saturating_sub(patience.grace)).await,
            None => pending().await,
        }
    };
    tokio::pin!(deadline);
    let mut told = 0;
    loop {
        let (code, by) = tokio::select! {
            Some(code) = signals.recv() => (code, EndedBy::Signal),
            () = &mut deadline, if sender.borrow().is_none() => {
                (ExitCode::Terminated, EndedBy::Deadline)
            }
            else => pending().await,
        };
        told += usize::from(by == EndedBy::Signal);
        let now = Instant::now();
        sender.send_if_modified(|request| match request {
            // A second signal abandons the dump, never the stop. The first one after the deadline tells nothing new.
            Some(request) => {
                if told > 1 {
                    request.dump_until = now;
                }
                told > 1
            }
            None => {
                let grace = patience.grace;
                hurry.begin(now + grace);
                *request = Some(ShutdownRequest {
                    code,
                    by,
                    dump_until: now + grace.saturating_sub(SHIPPING_RESERVE),
                    // At most half of the grace: a stop matters more than what comes after it.
                    stop_until: now + grace - STOP_RESERVE.min(grace / 2),
                });
                true
            }
        });
        if told > 1 {
            tracing::warn!("told again: the dump ends here");
        } else {
            tracing::warn!(?by, "told to stop: stopping, then shipping what there is");
        }
    }
}
