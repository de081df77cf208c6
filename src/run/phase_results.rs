//! What each phase of a run hands to the next.

use jiff::Timestamp;
use tokio::time::Instant;

use super::archive_worth::ShippedRun;
use super::outcome::Fault;
use super::pod_results::PodResults;
use super::report_page::ReportPage;
use crate::cluster::install::Install;
use crate::cluster::lease::Journal;
use crate::cluster::pods::ComponentPod;
use crate::cluster::profiler::ProfilerState;
use crate::cluster::vmis::Follower;
use crate::config::{MinComplete, RunId};
use crate::destination::{Found, Summary};
use crate::manifest::{
    ExpectedPod, File, RunComparison, StoredFile, Surroundings, VmiLatencies, Window,
};
use crate::outcome::ExitCode;
use crate::window::WindowEnd;

/// Preflight's result.
#[derive(Debug)]
pub(super) enum Preflight {
    /// The run can begin.
    Ready(Ready),
    /// The run is at the destination already, for good.
    AlreadyThere(Box<Summary>),
}

/// A run that can begin.
#[derive(Debug)]
pub(super) struct Ready {
    /// Whether the profiler is on.
    pub(super) profiler: ProfilerState,
    /// What there is of the run at its destinations.
    pub(super) found: Found,
}

/// A run that cannot begin.
pub(super) struct Refused {
    /// Why.
    pub(super) fault: Fault,
    /// The KubeVirt in which a dead run may have left something. That is dealt with first.
    pub(super) clean_up_in: Option<Box<Install>>,
}

/// The component pods of a run.
#[derive(Debug)]
pub(super) struct ReadyPods {
    /// Every pod that start will reach.
    pub(super) ready: Vec<ComponentPod>,
    /// Those of them that are expected in the dump.
    pub(super) expected: Vec<ExpectedPod>,
}

/// The lock phase's result.
#[derive(Debug)]
pub(super) enum Locked {
    /// The run has the lock.
    Held {
        /// The journal of an attempt of this run that died after it had sent start.
        resumed: Option<Box<Journal>>,
        /// Whether the profiler may be off.
        may_be_off: bool,
    },
    /// Another attempt has shipped the run.
    AlreadyThere {
        manifest: Box<Summary>,
        /// What nobody could undo of what a dead run had left, for a person.
        left: Option<String>,
    },
}

/// A pod at which start went on failing while the others profile.
#[derive(Debug, Clone)]
pub(super) struct StartFailed {
    pub(super) pod: String,
    pub(super) why: String,
}

/// Profiling that was started.
#[derive(Debug)]
pub(super) struct Started {
    /// When start had been answered.
    pub(super) at: Timestamp,
    /// The same moment, by a clock that nobody sets.
    pub(super) since: Instant,
    pub(super) failed: Option<StartFailed>,
    /// The pods that are expected in the dump.
    pub(super) expected: Vec<ExpectedPod>,
    /// The virtual machine instances that this attempt follows.
    pub(super) vmis: Option<Follower>,
    /// What surrounds the run, as this attempt saw it before the start.
    pub(super) surroundings: Option<Surroundings>,
}

/// A window that is over.
#[derive(Debug)]
pub(super) struct WindowOver {
    pub(super) started: Started,
    pub(super) end: WindowEnd,
    /// When it ended, of a window that an attempt had opened which died.
    pub(super) stopped: Option<Timestamp>,
    /// The engine in whose dump an attempt died, if it was noted.
    pub(super) died_dumping: Option<String>,
    /// What the manifest warns of: a clock that does not tell when the window ended, or snapshots that are gone.
    pub(super) warnings: Vec<String>,
}

/// A window whose stop was sent. In a run that was told to stop it may not be confirmed yet: it goes on during
/// the dump.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) window: Window,
    pub(super) workload_exit_code: Option<u8>,
    pub(super) start_failed: Option<StartFailed>,
    /// The engine in whose dump an attempt died, if it was noted.
    pub(super) died_dumping: Option<String>,
    /// What the manifest warns of: a clock that does not tell when the window ended, or snapshots that are gone.
    pub(super) warnings: Vec<String>,
    /// The pods that are expected in the dump.
    pub(super) expected: Vec<ExpectedPod>,
    /// When the stop is given up, confirmed or not.
    pub(super) stop_until: Instant,
    /// How fast virtual machine instances came up, where that was asked for.
    pub(super) vmi_latencies: Option<VmiLatencies>,
    /// What surrounds the run.
    pub(super) surroundings: Surroundings,
}

