//! Being told to stop: by a signal, by a second one, or by the run's own deadline.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::fault::Fault;
use crate::config::Patience;
use crate::manifest::EndedBy;
use crate::outcome::ExitCode;

/// What is kept of the grace for finishing the archive once the dump was ended.
const RESERVE: Duration = Duration::from_secs(15);

/// What is kept of it once the stop is given up, at most half of it: a stop matters more.
const STOP_RESERVE: Duration = Duration::from_secs(5);

/// That the run is to end, and by when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    /// What the process exits with then.
    pub(super) code: ExitCode,
    /// Why.
    pub(super) by: EndedBy,
    /// When the dump ends, whoever is not in it. A second signal brings it forward.
    pub(super) dump_until: Instant,
    /// When the stop is given up, whoever has not seen it.
    pub(super) stop_until: Instant,
}

/// Where the order is seen.
#[derive(Debug, Clone)]
pub(super) struct Told(watch::Receiver<Option<Order>>);

impl Told {
    /// Listens for signals, each the exit code for it, and to the clock, for as long as the
    /// returned future is polled; it never ends.
    pub(super) fn listen(
        signals: mpsc::Receiver<ExitCode>,
        patience: Patience,
    ) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = watch::channel(None);
        (Self(receiver), listen(signals, patience, sender))
    }

    /// The order, as soon as there is one.
    pub(super) async fn order(&self) -> Order {
        let mut receiver = self.0.clone();
        let order = receiver.wait_for(Option::is_some).await.map(|order| *order);
        match order {
            Ok(Some(order)) => order,
            // Nobody listens any more, so nobody will tell.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Resolves as soon as there is one: what is only worth waiting for is not waited for any more.
    pub(super) async fn hurry(&self) {
        self.order().await;
    }

    /// The order, if there is one.
    pub(super) fn now(&self) -> Option<Order> {
        *self.0.borrow()
    }

    /// Resolves when the stop has to be given up; a second signal does not change that.
    pub(super) async fn stop_is_over(&self) {
        tokio::time::sleep_until(self.order().await.stop_until).await;
    }

    /// Lets something go on that a run needs, but not beyond the time of one that was told to stop.
    ///
    /// # Errors
    /// Its own, or that there is no time.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        tokio::select! {
            done = work => done,
            () = self.stop_is_over() => Err(self.order().await.late()),
        }
    }

    /// Resolves when the dump has to end: when its time is over, at once at a second signal.
    pub(super) async fn dump_is_over(&self) {
        let mut receiver = self.0.clone();
        loop {
            receiver.mark_unchanged();
            let until = self.order().await.dump_until;
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Ok(()) = receiver.changed() => {}
            }
        }
    }
}

impl Order {
    /// Why, for a person.
    pub(super) fn why(&self) -> &'static str {
        if self.by == EndedBy::Deadline {
            "PROFILER_DEADLINE is near"
        } else {
            "told to stop"
        }
    }

    /// The fault of a run that ends before it started anything.
    pub(super) fn fault(&self) -> Fault {
        Fault::new(
            self.code,
            format!("{} before profiling had begun", self.why()),
        )
    }

    /// The fault of a run that has no time to ship.
    pub(super) fn late(&self) -> Fault {
        let message = format!(
            "{}, and the run is not shipped: the pods have their data until the next start, and the \
             next attempt of this run ships it",
            self.why()
        );
        Fault::new(self.code, message)
    }
}

async fn listen(
    mut signals: mpsc::Receiver<ExitCode>,
    patience: Patience,
    sender: watch::Sender<Option<Order>>,
) {
    let deadline = async {
        match patience.deadline {
            Some(deadline) => tokio::time::sleep(deadline.saturating_sub(patience.grace)).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(deadline);
    let mut ordered = false;
    loop {
        let (code, by) = tokio::select! {
            Some(code) = signals.recv() => (code, EndedBy::Signal),
            () = &mut deadline, if !ordered => (ExitCode::Terminated, EndedBy::Deadline),
            else => std::future::pending().await,
        };
        let now = Instant::now();
        sender.send_modify(|order| match order {
            // A second signal abandons the dump, never the stop.
            Some(order) => order.dump_until = now,
            None => {
                let grace = patience.grace;
                *order = Some(Order {
                    code,
                    by,
                    dump_until: now + grace.saturating_sub(RESERVE),
                    stop_until: now + grace - STOP_RESERVE.min(grace / 2),
                });
            }
        });
        match ordered {
            false => tracing::warn!(?by, "told to stop: stopping, then shipping what there is"),
            true => tracing::warn!("told again: the dump ends here"),
        }
        ordered = true;
    }
}
