//! The results of the expected pods: what each one brought, and whether it is complete.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::judgement::Judgement;
use crate::component::Component;
use crate::config::MinComplete;
use crate::destination::PodCounts;
use crate::manifest::{
    ComponentNumbers, ExpectedPod, File, Manifest, MemStats, Pod, State, Uncounted, UnexpectedName,
    WindowNumbers,
};
use crate::pprof::{self, Kind};

/// Pods that are named in the reason of an exit code; the manifest has them all.
const NAMED: usize = 3;

/// The result of every expected pod, filled in as they are shipped.
#[derive(Debug, Clone)]
pub(super) struct PodResults {
    pods: BTreeMap<String, Pod>,
    /// Pods whose cpu profile is of this window.
    of_window: BTreeSet<String>,
    /// Pods that were there and not expected.
    pub(super) uncounted: Vec<Uncounted>,
    /// Names in a dump that nobody asked for.
    pub(super) unexpected_names: Vec<UnexpectedName>,
    /// The last pod's, whose names the next one's are likely to be.
    mem_stats_like: MemStats,
    /// Why pods have no samples of a kind.
    empty: BTreeMap<Kind, BTreeSet<&'static str>>,
    /// The kinds of which some pod has samples.
    sampled: BTreeSet<Kind>,
}

/// What the archive has of a pod.
#[derive(Debug)]
pub(super) struct ShippedPod {
    /// The engine that brought it.
    pub(super) engine: &'static str,
    /// When its profiles began to arrive.
    pub(super) dumped_at: Timestamp,
    pub(super) files: Vec<File>,
    /// `runtime.MemStats`, by name.
    pub(super) mem_stats: BTreeMap<String, String>,
    pub(super) in_window: Option<Box<WindowNumbers>>,
    /// The kinds that have no samples though their profiles are whole, and why.
    pub(super) empty: BTreeMap<Kind, &'static str>,
    /// The kinds that have samples.
    pub(super) sampled: Vec<Kind>,
}

impl PodResults {
    /// Every expected pod, missing so far.
    pub(super) fn new(expected: Vec<ExpectedPod>) -> Self {
        let missing = |pod: ExpectedPod| {
            let pod = Pod {
                pod,
                state: State::Missing,
                why: None,
                engine: None,
                dumped_at: None,
                mem_stats: MemStats::default(),
                in_window: None,
                files: Vec::new(),
                snapshots: Vec::new(),
            };
            (pod.pod.name.clone(), pod)
        };
        Self {
            pods: expected.into_iter().map(missing).collect(),
            of_window: BTreeSet::new(),
            uncounted: Vec::new(),
            unexpected_names: Vec::new(),
            mem_stats_like: MemStats::default(),
            empty: BTreeMap::new(),
            sampled: BTreeSet::new(),
        }
    }

    /// The results that the manifest of an earlier attempt tells of, and what a later dump has found out
    /// beside them. A pod that is complete has stopped.
    pub(super) fn of_earlier(manifest: &Manifest, later: &Self) -> Self {
        let mut results = Self {
            of_window: later.of_window.clone(),
            ..Self::new(Vec::new())
        };
        for mut pod in manifest.pods.iter().cloned() {
            let name = pod.pod.name.clone();
            if pod.state == State::Complete {
                results.of_window.insert(name.clone());
            }
            let later = later.pods.get(&name).and_then(|pod| pod.why.clone());
            if pod.files.is_empty() && later.is_some() {
                pod.why = later;
            }
            results.pods.insert(name, pod);
        }
        results
    }

    /// How much there is.
    pub(super) fn counts(&self) -> PodCounts {
        let mut counts = PodCounts::default();
        for pod in self.pods.values() {
            counts.add(pod.pod.component, pod.state, !pod.files.is_empty());
        }
        counts
    }

    /// Notes what was shipped of a pod, and the judgement of it.
    pub(super) fn note(&mut self, name: &str, shipped: ShippedPod, judgement: Judgement) {
        if let Some(pod) = self.pods.get_mut(name) {
            pod.engine = Some(shipped.engine.to_owned());
            pod.dumped_at = Some(shipped.dumped_at);
            pod.files = shipped.files;
            pod.files.shrink_to_fit();
            // The last pauses are thousands of characters a pod, for nobody to read.
            let stats = shipped.mem_stats.into_iter();
            let stats = stats.filter(|(stat, _)| stat != pprof::LAST_STOPS);
            let stats: BTreeMap<_, _> = stats.map(|(stat, value)| (stat, value.into())).collect();
            pod.mem_stats = stats.into();
            pod.mem_stats.share_names(&self.mem_stats_like);
            self.mem_stats_like = pod.mem_stats.clone();
            pod.in_window = shipped.in_window;
        }
        self.sampled.extend(shipped.sampled);
        for (kind, why) in shipped.empty {
            self.empty.entry(kind).or_default().insert(why);
        }
        if judgement.of_window {
            self.of_window.insert(name.to_owned());
        }
        self.set_state(name, judgement.state, judgement.why);
    }

