//! What an attempt of a run has shipped, and what that is worth beside another archive of the run.

use crate::config::RunId;
use crate::destination::{Destination, PodCounts};
use crate::manifest::{Manifest, Pod, VmiLatencies};

/// A run that is at a destination, with all of its manifest.
#[derive(Debug, Clone)]
pub(super) struct ShippedRun {
    /// Where it is.
    pub(super) place: Destination,
    /// The id that it has there.
    pub(super) run_id: RunId,
    /// Its manifest.
    pub(super) manifest: Box<Manifest>,
}

/// What an archive of a run is worth beside another, the field that counts most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Worth {
    complete: usize,
    /// What no other attempt can bring again: how many it has of deltas, snapshots, and latencies from a watch.
    of_window: usize,
    with_files: usize,
}

impl Worth {
    /// Of an archive with these pods.
    pub(super) fn new<'a>(
        counts: &PodCounts,
        pods: impl Iterator<Item = &'a Pod>,
        has_snapshots: bool,
        vmis: Option<&VmiLatencies>,
    ) -> Self {
        let has_baseline = |pod: &Pod| {
            let numbers = pod.in_window.as_ref();
            numbers.is_some_and(|numbers| numbers.baseline_at.is_some())
        };
        let of_window = [
            pods.into_iter().any(has_baseline),
            has_snapshots,
            vmis.is_some_and(|latencies| latencies.watched),
        ];
        Self {
            complete: counts.complete(),
            of_window: of_window.into_iter().filter(|has| *has).count(),
            with_files: counts.with_files(),
        }
    }
}
