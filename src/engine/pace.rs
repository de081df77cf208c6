//! How many pods are asked for at once: as many as are wanted, and fewer where the API server has too much to do.

use std::sync::Mutex;

use tokio::sync::Notify;

use crate::errors::lock;

/// The number of pods that may be asked for at once. It is halved when an API server answers that this is too much,
/// and grows by one whenever as many pods were answered for as it allows, up to what is wanted.
#[derive(Debug)]
pub(super) struct Pace {
    wanted: usize,
    state: Mutex<State>,
    /// Whoever waits is woken when there may be room.
    room: Notify,
}

#[derive(Debug)]
struct State {
    allowed: usize,
    asked: usize,
    /// Answers since the number changed.
    answers: usize,
    /// How often it was halved.
    halvings: usize,
}

/// A pod that is asked for, as long as this is not dropped.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pace: &'a Pace,
    /// How often the number had been halved then. Of many that are refused at once, one counts.
    halvings: usize,
}

impl Pace {
    /// Up to `wanted` pods at once.
    pub(super) fn new(wanted: usize) -> Self {
        Self {
            wanted,
            state: Mutex::new(State {
                allowed: wanted,
                asked: 0,
                answers: 0,
                halvings: 0,
            }),
            room: Notify::new(),
        }
    }

    /// Waits until one more may be asked for.
    pub(super) async fn ask(&self) -> Asked<'_> {
        loop {
            let room = self.room.notified();
            if let Some(asked) = self.try_ask() {
                return asked;
            }
            room.await;
        }
    }

    fn try_ask(&self) -> Option<Asked<'_>> {
        let mut state = lock(&self.state);
        if state.asked >= state.allowed {
            return None;
        }
        state.asked += 1;
        Some(Asked {
            pace: self,
            halvings: state.halvings,
        })
    }
}

impl Asked<'_> {
    /// The API server had too much to do.
    pub(super) fn refused(self) {
        let mut state = lock(&self.pace.state);
        if state.halvings == self.halvings && state.allowed > 1 {
            state.allowed /= 2;
            state.answers = 0;
            state.halvings += 1;
            let pods = state.allowed;
            tracing::info!(
                pods,
                "the API server has too much to do: asking for fewer at once"
            );
        }
    }

    /// It answered.
    pub(super) fn answered(self) {
        let mut state = lock(&self.pace.state);
        state.answers += 1;
        if state.answers >= state.allowed && state.allowed < self.pace.wanted {
            state.allowed += 1;
            state.answers = 0;
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        lock(&self.pace.state).asked -= 1;
        self.pace.room.notify_waiters();
    }
}
