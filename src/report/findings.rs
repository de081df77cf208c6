//! What a report shows: a run's manifest, and its profiles added up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::top::TopRow;
use super::tree::Tree;
use crate::component::Component;
use crate::diff::Diff;
use crate::manifest::Manifest;
use crate::pprof::{Kind, SampleType};

/// A run's manifest, and what its archive's profiles have in sum.
#[derive(Debug)]
pub struct Findings {
    /// What the run says of itself.
    pub manifest: Arc<Manifest>,
    /// What each component has of each profile: components in their order, then kinds in theirs, then the whole,
    /// the delta and the growth. Profiles that no pod has are not there.
    pub profiles: Vec<Profiled>,
    /// What the snapshots of the window add up to, in their order.
    pub snapshots: Vec<SnapshotTotals>,
    /// How the run's numbers compare with those of the runs before it, where that was asked for.
    pub comparison: Option<Diff>,
    /// What it has more, or less, than one of those runs, where that was asked for.
    pub differences: Option<Differences>,
    /// What of the run's own archive could not be read.
    pub unread: Vec<Unread>,
    /// Whether names are replaced ([`redact`](super::redact())).
    pub is_redacted: bool,
}

/// What a component has of a profile.
#[derive(Debug)]
pub struct Profiled {
    /// The component.
    pub component: Component,
    /// The profile.
    pub kind: Kind,
    /// Which part of it.
    pub part: Part,
    /// The names of the pods that were added up.
    pub pods: Vec<String>,
    /// The sum of each value of each of these pods, in their order.
    pub totals: Vec<Vec<i64>>,
    /// How many pods of the component the run expected.
    pub expected: usize,
    /// The index of the value that is shown first.
    pub shown: usize,
    /// All pods together, without frames that are too small to be seen.
    pub merged: Tree,
    /// The functions that have the most of each value, of all pods together.
    pub top: Vec<Vec<TopRow>>,
    /// Single pods that are worth a look of their own: outliers and the largest.
    pub of_pods: Vec<PodStacks>,
    /// The functions that have the most of the value that is shown first, of the other pods.
    pub tops: Vec<PodTop>,
}

/// Which part of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The profile itself.
    Whole,
    /// What came in the window, below `delta`.
    Delta,
    /// What there was more, or less, than before the window, below `growth`. Values may be negative.
    Growth,
}

impl Part {
    /// Its name, which is that of its folder in an archive but for the profile itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Delta => "delta",
            Self::Growth => "growth",
        }
    }

    /// Where it is below its pod or its component.
    pub(crate) fn path_of(self, kind: Kind) -> PathBuf {
        match self {
            Self::Whole => kind.file_name().into(),
            Self::Delta | Self::Growth => Path::new(self.name()).join(kind.file_name()),
        }
    }
}

/// Why a pod has stacks of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// It is far from the others.
    Outlier,
    /// It leads its component.
    Leader,
    /// It is one of those that have the most.
    Largest,
}

/// The profile of one pod.
#[derive(Debug)]
pub struct PodStacks {
    /// The pod's name.
    pub pod: String,
    /// Why it has stacks of its own.
    pub why: Chosen,
    /// Its stacks, without frames that are too small to be seen.
    pub tree: Tree,
    /// The functions that have the most of the value that is shown first.
    pub top: Vec<TopRow>,
}

/// The functions that have the most of a value in one pod.
#[derive(Debug)]
pub struct PodTop {
    /// The pod's name.
    pub pod: String,
    /// They.
    pub rows: Vec<TopRow>,
}

/// What a run has more, or less, than an earlier one.
#[derive(Debug)]
pub struct Differences {
    /// The earlier run's id.
    pub run_id: String,
    /// Each profile that both runs have, in the order of a run's profiles.
    pub profiles: Vec<Difference>,
    /// What of the earlier run's archive could not be read.
    pub unread: Vec<Unread>,
}

/// What a component has more, or less, of a profile than in an earlier run.
#[derive(Debug)]
pub struct Difference {
    /// The component.
    pub component: Component,
    /// The profile.
    pub kind: Kind,
    /// Which part of it.
    pub part: Part,
    /// The unit of the value that is compared.
    pub unit: String,
    /// How many pods were added up, of the earlier run and of this one.
    pub pods: [usize; 2],
    /// What they have in all, each run by itself.
    pub totals: [i64; 2],
    /// By what the earlier run's values are multiplied, so that they are of a window as long as this run's.
    pub factor: f64,
    /// The differences, of one value. Functions have the names by which they are compared.
    pub merged: Tree,
    /// The functions that differ by the most.
    pub top: Vec<TopRow>,
}

/// What a component's pods have of a profile in one snapshot.
#[derive(Debug)]
pub struct SnapshotTotals {
    /// The snapshot's name.
    pub snapshot: String,
    /// The component.
    pub component: Component,
    /// The profile.
    pub kind: Kind,
    /// How many pods were added up.
    pub pods: usize,
    /// The meaning of each value.
    pub types: Vec<SampleType>,
    /// The sum of each value.
    pub totals: Vec<i64>,
}

/// What could not be read.
#[derive(Debug, Clone)]
pub struct Unread {
    /// The file's path in the archive, or the archive's own.
    pub path: String,
    /// Why.
    pub why: String,
}
