//! Requests to one server, one after another: each is sent until it is decided what became of it, or until no more are
//! sent.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::client::{PushClient, Reply};
use super::labels::Label;
use super::outcome::{Arrival, Verdict, verdict};
use super::profile::Pushed;
use crate::limits::{PUSH_LONGEST_PAUSE, PUSH_TRIES, PUSH_UNKNOWN_IN_A_ROW};

/// The requests to one server.
pub(super) struct Requests {
    client: PushClient,
    /// The pause after the first try; it doubles, where the server does not say how long to wait.
    first_pause: Duration,
    /// Requests in a row of which nobody knows what became of them.
    unknown_in_a_row: u32,
    /// Why they are to end at once, if they are.
    end: watch::Receiver<Option<String>>,
    /// Why no more are sent, if none are.
    pub(super) given_up: Option<String>,
}

impl Requests {
    pub(super) fn new(
        client: PushClient,
        first_pause: Duration,
        end: watch::Receiver<Option<String>>,
    ) -> Self {
        Self {
            client,
            first_pause,
            unknown_in_a_row: 0,
            end,
            given_up: None,
        }
    }

    /// Sends a request until it is decided what became of it. Gives each profile's arrival, and why.
    pub(super) async fn send(
        &mut self,
        labels: &[Label],
        profiles: &[Pushed],
    ) -> (Vec<Arrival>, String) {
        let all = |arrival| vec![arrival; profiles.len()];
        let mut tries = 0;
        loop {
            tries += 1;
            let told = self.end.borrow().clone();
            if let Some(why) = told {
                self.give_up(why.clone());
                return (all(Arrival::NotSent), why);
            }
            let mut end = self.end.clone();
            let sent = self.client.send(labels, profiles);
            let reply = tokio::select! {
                biased;
                why = told_to_end(&mut end) => {
                    self.give_up(why.clone());
                    // A request may be under way.
                    return (all(Arrival::Unknown), why);
                }
                reply = sent => reply,
            };
            let (why, pause) = match reply {
                Reply::Answered(answer) => {
                    let why = format!("{}: {}", answer.status, self.client.shown(&answer.words));
                    match verdict(&answer, profiles.len()) {
                        Verdict::Decided(arrivals) => {
                            let is_unknown = arrivals.contains(&Arrival::Unknown);
                            self.count_unknown(is_unknown, &why);
                            return (arrivals, why);
                        }
                        Verdict::Hopeless => {
                            self.give_up(format!("the server answers {why}"));
                            return (all(Arrival::Refused), why);
                        }
                        Verdict::Again => (why, answer.retry_after),
                    }
                }
                Reply::NotSent {
                    why,
                    may_pass: true,
                } => (why, None),
                Reply::NotSent {
                    why,
                    may_pass: false,
                } => {
                    self.give_up(why.clone());
                    return (all(Arrival::NotSent), why);
                }
                Reply::Unanswered(why) => {
                    self.count_unknown(true, &why);
                    return (all(Arrival::Unknown), why);
                }
            };
            if tries >= PUSH_TRIES {
                self.give_up(format!("after {tries} tries: {why}"));
                return (all(Arrival::NotSent), why);
            }
            let pause = pause_after(tries, self.first_pause, pause);
            tokio::select! {
                () = sleep(pause) => {}
                why = told_to_end(&mut end) => {
                    self.give_up(why.clone());
                    return (all(Arrival::NotSent), why);
                }
            }
        }
    }

    /// A server that is silent again and again is not waited for at every pod.
    fn count_unknown(&mut self, is_unknown: bool, why: &str) {
        self.unknown_in_a_row = if is_unknown {
            self.unknown_in_a_row + 1
        } else {
            0
        };
        if self.unknown_in_a_row >= PUSH_UNKNOWN_IN_A_ROW {
            let count = self.unknown_in_a_row;
            self.give_up(format!(
                "after {count} requests in a row without a use: {why}"
            ));
        }
    }

    fn give_up(&mut self, why: String) {
        self.given_up.get_or_insert(why);
    }
}

/// The pause after so many tries: what the server asks for, or else twice the one before.
fn pause_after(tries: u32, first: Duration, asked: Option<Duration>) -> Duration {
    let own = first.saturating_mul(1 << (tries - 1));
    asked.unwrap_or(own).min(PUSH_LONGEST_PAUSE)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_unless_the_server_asks_for_one_and_none_is_very_long() {
        let first = PUSH_LONGEST_PAUSE / 5;
        let own = [1, 2, 3, 4].map(|tries| pause_after(tries, first, None).div_duration_f64(first));
        assert_eq!(own, [1.0, 2.0, 4.0, 5.0]);
        assert_eq!(pause_after(4, first, Some(first)), first);
        let day = first * 9999;
        assert_eq!(pause_after(1, first, Some(day)), PUSH_LONGEST_PAUSE);
    }
}
