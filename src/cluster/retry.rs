//! Loops that wait: the pauses between their tries, and asking until an answer comes.

use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
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

/// The pauses between the tries of one call.
pub fn pauses(limits: &Limits) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(limits.first_pause)
        .with_max_delay(limits.longest_pause)
        .with_max_times(limits.tries - 1)
        .with_jitter()
}

/// Tries again after errors that may pass: as often as one call is tried, and then for as long as `patience`
/// goes.
///
/// # Errors
/// The last try's error.
pub async fn tries<T, E: Display, F>(
    limits: &Limits,
    patience: Duration,
    may_pass: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + patience;
    let mut pauses = pauses(limits).build();
    loop {
        let error = match attempt().await {
            Err(error) if may_pass(&error) => error,
            done => return done,
        };
        let pause = match pauses.next() {
            Some(pause) => {
                tracing::debug!(%error, ?pause, "trying again");
                pause
            }
            None if Instant::now() < end => {
                let pause = limits.longest_pause;
                tracing::warn!(%error, ?pause, "waiting for the API server");
                pause
            }
            None => return Err(error),
        };
        tokio::time::sleep(pause).await;
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