    /// Notes a pod that was there and not expected. A pod that is expected and was not asked for again is none.
    pub(super) fn note_uncounted(&mut self, pod: Uncounted) {
        let is_known = self.uncounted.iter().any(|known| known.name == pod.name);
        if !is_known && !self.pods.contains_key(&pod.name) {
            self.uncounted.push(pod);
        }
    }

    /// The expected pods, as far as their results are known.
    pub(super) fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values()
    }

    /// The expected pods' names.
    pub(super) fn names(&self) -> Vec<String> {
        self.pods.keys().cloned().collect()
    }

    /// An expected pod.
    pub(super) fn expected(&self, name: &str) -> Option<&ExpectedPod> {
        Some(&self.pods.get(name)?.pod)
    }

    /// Whether nothing is known yet of what an expected pod brings.
    pub(super) fn is_awaited(&self, name: &str) -> bool {
        let pod = self.pods.get(name);
        pod.is_some_and(|pod| pod.state == State::Missing && pod.why.is_none())
    }

    /// Notes that a pod brought nothing, and why.
    pub(super) fn note_missing(&mut self, name: &str, why: String) {
        self.set_state(name, State::Missing, Some(why));
    }

    /// Notes that what a pod brought is not shipped, and why.
    pub(super) fn note_left_out(&mut self, name: &str, judgement: &Judgement, why: String) {
        if judgement.of_window {
            self.of_window.insert(name.to_owned());
        }
        self.note_missing(name, why);
    }

    fn set_state(&mut self, name: &str, state: State, why: Option<String>) {
        if let Some(why) = &why {
            tracing::warn!(pod = name, why, "not complete");
        }
        if let Some(pod) = self.pods.get_mut(name) {
            pod.state = state;
            pod.why = why;
        }
    }

    /// Gives every missing pod of which no engine told a reason.
    pub(super) fn explain_missing(&mut self, why: &str) {
        for pod in self.pods.values_mut() {
            if pod.state == State::Missing && pod.why.is_none() {
                pod.why = Some(why.to_owned());
            }
        }
    }

    /// Whether a pod's own profile proves that it has stopped.
    pub(super) fn has_stopped(&self, pod: &str) -> bool {
        self.of_window.contains(pod)
    }

    /// Where no pod brought any file: the reason of the first one.
    pub(super) fn nothing_because(&self) -> Option<String> {
        let first = self.pods.values().next()?;
        let empty = self.pods.values().all(|pod| pod.files.is_empty());
        empty.then(|| first.why.clone().unwrap_or_default())
    }

    /// How many pods are complete and which are not, for a person; and whether that is enough.
    pub(super) fn completeness(&self, min: &MinComplete) -> (String, bool) {
        let lacking: Vec<_> = self.pods.values().filter(is_lacking).collect();
        let expected = self.pods.len();
        if lacking.is_empty() {
            return (format!("all {expected} pods are complete"), true);
        }
        let named: Vec<_> = lacking
            .iter()
            .take(NAMED)
            .map(|pod| in_words(pod))
            .collect();
        let more = if lacking.len() > NAMED {
            "; the manifest names all"
        } else {
            ""
        };
        let text = format!(
            "{} of {expected} pods not complete: {}{more}",
            lacking.len(),
            named.join("; ")
        );
        if self.counts().is_enough(min) {
            let text = format!("complete enough by PROFILER_MIN_COMPLETE; {text}");
            return (text, true);
        }
        (text, false)
    }

    /// The kinds of which no pod has any samples, though that is no fault, and why.
    pub(super) fn empty_kinds(&self) -> BTreeMap<String, String> {
        let none = |kind: &Kind| !self.sampled.contains(kind);
        let empty = self.empty.iter().filter(|(kind, _)| none(kind));
        let in_words = |whys: &BTreeSet<&str>| whys.iter().copied().collect::<Vec<_>>().join("; ");
        empty
            .map(|(kind, whys)| (kind.file_name().to_owned(), in_words(whys)))
            .collect()
    }

    /// Notes what was shipped of a pod from within the window.
    pub(super) fn note_snapshots(&mut self, name: &str, files: Vec<File>) {
        if let Some(pod) = self.pods.get_mut(name) {
            pod.snapshots = files;
        }
    }

    /// What the pods of each component did in the window.
    pub(super) fn in_window(&self) -> BTreeMap<Component, ComponentNumbers> {
        let mut components: BTreeMap<Component, ComponentNumbers> = BTreeMap::new();
        for Pod { pod, in_window, .. } in self.pods.values() {
            if let Some(numbers) = in_window {
                let component = components.entry(pod.component).or_default();
                component.add(&pod.name, numbers);
            }
        }
        components
    }

    /// The pods, by name.
    pub(super) fn into_pods(self) -> Vec<Pod> {
        self.pods.into_values().collect()
    }
}

fn is_lacking(pod: &&Pod) -> bool {
    pod.state != State::Complete
}

fn in_words(pod: &Pod) -> String {
    let why = pod.why.as_deref().unwrap_or_default();
    format!("{} ({why})", pod.pod.name)
}
