//! A run's profiles, pushed to servers where people look at profiles: Pyroscope and Parca.
//!
//! [`push`] goes through the pods of a store. `push/profile.rs` makes what is pushed of a pod, `push/labels.rs` its
//! labels, `push/client.rs` sends it, and `push/outcome.rs` decides what a server's answer means. [`PushResult`] says what
//! arrived, and `push/kept.rs` keeps that beside the archive.

mod client;
mod kept;
mod labels;
mod outcome;
mod profile;
mod results;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use client::{PushClient, Reply};
pub use kept::{keep, pushed_targets};
use labels::{Label, Labels};
pub use outcome::Arrival;
use outcome::{Verdict, verdict};
pub use profile::PushTime;
use profile::{MOST_BYTES, PodContent, Pushed, of_pod};
pub use results::{PushFault, PushResult};

use crate::config::{PushAccess, PushTarget};
use crate::errors::{joined, plain};
use crate::limits::{PUSH_FIRST_PAUSE, PUSH_LONGEST_PAUSE, PUSH_TRIES, PUSH_UNKNOWN_IN_A_ROW};
use crate::manifest::{Manifest, Pod};
use crate::report::{PodProfiles, ProfileStore};

/// A run that is pushed.
#[derive(Debug, Clone)]
pub struct PushedRun {
    /// Its manifest.
    pub manifest: Arc<Manifest>,
    /// Its profiles.
    pub store: Arc<ProfileStore>,
    /// The time that they are pushed with.
    pub time: PushTime,
}

/// A push to one server, as far as it is.
struct Push {
    client: PushClient,
    labels: Labels,
    result: PushResult,
    /// Requests in a row of which nobody knows what became of them.
    unknown_in_a_row: u32,
    /// Why the push is to end at once, if it is.
    end: watch::Receiver<Option<String>>,
}

/// Pushes the profiles of all pods of a run to a server, one after another, until `end` has a reason to end it.
pub async fn push(
    target: &PushTarget,
    access: &PushAccess,
    run: &PushedRun,
    end: watch::Receiver<Option<String>>,
) -> PushResult {
    let mut result = PushResult::begin(target.to_string());
    let client = match PushClient::new(target, access) {
        Ok(client) => client,
        Err(why) => {
            result.given_up = Some(why);
            return result.finish();
        }
    };
    let labels = Labels::of(&run.manifest);
    result.labels_left_out.clone_from(&labels.left_out);
    let mut push = Push {
        client,
        labels,
        result,
        unknown_in_a_row: 0,
        end,
    };
    let pods = PodProfiles::count(&run.store);
    for number in 0..pods {
        if push.result.given_up.is_some() {
            push.result.pods_not_reached = (pods - number) as u64;
            break;
        }
        let of = run.clone();
        let made = joined(spawn_blocking(move || make(&of, number)).await);
        let pod = made.pod.and_then(|place| run.manifest.pods.get(place));
        if let Some(pod) = pod {
            push.pod(pod, made.content).await;
        }
    }
    push.result.finish()
}

/// What is pushed of a pod.
struct Made {
    content: PodContent,
    /// The pod's place in the manifest, if it is there.
    pod: Option<usize>,
}

/// Makes what is pushed of the pod with this number in the store.
fn make(run: &PushedRun, number: usize) -> Made {
    let manifest = &run.manifest;
    let profiles = PodProfiles::of(&run.store, number);
    let place = profiles.as_ref().and_then(|profiles| {
        let mut pods = manifest.pods.iter();
        pods.position(|pod| pod.pod.name == profiles.name)
    });
    let pod = place.and_then(|place| manifest.pods.get(place));
    let content = profiles
        .zip(pod)
        .map(|(profiles, pod)| of_pod(&profiles, manifest, pod, run.time));
    Made {
        content: content.unwrap_or_default(),
        pod: place,
    }
}

impl Push {
    async fn pod(&mut self, pod: &Pod, content: PodContent) {
        self.result.empty += content.empty;
        for why in content.unread {
            self.result.count(Arrival::NotSent, 1);
            self.note(pod, Arrival::NotSent, &[], plain(&why));
        }
        for profile in content.profiles.iter().filter(|profile| profile.cut > 0) {
            let (name, cut) = (profile.name, profile.cut);
            let text = format!(
                "{}, {name}: without its {cut} smallest samples",
                pod.pod.name
            );
            self.result.add_cut(text);
        }
        let labels = self.labels.of_pod(pod);
        let mut rest = &content.profiles[..];
        while !rest.is_empty() {
            let (request, after) = rest.split_at(fitting(rest));
            rest = after;
            if self.result.given_up.is_some() {
                self.result.count(Arrival::NotSent, request.len());
                continue;
            }
            let (arrivals, why) = self.request(&labels, request).await;
            self.tell(pod, request, &arrivals, &why);
        }
    }

    /// Sends a request until it is decided what became of it. Gives each profile's arrival, and why.
    async fn request(&mut self, labels: &[Label], profiles: &[Pushed]) -> (Vec<Arrival>, String) {
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
            let own = PUSH_FIRST_PAUSE.saturating_mul(1 << (tries - 1));
            let pause = pause.unwrap_or(own).min(PUSH_LONGEST_PAUSE);
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
        self.result.given_up.get_or_insert(why);
    }

    /// Notes what became of a request's profiles.
    fn tell(&mut self, pod: &Pod, request: &[Pushed], arrivals: &[Arrival], why: &str) {
        let component = pod.pod.component.name();
        let pairs = || request.iter().zip(arrivals);
        for (profile, arrival) in pairs() {
            self.result.count(*arrival, 1);
            if *arrival != Arrival::Stored {
                continue;
            }
            let totals = self.result.totals.entry(component.to_owned()).or_default();
            for total in &profile.totals {
                let key = format!("{}:{}:{}", profile.name, total.of.name, total.of.unit);
                let sum = totals.entry(key).or_default();
                *sum = sum.saturating_add(total.sum);
            }
        }
        for missed in [
            Arrival::TooOld,
            Arrival::Refused,
            Arrival::Unknown,
            Arrival::NotSent,
        ] {
            let of = pairs().filter(|(_, arrival)| **arrival == missed);
            let names: Vec<_> = of.map(|(profile, _)| profile.name).collect();
            if !names.is_empty() {
                self.note(pod, missed, &names, why.to_owned());
            }
        }
    }

    fn note(&mut self, pod: &Pod, result: Arrival, profiles: &[&'static str], why: String) {
        self.result.add_fault(PushFault {
            pod: pod.pod.name.clone(),
            result,
            profiles: profiles.to_vec(),
            why,
        });
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

/// How many of these profiles go into one request: one at least, and no more than a server takes at once.
fn fitting(profiles: &[Pushed]) -> usize {
    let mut bytes = 0;
    let fits = |profile: &&Pushed| {
        bytes += profile.unpacked;
        bytes <= MOST_BYTES
    };
    profiles.iter().take_while(fits).count().max(1)
}
