//! The results of the expected pods: what each one brought, and whether it is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::archive::PodBundle;
use crate::config::MinComplete;
use crate::destination::PodCounts;
use crate::limits::CLOCK_DIFFERENCE;
use crate::manifest::{ExpectedPod, File, Manifest, Pod, State, Uncounted, UnexpectedName, Window};
use crate::pprof::proto::Summary;

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
}

/// What a pod's bundle has to be like.
#[derive(Debug)]
pub(super) struct Expectation {
    pub(super) window: Window,
    /// How far a cpu profile may fall short of the window.
    pub(super) slack: Duration,
    /// Pods whose container restarted in the window.
    pub(super) restarted: BTreeSet<String>,
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
}

/// The judgement of what a pod brought.
#[derive(Debug)]
pub(super) struct Judgement {
    state: State,
    /// Why, unless it is complete.
    why: Option<String>,
    /// Whether its cpu profile is of this window: so it was started, and has stopped.
    of_window: bool,
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
                mem_stats: BTreeMap::new(),
                files: Vec::new(),
            };
            (pod.pod.name.clone(), pod)
        };
        Self {
            pods: expected.into_iter().map(missing).collect(),
            of_window: BTreeSet::new(),
            uncounted: Vec::new(),
            unexpected_names: Vec::new(),
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
            let stats = shipped.mem_stats.into_iter();
            pod.mem_stats = stats.map(|(stat, value)| (stat, value.into())).collect();
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

/// Judges a pod by what is in its bundle.
pub(super) fn judge(pod: &str, bundle: &PodBundle, expectation: &Expectation) -> Judgement {
    let lacking = bundle.lacking();
    if !lacking.is_empty() {
        let files: Vec<_> = lacking.into_iter().map(|kind| kind.file_name()).collect();
        return Judgement {
            state: State::Missing,
            why: Some(format!("its dump lacks {}", files.join(", "))),
            of_window: false,
        };
    }
    let has_restarted = expectation.restarted.contains(pod);
    let restarted = has_restarted.then(|| "its container restarted in the window".to_owned());
    let stale = bundle.cpu.as_ref().and_then(|cpu| stale(cpu, expectation));
    let of_window = bundle.cpu.is_some() && stale.is_none() && !has_restarted;
    let whys: Vec<_> = restarted
        .into_iter()
        .chain(stale)
        .chain(bundle.damage())
        .collect();
    if whys.is_empty() {
        return Judgement {
            state: State::Complete,
            why: None,
            of_window,
        };
    }
    Judgement {
        state: State::Damaged,
        why: Some(whys.join("; ")),
        of_window,
    }
}

/// Why a cpu profile is not of this window, by its own account of its times.
///
/// Its length may fall short of the window's, for pods start and stop one after another; a longer one
/// is no fault.
fn stale(cpu: &Summary, expectation: &Expectation) -> Option<String> {
    let window = &expectation.window;
    let length = window.stop.duration_since(window.start);
    let covered = SignedDuration::from_nanos(cpu.duration_nanos);
    let slack = SignedDuration::try_from(expectation.slack).unwrap_or(SignedDuration::MAX);
    if covered.saturating_add(slack) < length {
        return Some(format!(
            "cpu covers {:.1} s of the window's {:.1} s: somebody else started or stopped the profiler",
            covered.as_secs_f64(),
            length.as_secs_f64()
        ));
    }
    let Ok(time) = Timestamp::from_nanosecond(cpu.time_nanos.into()) else {
        return Some("cpu.pprof has no time that makes sense".to_owned());
    };
    let off = time.duration_since(window.start).abs();
    (off > CLOCK_DIFFERENCE).then(|| {
        format!(
            "cpu was taken at {time:.0}, not in this window, which began at {:.0}: it is stale, or the clocks of \
             this node and the pod's differ",
            window.start
        )
    })
}
