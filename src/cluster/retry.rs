//! Loops that wait: the pauses between their tries, and asking until an answer comes.

use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// The pauses between the tries of one loop: `first_pause`, then each twice as long as the one before,
/// up to `longest_pause`.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// The pauses of a loop that begins.
    pub fn new(limits: &Limits) -> Self {
        Self {
            next: limits.first_pause,
            longest: limits.longest_pause,
        }
    }

    /// How long the next pause is.
    pub fn next_pause(&self) -> Duration {
        self.next
    }

    /// Waits for the next pause.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.step()).await;
    }

    /// Waits for the next pause, but not beyond `end`.
    pub async fn pause_until(&mut self, end: Instant) {
        let pause = self.step();
        tokio::time::sleep_until(end.min(Instant::now() + pause)).await;
    }

    fn step(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }
}

/// Asks until an answer comes, with growing pauses in between. `None`: there is none at `end`.
///
/// # Errors
/// The first error of the question.
pub async fn poll_until<T, E, F>(
    limits: &Limits,
    end: Instant,
    mut ask: impl FnMut() -> F,
) -> Result<Option<T>, E>
where
    F: Future<Output = Result<Option<T>, E>>,
{
    let mut backoff = Backoff::new(limits);
    loop {
        if let Some(answer) = ask().await? {
            return Ok(Some(answer));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        backoff.pause().await;
    }
}

/// Tries again after errors that may pass, with growing pauses in between, until `given_up` resolves.
///
/// # Errors
/// The last error; `None` if no try had come to its end by then.
pub async fn persist<T, E: Display, F>(
    limits: &Limits,
    given_up: impl Future<Output = ()>,
    may_pass: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Option<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut given_up = pin!(given_up);
    let mut backoff = Backoff::new(limits);
    let mut last = None;
    loop {
        let tried = tokio::select! {
            tried = attempt() => tried,
            () = &mut given_up => return Err(last),
        };
        match tried {
            Ok(done) => return Ok(done),
            Err(error) if !may_pass(&error) => return Err(Some(error)),
            Err(error) => {
                let pause = backoff.next_pause();
                tracing::warn!(%error, ?pause, "trying again");
                last = Some(error);
            }
        }
        tokio::select! {
            () = backoff.pause() => {}
            () = &mut given_up => return Err(last),
        }
    }
}
