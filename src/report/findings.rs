//! What a report shows: a run's manifest, and its profiles added up.

use super::tree::Tree;
use crate::component::Component;
use crate::manifest::Manifest;
use crate::pprof::Kind;

/// A run's manifest, and what its archive's profiles have in sum.
#[derive(Debug)]
pub struct Findings {
    /// What the run says of itself.
    pub manifest: Manifest,
    /// What each component has of each profile: components in their order, then kinds in theirs, then the whole,
    /// the delta and the growth. Profiles that no pod has are not there.
    pub profiles: Vec<Profiled>,
    /// What of the archive could not be read.
    pub unread: Vec<Unread>,
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
    /// How many pods of the component the run expected.
    pub expected: usize,
    /// All pods together.
    pub merged: Tree,
    /// Single pods that are worth a look of their own: outliers, leaders and the largest.
    pub of_pods: Vec<PodStacks>,
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

/// The profile of one pod.
#[derive(Debug)]
pub struct PodStacks {
    /// The pod's name.
    pub pod: String,
    /// Its stacks.
    pub tree: Tree,
}

/// What could not be read.
#[derive(Debug)]
pub struct Unread {
    /// The file's path in the archive, or the archive's own.
    pub path: String,
    /// Why.
    pub why: String,
}
