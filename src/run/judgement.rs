//! What a pod brought, held against the window.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::archive::{Baseline, PodBundle};
use crate::limits::CLOCK_DIFFERENCE;
use crate::manifest::{State, Window};
use crate::pprof::proto::Summary;

/// What a pod's bundle has to be like.
#[derive(Debug)]
pub(super) struct Expectation {
    pub(super) window: Window,
    /// How far a cpu profile may fall short of the window.
    pub(super) slack: Duration,
    /// Pods whose container restarted in the window.
    pub(super) restarted: BTreeSet<String>,
    /// What was there before the window, if that was asked for.
    pub(super) baseline: Option<Baseline>,
}

/// The judgement of what a pod brought.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) state: State,
    /// Why, unless it is complete.
    pub(super) why: Option<String>,
    /// Whether its cpu profile is of this window: so it was started, and has stopped.
    pub(super) of_window: bool,
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
