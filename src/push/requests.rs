//! Requests to one server, one after another: each is sent until it is decided what became of it, or until no more are
//! sent.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::client::{PushClient, Reply};
use super::labels::Label;
use super::outcome::{Arrival, Verdict, verdict};
use super::profile::Pushed;
use crate::limits::{Limits, PUSH_LONGEST_PAUSE, PUSH_USELESS_IN_A_ROW};

/// The requests to one server.
pub(super) struct Requests {
    client: PushClient,
    /// The pause after the first try; it doubles, where the server does not say how long to wait.
    first_pause: Duration,
    /// How long one request is sent again.
    patience: Duration,
    /// Requests in a row of which nobody knows what became of them, or which the server did not take in all that time.
    useless_in_a_row: u32,
    /// Whether a server that is busy or away was told of.
    is_waited_for: bool,
    /// Why they are to end at once, if they are.
    end: watch::Receiver<Option<String>>,
    /// Why no more are sent, if none are.
    pub(super) given_up: Option<String>,
}

/// What became of a profile, and why.
#[derive(Debug)]
pub(super) struct Fate {
    pub(super) arrival: Arrival,
    pub(super) why: String,
}

/// What is known after one try of a request.
struct Tried {
    /// What became of each profile; nothing of one that may be sent again.
    arrivals: Vec<Option<Arrival>>,
    why: String,
    /// How long the server asks to be left alone.
    retry_after: Option<Duration>,
    /// Whether it was reached.
    is_reached: bool,
}

impl Tried {
    fn all(arrival: Option<Arrival>, profiles: usize, why: String) -> Self {
        Self {
            arrivals: vec![arrival; profiles],
            why,
            retry_after: None,
            is_reached: true,
        }
    }
}

impl Requests {
    pub(super) fn new(
        client: PushClient,
        limits: &Limits,
        end: watch::Receiver<Option<String>>,
    ) -> Self {
        Self {
            client,
            first_pause: limits.first_pause,
            patience: limits.push_patience,
            useless_in_a_row: 0,
            is_waited_for: false,
            end,
            given_up: None,
        }
    }

    /// Sends profiles until it is decided what became of each.
    pub(super) async fn send(&mut self, labels: &[Label], profiles: &[Pushed]) -> Vec<Fate> {
        let until = Instant::now() + self.patience;
        let mut own_pause = self.first_pause;
        let mut fates: Vec<Option<Fate>> = profiles.iter().map(|_| None).collect();
        loop {
            let all = profiles.iter().zip(&mut fates);
            let (undecided, open): (Vec<_>, Vec<_>) =
                all.filter(|(_, fate)| fate.is_none()).unzip();
            let mut tried = self.once(labels, &undecided).await;
            let is_decided = tried.arrivals.iter().all(Option::is_some);
            let is_over = is_decided || !self.wait(&mut tried, own_pause, until).await;
            own_pause = (own_pause * 2).min(PUSH_LONGEST_PAUSE);
            for (fate, arrival) in open.into_iter().zip(tried.arrivals) {
                let arrival = arrival.or(is_over.then_some(Arrival::NotSent));
                *fate = arrival.map(|arrival| Fate {
                    arrival,
                    why: tried.why.clone(),
                });
            }
            if is_over {
                let fates: Vec<_> = fates.into_iter().flatten().collect();
                self.count_useless(&fates);
                return fates;
            }
        }
    }

    /// Sends a request once.
    async fn once(&mut self, labels: &[Label], profiles: &[&Pushed]) -> Tried {
        let count = profiles.len();
        let told = self.end.borrow().clone();
        if let Some(why) = told {
            self.give_up(why.clone());
            return Tried::all(Some(Arrival::NotSent), count, why);
        }
        let mut end = self.end.clone();
        let reply = self
            .client
            .send(labels, profiles, told_to_end(&mut end))
            .await;
        let answer = match reply {
            Reply::Answered(answer) => answer,
            Reply::NotSent { why, may_pass } => {
                if !may_pass {
                    self.give_up(why.clone());
                }
                let arrival = (!may_pass).then_some(Arrival::NotSent);
                return Tried {
                    is_reached: false,
                    ..Tried::all(arrival, count, why)
                };
            }
            Reply::Unanswered(why) => {
                let told = self.end.borrow().clone();
                told.into_iter().for_each(|why| self.give_up(why));
                return Tried::all(Some(Arrival::Unknown), count, why);
            }
        };
        let why = format!("{}: {}", answer.status, self.client.shown(&answer.words));
        match verdict(&answer, count) {
            Verdict::Each(arrivals) => Tried {
                arrivals,
                why,
                retry_after: answer.retry_after,
                is_reached: true,
            },
            Verdict::Hopeless(advice) => {
                self.give_up(format!("the server answers {why}{advice}"));
                Tried::all(Some(Arrival::Refused), count, why)
            }
        }
    }

    /// Waits until what may be sent again is to be; `false` if it is not, for want of time or because the push is over.
    async fn wait(&mut self, tried: &mut Tried, own: Duration, until: Instant) -> bool {
        let pause = tried.retry_after.unwrap_or(own);
        if pause >= until.saturating_duration_since(Instant::now()) {
            if let Some(asked) = tried.retry_after {
                self.give_up(format!("{}; it asks for a pause of {asked:?}", tried.why));
            } else if !tried.is_reached {
                self.give_up(format!("for {:?}: {}", self.patience, tried.why));
            }
            return false;
        }
        if self.is_waited_for {
            tracing::debug!(why = tried.why, ?pause, "pushing again");
        } else {
            // Once is enough for a person who waits.
            tracing::warn!(why = tried.why, for_up_to = ?self.patience, "pushing again");
            self.is_waited_for = true;
        }
        let mut end = self.end.clone();
        tokio::select! {
            () = sleep(pause) => true,
            why = told_to_end(&mut end) => {
                tried.why = format!("{why}; before: {}", tried.why);
                self.give_up(why);
                false
            }
        }
    }

    /// A server that is silent or busy again and again is not waited for at every pod.
    fn count_useless(&mut self, fates: &[Fate]) {
        let is_useless = |fate: &&Fate| matches!(fate.arrival, Arrival::Unknown | Arrival::NotSent);
        let Some(useless) = fates.iter().find(is_useless) else {
            self.useless_in_a_row = 0;
            return;
        };
        self.useless_in_a_row += 1;
        if self.useless_in_a_row >= PUSH_USELESS_IN_A_ROW {
            let count = self.useless_in_a_row;
            let why = &useless.why;
            self.give_up(format!(
                "after {count} requests in a row without a use: {why}"
            ));
        }
    }

    fn give_up(&mut self, why: String) {
        self.given_up.get_or_insert(why);
    }
}

/// Waits until somebody says why the push is to end.
async fn told_to_end(end: &mut watch::Receiver<Option<String>>) -> String {
    let told = end.wait_for(Option::is_some).await;
    match told.map(|why| why.clone()) {
        Ok(Some(why)) => why,
        // Nobody will say so any more.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}
