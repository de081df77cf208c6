//! A run's profiles, pushed to servers where people look at profiles: Pyroscope and Parca.
//!
//! [`push`] goes through the pods of a store. `push/profile.rs` makes what is pushed of a pod, `push/labels.rs` its
//! labels, `push/requests.rs` sends it by `push/client.rs` with the headers of `push/headers.rs`, and `push/outcome.rs` decides what a server's answer means.
//! [`PushResult`] says what arrived, and `push/kept.rs` keeps that beside the archive.

mod client;
mod headers;
mod kept;
mod labels;
mod outcome;
mod profile;
mod requests;
mod results;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use client::PushClient;
pub use kept::{keep, keep_begun, pushed_targets};
use labels::{Label, Labels};
pub use outcome::Arrival;
pub use profile::PushTime;
use profile::{MOST_BYTES, PodContent, Pushed, of_pod};
use requests::{Fate, Requests};
pub use results::{PushFault, PushResult};

use crate::config::{PushAccess, PushTarget};
use crate::errors::{joined, plain};
use crate::limits::Limits;
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
    requests: Requests,
    labels: Labels,
    result: PushResult,
}

/// Whether a push to a server can begin: nothing is sent.
///
/// # Errors
/// The headers, the certificates or the proxy cannot be used.
pub fn check(target: &PushTarget, access: &PushAccess) -> Result<(), String> {
    PushClient::new(target, access, Duration::MAX).map(drop)
}

/// Pushes the profiles of all pods of a run to a server, one after another, until `end` has a reason to end it.
pub async fn push(
    target: &PushTarget,
    access: &PushAccess,
    run: &PushedRun,
    limits: &Limits,
    end: watch::Receiver<Option<String>>,
) -> PushResult {
    let mut result = PushResult::begin(target.to_string());
    let pods = PodProfiles::count(&run.store);
    let client = match PushClient::new(target, access, limits.push_answer) {
        Ok(client) => client,
        Err(why) => {
            result.given_up = Some(why);
            result.pods_not_reached = pods as u64;
            return result.finish();
        }
    };
    let labels = Labels::of(&run.manifest);
    result.labels_left_out.clone_from(&labels.left_out);
    let unread = run.store.unread().into_iter();
    result.unread = unread
        .map(|it| plain(&format!("{}: {}", it.path, it.why)))
        .collect();
    let mut push = Push {
        requests: Requests::new(client, limits, end),
        labels,
        result,
    };
    for number in 0..pods {
        if push.requests.given_up.is_some() {
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
    push.result.given_up = push.requests.given_up;
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
        self.result.not_of_window += content.not_of_window;
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
            let (request, after) = rest.split_at(fitting(&labels, rest));
            rest = after;
            if self.requests.given_up.is_some() {
                self.result.count(Arrival::NotSent, request.len());
                continue;
            }
            let fates = self.requests.send(&labels, request).await;
            self.tell(pod, request, &fates);
        }
    }

    /// Notes what became of a request's profiles.
    fn tell(&mut self, pod: &Pod, request: &[Pushed], fates: &[Fate]) {
        let component = pod.pod.component.name();
        let pairs = || request.iter().zip(fates);
        for (profile, fate) in pairs() {
            self.result.count(fate.arrival, 1);
            if fate.arrival != Arrival::Stored {
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
            let of = || pairs().filter(|(_, fate)| fate.arrival == missed);
            if let Some((_, first)) = of().next() {
                let names: Vec<_> = of().map(|(profile, _)| profile.name).collect();
                self.note(pod, missed, &names, first.why.clone());
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

/// How many of these profiles go into one request: one at least, and no more than a server takes at once.
fn fitting(labels: &[Label], profiles: &[Pushed]) -> usize {
    // Each profile has them.
    let of_labels = labels
        .iter()
        .map(|it| it.name.len() + it.value.len())
        .sum::<usize>();
    let mut bytes = 0;
    let fits = |profile: &&Pushed| {
        bytes += profile.unpacked + of_labels;
        bytes <= MOST_BYTES
    };
    profiles.iter().take_while(fits).count().max(1)
}