/// An archive that is at its destination, and has no manifest yet.
#[derive(Debug, Clone)]
pub(super) struct Dumped {
    pub(super) archive: StoredFile,
    /// The id that the run has at its destination.
    pub(super) run_id: RunId,
    /// `cluster.json`, as it lies in the archive.
    pub(super) cluster_file: File,
    pub(super) pods: PodResults,
    /// The pods that may go on profiling.
    pub(super) unstopped: Vec<String>,
    /// The archive of an earlier attempt, if this is it, because it has as much.
    pub(super) kept: Option<ShippedRun>,
    /// The page that goes beside the archive.
    pub(super) page: ReportPage,
    /// Whether an earlier attempt may have left a page of another archive in its place.
    pub(super) may_have_stale_page: bool,
    /// The engine that dumped.
    pub(super) engine: String,
    /// What the manifest warns of: that another engine dumped than was asked for, that the run has another id, or that the clock was set
    /// back.
    pub(super) warnings: Vec<String>,
}

impl Dumped {
    /// The archive of an earlier attempt, with its page, beside which this attempt dumped no more.
    pub(super) fn of_earlier(kept: ShippedRun, now: &PodResults) -> Self {
        Self {
            archive: kept.manifest.archive.clone(),
            run_id: kept.run_id.clone(),
            cluster_file: kept.manifest.cluster_file.clone(),
            pods: PodResults::of_earlier(&kept.manifest, now),
            unstopped: Vec::new(),
            page: ReportPage::unwanted(),
            may_have_stale_page: false,
            engine: kept.manifest.engine.clone(),
            warnings: Vec::new(),
            kept: Some(kept),
        }
    }
}

/// A dump, after which the profiler was put back as it was before the run, or left on for a reason.
#[derive(Debug, Clone)]
pub(super) struct Restored {
    pub(super) dumped: Dumped,
    /// That the profiler is left on, and what to do about it.
    pub(super) left_on: Option<String>,
}

impl Restored {
    /// A copy, if the profiler could not be turned off though every pod has stopped: it may be tried again.
    pub(super) fn left_to_put_back(&self) -> Option<Self> {
        let may_be_tried = self.left_on.is_some() && self.dumped.unstopped.is_empty();
        may_be_tried.then(|| self.clone())
    }
}

/// A run that came to its end, whatever it found, by this attempt or by an earlier one.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What the process exits with.
    pub(crate) code: ExitCode,
    /// Why.
    pub(crate) reason: String,
    /// The archive; a dry run has none.
    pub(crate) archive: Option<StoredFile>,
    /// The workload's exit code, if it told.
    pub(crate) workload_exit_code: Option<u8>,
    /// Whether the run is over for good, so that no other attempt is to ship what the pods have.
    pub(crate) is_final: bool,
    /// What changed against the runs before, where this attempt looked.
    pub(crate) comparison: Option<RunComparison>,
}

impl Finished {
    /// A run that another attempt has shipped. One that was told to stop has the code that it would have had
    /// without that, for nothing more can be added to it.
    ///
    /// # Errors
    /// Its manifest has an exit code that this program does not know.
    pub(super) fn already_there(manifest: Summary, min: &MinComplete) -> Result<Self, Fault> {
        let run_id = &manifest.run_id;
        let code = ExitCode::from_number(manifest.exit_code).ok_or_else(|| {
            let code = manifest.exit_code;
            let message = format!("the manifest of run {run_id} has the unknown exit code {code}");
            Fault::new(ExitCode::DestinationRefused, message)
        })?;
        Ok(Self {
            code: if code.is_final() {
                code
            } else {
                manifest.due(min)
            },
            reason: format!("run {run_id} is already there: {}", manifest.reason),
            archive: Some(manifest.archive),
            workload_exit_code: manifest.workload_exit_code,
            is_final: true,
            comparison: None,
        })
    }

    /// The same, with something that it has left in the cluster.
    pub(super) fn leaving(self, left: Option<String>) -> Self {
        let Some(left) = left else { return self };
        let is_incomplete = matches!(
            self.code,
            ExitCode::Complete | ExitCode::Workload | ExitCode::Regression
        );
        Self {
            code: if is_incomplete {
                ExitCode::Incomplete
            } else {
                self.code
            },
            reason: format!("{left}; {}", self.reason),
            ..self
        }
    }

    /// A dry run that found nothing in the way.
    pub(super) fn dry_run() -> Self {
        Self {
            code: ExitCode::Complete,
            reason: "dry run: nothing was changed".to_owned(),
            archive: None,
            workload_exit_code: None,
            is_final: true,
            comparison: None,
        }
    }
}
