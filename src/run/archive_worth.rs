//! What an attempt of a run has shipped, and what that is worth beside another archive of the run.

use crate::config::RunId;
use crate::destination::{Destination, DestinationError, PodCounts, Summary};
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

/// The most pods that the archive of an earlier attempt may have beside one that expects so many: its manifest is in
/// memory beside the dump. An attempt that takes up a window expects the pods of the one that opened it.
pub(super) fn most_pods(expected: usize) -> usize {
    2 * expected + 100
}

impl ShippedRun {
    /// Reads the manifest whole, of so many pods at most, and says what the archive is worth.
    ///
    /// # Errors
    /// It cannot be read or understood, or has more pods.
    pub(super) async fn read(
        place: &Destination,
        run_id: &RunId,
        summary: &Summary,
        most_pods: usize,
    ) -> Result<(Worth, Self), DestinationError> {
        let pods = summary.pods.expected();
        if pods > most_pods {
            return Err(DestinationError {
                action: "take the manifest of",
                object: run_id.to_string(),
                detail: format!("it has {pods} pods, and a run like this one {most_pods} at most"),
                permanent: true,
            });
        }
        let manifest = place.manifest(run_id, pods).await?;
        let worth = Worth::new(
            &summary.pods,
            manifest.pods.iter(),
            manifest.pods.iter().any(|pod| !pod.snapshots.is_empty()),
            manifest.vmi_latencies.as_ref(),
        );
        let shipped = Self {
            place: place.clone(),
            run_id: run_id.clone(),
            manifest,
        };
        Ok((worth, shipped))
    }
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
