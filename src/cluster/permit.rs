//! The permission to change something in the cluster: for as long as the Lease that a process holds is
//! alive, by this process's own clock.

use std::future::{Future, pending};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// The reason that a change was not made, or was given up half way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// The Lease is older than its life, and was not renewed for all the time that was waited.
    #[error("not sent, for this run's Lease is older than its life and cannot be renewed")]
    Before,
    /// The Lease died before the answer came.
    #[error("given up, for this run's Lease grew older than its life meanwhile")]
    Meanwhile,
}

/// Whether this process may change something now. Clones share it.
#[derive(Debug, Clone)]
pub struct WritePermit(watch::Sender<Term>);

/// How long the permission lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Term {
    /// No Lease is held whose life would limit it.
    Open,
    /// As long as the Lease lives.
    Until(Instant),
    /// The Lease is given up, or is somebody else's.
    Over,
}

impl WritePermit {
    /// The permission of a process that holds no Lease yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(Term::Open))
    }

    /// Has it last until then, for the Lease was renewed. It is never made shorter.
    pub fn extend(&self, until: Instant) {
        self.0.send_if_modified(|term| {
            let longer = match *term {
                Term::Open => true,
                Term::Until(before) => until > before,
                Term::Over => false,
            };
            if longer {
                *term = Term::Until(until);
            }
            longer
        });
    }

    /// Ends it for good.
    pub fn end(&self) {
        self.0.send_replace(Term::Over);
    }

    /// Whether something may be changed now.
    pub fn is_granted(&self) -> bool {
        match *self.0.borrow() {
            Term::Open => true,
            Term::Until(until) => Instant::now() < until,
            Term::Over => false,
        }
    }

    /// Makes a change once it is permitted, which is waited for that long, and only for as long as it is.
    ///
    /// # Errors
    /// It was not permitted, or not any more.
    pub async fn during<T>(
        &self,
        patience: Duration,
        change: impl Future<Output = T>,
    ) -> Result<T, NotPermitted> {
        if timeout(patience, self.granted()).await.is_err() {
            return Err(NotPermitted::Before);
        }
        tokio::select! {
            done = change => Ok(done),
            () = self.over() => Err(NotPermitted::Meanwhile),
        }
    }

    async fn granted(&self) {
        let mut terms = self.0.subscribe();
        while !self.is_granted() && terms.changed().await.is_ok() {}
    }

    async fn over(&self) {
        let mut terms = self.0.subscribe();
        while self.is_granted() {
            let term = *terms.borrow_and_update();
            let over = async {
                match term {
                    Term::Open => pending().await,
                    Term::Until(until) => sleep_until(until).await,
                    Term::Over => {}
                }
            };
            tokio::select! {
                () = over => {}
                _ = terms.changed() => {}
            }
        }
    }
}

impl Default for WritePermit {
    fn default() -> Self {
        Self::new()
    }
}
