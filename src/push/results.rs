//! What of a run arrived where it was pushed to: `profile-RUN_ID.push.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::outcome::Arrival;

/// The most faults that are named.
const MOST_FAULTS: usize = 200;

/// What of a run arrived at one server.
#[derive(Debug, Clone, Serialize)]
pub struct PushResult {
    /// The server.
    pub target: String,
    /// When the push began.
    pub began: Timestamp,
    /// When it ended, if it was not killed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Whether all that was to be pushed was stored.
    pub complete: bool,
    /// Why it ended before all was sent, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
    /// Pods that were not reached, because it ended before.
    #[serde(skip_serializing_if = "is_zero")]
    pub pods_not_reached: u64,
    /// What to do, where something can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    /// The number of profiles by what became of them.
    pub profiles: BTreeMap<Arrival, u64>,
    /// Profiles without samples, which are not sent.
    pub empty: u64,
    /// Cpu profiles that are of another window, as the manifest says of their pods, and are not sent.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_of_window: u64,
    /// What of the archive could not be read, and so was not sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// The sum of each value of what was stored, by component and by NAME:TYPE:UNIT.
    pub totals: BTreeMap<String, BTreeMap<String, i64>>,
    /// Profiles that were too large for the server, and what they lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
    /// Labels of the run that are not sent, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels_left_out: Vec<String>,
    /// What did not arrive, pod by pod, with the server's words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<PushFault>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_faults: u64,
}

/// What did not arrive of one pod.
#[derive(Debug, Clone, Serialize)]
pub struct PushFault {
    /// The pod.
    pub pod: String,
    /// What became of its profiles.
    pub result: Arrival,
    /// Their names.
    pub profiles: Vec<&'static str>,
    /// Why.
    pub why: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl PushResult {
    pub(super) fn begin(target: String) -> Self {
        Self {
            target,
            began: Timestamp::now(),
            ended: None,
            complete: false,
            given_up: None,
            pods_not_reached: 0,
            advice: None,
            profiles: BTreeMap::new(),
            empty: 0,
            not_of_window: 0,
            unread: Vec::new(),
            totals: BTreeMap::new(),
            cut: Vec::new(),
            labels_left_out: Vec::new(),
            faults: Vec::new(),
            more_faults: 0,
        }
    }

    pub(super) fn count(&mut self, arrival: Arrival, number: usize) {
        *self.profiles.entry(arrival).or_default() += number as u64;
    }

    pub(super) fn add_fault(&mut self, fault: PushFault) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        } else {
            self.more_faults += 1;
        }
    }

    /// Notes that something was cut, as long as the list is not too long.
    pub(super) fn add_cut(&mut self, cut: String) {
        if self.cut.len() < MOST_FAULTS {
            self.cut.push(cut);
        }
    }

    pub(super) fn finish(mut self) -> Self {
        self.ended = Some(Timestamp::now());
        let is_stored = |arrival: &Arrival| *arrival == Arrival::Stored;
        let is_all = self.profiles.keys().all(is_stored);
        self.complete = is_all && self.given_up.is_none() && self.unread.is_empty();
        if self.profiles.contains_key(&Arrival::TooOld) {
            self.advice = Some(
                "the server takes only what is new: raise its validation.reject-older-than, or push with --time now",
            );
        }
        self
    }

    /// Whether the server may have something of it.
    pub fn may_be_stored(&self) -> bool {
        let is_stored = |arrival: &Arrival| matches!(arrival, Arrival::Stored | Arrival::Unknown);
        self.profiles.keys().any(is_stored)
    }

    /// It in a line, for people.
    pub fn summary(&self) -> String {
        let counts = self.profiles.iter().map(|(arrival, count)| {
            let word = match arrival {
                Arrival::Stored => "stored",
                Arrival::TooOld => "too old for the server",
                Arrival::Refused => "refused",
                Arrival::Unknown => "sent without knowing what became of them",
                Arrival::NotSent => "not sent",
            };
            format!("{count} {word}")
        });
        let mut text = counts.collect::<Vec<_>>().join(", ");
        if text.is_empty() {
            let is_all = self.given_up.is_none();
            let word = if is_all {
                "nothing to push"
            } else {
                "nothing sent"
            };
            text = word.to_owned();
        }
        if self.not_of_window > 0 {
            let count = self.not_of_window;
            text.push_str(&format!(", {count} of cpu not of this window and not sent"));
        }
        let first = self.faults.first();
        if self.pods_not_reached > 0 {
            text.push_str(&format!(", and {} pods not reached", self.pods_not_reached));
        }
        for more in [
            self.given_up.as_deref(),
            first
                .map(|fault| &*fault.why)
                .filter(|_| self.given_up.is_none()),
            self.unread
                .first()
                .map(|_| "not all of the archive could be read"),
            self.advice,
        ] {
            text.extend(more.map(|more| format!("; {more}")));
        }
        format!("{}: {text}", self.target)
    }
}
