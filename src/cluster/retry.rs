//! Loops that wait: the pauses between their tries, asking until an answer comes, and what they wait for.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use crate::errors::lock;
use crate::limits::{Limits, SHOWN_WAITS};

/// What the loops of this process wait for now, for a person who asks why it takes so long. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<BTreeMap<u64, String>>>);

/// One loop that waits, or may have to. What it waits for is forgotten when it is dropped.
#[derive(Debug)]
pub struct Wait {
    waits: Waits,
    number: u64,
}

impl Waits {
    /// Begins a loop, which waits for nothing until it tells.
    pub fn begin(&self) -> Wait {
        let mut told = self.lock();
        let number = told.last_key_value().map_or(0, |(last, _)| last + 1);
        told.insert(number, String::new());
        let waits = self.clone();
        Wait { waits, number }
    }

    /// What is waited for, as what follows "waiting for"; `None` where nothing is.
    pub fn now(&self) -> Option<String> {
        let told = self.lock();
        let mut shown: Vec<&str> = Vec::new();
        for what in told.values() {
            if !what.is_empty() && !shown.contains(&&**what) && shown.len() < SHOWN_WAITS {
                shown.push(what);
            }
        }
        (!shown.is_empty()).then(|| shown.join("; and for "))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        lock(&self.0)
    }
}

impl Wait {
    /// Tells what is waited for, as what follows "waiting for".
    pub fn tell(&self, what: impl Display) {
        self.waits.lock().insert(self.number, what.to_string());
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.waits.lock().remove(&self.number);
    }
}

/// What an error says of the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It may succeed.
    MayPass,
    /// The server refuses it. A server says so for a moment, too, whose rules, caches or webhooks are not there
    /// yet: where much is at stake, a refusal is believed when it is repeated.
    Refused,
    /// It would fail again.
    Final,
}

/// The refusals that one loop has met. A refusal is believed when it was repeated as often as one call is tried,
/// whatever else was met in between.
#[derive(Debug)]
pub struct Doubt {
    refusals: usize,
    believed_at: usize,
}

impl Doubt {
    /// The doubt of a loop that begins.
    pub fn new(limits: &Limits) -> Self {
        Self {
            refusals: 0,
            believed_at: limits.tries,
        }
    }

    /// Takes note of an error with this outlook, and tells whether another try may succeed.
    pub fn may_pass(&mut self, outlook: Outlook) -> bool {
        match outlook {
            Outlook::MayPass => true,
            Outlook::Refused => {
                self.refusals += 1;
                self.refusals < self.believed_at
            }
            Outlook::Final => false,
        }
    }
}

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
/// goes. With patience refusals are doubted.
///
/// # Errors
/// The last try's error.
pub async fn tries<T, E: Display, F>(
    limits: &Limits,
    waits: &Waits,
    patience: Duration,
    outlook: impl Fn(&E) -> Outlook,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + patience;
    let mut doubt = Doubt::new(limits);
    let mut pauses = pauses(limits).build();
    let wait = waits.begin();
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let outlook = outlook(&error);
        let may_pass = if patience.is_zero() {
            outlook == Outlook::MayPass
        } else {
            doubt.may_pass(outlook)
        };
        let pause = match pauses.next() {
            Some(pause) if may_pass => {
                tracing::debug!(%error, ?pause, "trying again");
                pause
            }
            None if may_pass && Instant::now() < end => {
                let pause = limits.longest_pause;
                tracing::warn!(%error, ?pause, "waiting for the API server");
                pause
            }
            Some(_) | None => return Err(error),
        };
        wait.tell(format_args!("the API server: {error}"));
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

/// Tries again after errors that may pass, with growing pauses in between, until `given_up` resolves. Refusals
/// are doubted.
///
/// # Errors
/// The last error; `None` if no try had come to its end by then.
pub async fn persist<T, E: Display, F>(
    limits: &Limits,
    waits: &Waits,
    given_up: impl Future<Output = ()>,
    outlook: impl Fn(&E) -> Outlook,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Option<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut given_up = pin!(given_up);
    let mut backoff = Backoff::new(limits);
    let mut doubt = Doubt::new(limits);
    let wait = waits.begin();
    let mut last = None;
    loop {
        let tried = tokio::select! {
            tried = attempt() => tried,
            () = &mut given_up => return Err(last),
        };
        let error = match tried {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if !doubt.may_pass(outlook(&error)) {
            return Err(Some(error));
        }
        let pause = backoff.next_pause();
        tracing::warn!(%error, ?pause, "trying again");
        wait.tell(format_args!("what failed to succeed: {error}"));
        last = Some(error);
        tokio::select! {
            () = backoff.pause() => {}
            () = &mut given_up => return Err(last),
        }
    }
}
