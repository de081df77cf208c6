//! What is known of the expected pods, filled in as they are shipped.

use std::collections::BTreeMap;

use crate::manifest::{ExpectedPod, File, Pod, Refused, State, Uncounted};
use crate::outcome::ExitCode;

/// Missing pods that the reason names; the manifest has them all.
const NAMED: usize = 3;

/// Every pod's fate.
#[derive(Debug)]
pub(super) struct Record {
    pods: BTreeMap<String, Pod>,
    pub(super) uncounted: Vec<Uncounted>,
    pub(super) refused: Vec<Refused>,
}

impl Record {
    /// Every expected pod missing so far.
    pub(super) fn new(expected: Vec<ExpectedPod>) -> Self {
        let missing = |pod: ExpectedPod| {
            let why = Some("the engine never told of it".to_owned());
            (
                pod.name.clone(),
                Pod {
                    pod,
                    state: State::Missing,
                    why,
                    files: Vec::new(),
                },
            )
        };
        Self {
            pods: expected.into_iter().map(missing).collect(),
            uncounted: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Notes what came of a pod: its files, and what is wrong if anything is.
    pub(super) fn note(&mut self, pod: &str, files: Vec<File>, why: Option<String>) {
        if let Some(why) = &why {
            tracing::warn!(pod, why, "a pod is missing");
        }
        if let Some(pod) = self.pods.get_mut(pod) {
            pod.state = if why.is_none() {
                State::Complete
            } else {
                State::Missing
            };
            pod.why = why;
            pod.files = files;
        }
    }

    /// How many pods are complete, of how many.
    pub(super) fn complete(&self) -> (usize, usize) {
        let complete = self
            .pods
            .values()
            .filter(|pod| pod.state == State::Complete)
            .count();
        (complete, self.pods.len())
    }

    /// The exit code and the reason that the pods amount to.
    pub(super) fn outcome(&self) -> (ExitCode, String) {
        let (complete, expected) = self.complete();
        if complete == expected {
            return (
                ExitCode::Complete,
                format!("all {expected} pods are complete"),
            );
        }
        let missing = self
            .pods
            .values()
            .filter(|pod| pod.state != State::Complete);
        let named: Vec<_> = missing
            .take(NAMED)
            .map(|pod| {
                format!(
                    "{} ({})",
                    pod.pod.name,
                    pod.why.as_deref().unwrap_or_default()
                )
            })
            .collect();
        let count = expected - complete;
        let rest = if count > NAMED {
            "; the manifest names all"
        } else {
            ""
        };
        let reason = format!(
            "{count} of {expected} pods missing: {}{rest}",
            named.join("; ")
        );
        (ExitCode::Incomplete, reason)
    }

    /// The pods, by name.
    pub(super) fn into_pods(self) -> Vec<Pod> {
        self.pods.into_values().collect()
    }
}
