//! What is known of the expected pods, filled in as they are shipped.

use std::collections::{BTreeMap, BTreeSet};

use crate::component::Component;
use crate::config::MinComplete;
use crate::manifest::{ExpectedPod, File, Pod, State, Uncounted, UnexpectedName};
use crate::outcome::ExitCode;

/// Pods that the reason names; the manifest has them all.
const NAMED: usize = 3;

/// Every pod's fate.
#[derive(Debug)]
pub(super) struct Record {
    pods: BTreeMap<String, Pod>,
    /// Pods whose cpu profile is of this window.
    of_window: BTreeSet<String>,
    pub(super) uncounted: Vec<Uncounted>,
    pub(super) refused: Vec<UnexpectedName>,
}

/// What is thought of what a pod brought.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) state: State,
    /// Why, unless it is complete.
    pub(super) why: Option<String>,
    /// Whether its cpu profile is of this window: so it was started, and has stopped.
    pub(super) of_window: bool,
}

impl Record {
    /// Every expected pod missing so far.
    pub(super) fn new(expected: Vec<ExpectedPod>) -> Self {
        let missing = |pod: ExpectedPod| {
            let name = pod.name.clone();
            (
                name,
                Pod {
                    pod,
                    state: State::Missing,
                    why: None,
                    engine: None,
                    mem_stats: BTreeMap::new(),
                    files: Vec::new(),
                },
            )
        };
        Self {
            pods: expected.into_iter().map(missing).collect(),
            of_window: BTreeSet::new(),
            uncounted: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Notes what an engine brought of a pod, and what is thought of it.
    pub(super) fn note(
        &mut self,
        pod: &str,
        engine: &str,
        (files, mem_stats): (Vec<File>, BTreeMap<String, String>),
        judgement: Judgement,
    ) {
        if let Some(pod) = self.pods.get_mut(pod) {
            pod.engine = Some(engine.to_owned());
            pod.files = files;
            let stats = mem_stats.into_iter();
            pod.mem_stats = stats.map(|(name, stat)| (name, stat.into())).collect();
        }
        if judgement.of_window {
            self.of_window.insert(pod.to_owned());
        }
        self.judge(pod, judgement.state, judgement.why);
    }

    /// Notes that nothing came of a pod, and why.
    pub(super) fn missing(&mut self, pod: &str, why: String) {
        self.judge(pod, State::Missing, Some(why));
    }

    fn judge(&mut self, pod: &str, state: State, why: Option<String>) {
        if let Some(why) = &why {
            tracing::warn!(pod, why, "not complete");
        }
        if let Some(pod) = self.pods.get_mut(pod) {
            (pod.state, pod.why) = (state, why);
        }
    }

    /// Says why of every missing pod of which nobody has told.
    pub(super) fn explain(&mut self, why: &str) {
        let silent = |pod: &&mut Pod| pod.state == State::Missing && pod.why.is_none();
        self.pods
            .values_mut()
            .filter(silent)
            .for_each(|pod| pod.why = Some(why.to_owned()));
    }

    /// Whether this pod is known to have stopped, by its cpu profile.
    pub(super) fn has_stopped(&self, pod: &str) -> bool {
        self.of_window.contains(pod)
    }

    /// Why, if no pod has brought a single file.
    pub(super) fn nothing(&self) -> Option<String> {
        let first = self.pods.values().next()?;
        let empty = self.pods.values().all(|pod| pod.files.is_empty());
        empty.then(|| first.why.clone().unwrap_or_default())
    }

    /// How many pods are complete.
    fn complete(&self) -> usize {
        self.pods
            .values()
            .filter(|pod| pod.state == State::Complete)
            .count()
    }

    /// The exit code and the reason that the pods amount to.
    pub(super) fn outcome(&self, min: &MinComplete) -> (ExitCode, String) {
        let (complete, expected) = (self.complete(), self.pods.len());
        if complete == expected {
            return (
                ExitCode::Complete,
                format!("all {expected} pods are complete"),
            );
        }
        let lacking = self
            .pods
            .values()
            .filter(|pod| pod.state != State::Complete);
        let named: Vec<_> = lacking
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
            "{count} of {expected} pods not complete: {}{rest}",
            named.join("; ")
        );
        if self.is_enough(min) {
            let reason = format!("complete enough by PROFILER_MIN_COMPLETE; {reason}");
            return (ExitCode::Complete, reason);
        }
        (ExitCode::Incomplete, reason)
    }

    fn is_enough(&self, min: &MinComplete) -> bool {
        let components: BTreeSet<Component> =
            self.pods.values().map(|pod| pod.pod.component).collect();
        components.into_iter().all(|component| {
            let of = self
                .pods
                .values()
                .filter(|pod| pod.pod.component == component);
            let (complete, others): (Vec<_>, Vec<_>) =
                of.partition(|pod| pod.state == State::Complete);
            min.is_met(component, complete.len(), complete.len() + others.len())
        })
    }

    /// The pods, by name.
    pub(super) fn into_pods(self) -> Vec<Pod> {
        self.pods.into_values().collect()
    }
}
