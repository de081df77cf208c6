//! The archive of an earlier attempt of the run: it is replaced only by one that is better.

use tokio::time::timeout;

use super::context::{Context, Target};
use super::outcome::Fault;
use crate::destination::{Destination, DestinationError, Found, PodCounts, ShippedRun};
use crate::limits::ADVICE_WAIT;

/// What earlier attempts have left at the destinations.
#[derive(Debug)]
pub(super) struct EarlierArchive<'a> {
    /// What there is under the name of the new archive's manifest.
    here: Here,
    /// The archive that has the most, wherever it is.
    best: Option<Best<'a>>,
}

#[derive(Debug)]
enum Here {
    Nothing,
    Manifest,
    Unknown,
}

#[derive(Debug)]
struct Best<'a> {
    place: &'a Destination,
    pods: PodCounts,
}

impl<'a> EarlierArchive<'a> {
    /// Looks for it where the new archive goes, and at the run's other places, as far as those can be read.
    ///
    /// # Errors
    /// The target cannot be read, or what bears the manifest's name there is not to be overwritten.
    pub(super) async fn find(
        context: &'a Context,
        target: &Target<'a>,
    ) -> Result<Self, DestinationError> {
        let run = &context.config.run_id;
        let mut earlier = Self {
            here: Here::Nothing,
            best: None,
        };
        let found = target.destination.find(run).await?;
        match found.of_cluster(context.cluster_uid()) {
            Found::Absent | Found::Unfinished(_) => {}
            Found::Invalid(error) | Found::Mismatched(error) => return Err(error),
            Found::Unknown => earlier.here = Here::Unknown,
            Found::Complete(manifest) => {
                earlier.here = Here::Manifest;
                earlier.consider(target.destination, manifest.pods);
            }
        }
        let is_other = |place: &&Destination| !std::ptr::eq(*place, target.destination);
        for place in context.destinations().filter(is_other) {
            let found = timeout(ADVICE_WAIT, place.find(run)).await;
            let found =
                found.map(|found| found.map(|found| found.of_cluster(context.cluster_uid())));
            if let Ok(Ok(Found::Complete(manifest))) = found {
                earlier.consider(place, manifest.pods);
            }
        }
        Ok(earlier)
    }

    /// Whether no archive is known that could stay.
    pub(super) fn is_absent(&self) -> bool {
        self.best.is_none()
    }

    fn consider(&mut self, place: &'a Destination, pods: PodCounts) {
        let best = self.best.as_ref();
        if best.is_none_or(|best| !best.pods.is_as_good_as(&pods)) {
            self.best = Some(Best { place, pods });
        }
    }

    /// The earlier archive, where what was dumped now is no better.
    ///
    /// # Errors
    /// Its manifest cannot be read.
    pub(super) async fn if_as_good(
        &self,
        context: &Context,
        now: &PodCounts,
    ) -> Result<Option<ShippedRun>, DestinationError> {
        let best = self.best.as_ref();
        let Some(best) = best.filter(|best| best.pods.is_as_good_as(now)) else {
            return Ok(None);
        };
        let read = best
            .place
            .manifest(&context.config.run_id, best.pods.expected());
        Ok(Some(ShippedRun {
            place: best.place.clone(),
            manifest: read.await?,
        }))
    }

    /// Removes the manifest that is where the new archive goes, for it would vouch for that one. It is
    /// remembered until the new archive has its name.
    ///
    /// # Errors
    /// The manifest is there and cannot be removed.
    pub(super) async fn give_way(
        &self,
        context: &Context,
        target: &Target<'_>,
        now: &PodCounts,
    ) -> Result<(), DestinationError> {
        let (run, place) = (&context.config.run_id, target.destination);
        match self.here {
            Here::Nothing => Ok(()),
            Here::Manifest => {
                match place.manifest(run, now.expected()).await {
                    Ok(manifest) => {
                        let place = place.clone();
                        *context.set_aside() = Some(ShippedRun { place, manifest });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "an earlier manifest is removed, and could not be put back");
                    }
                }
                place.remove_manifest(run).await
            }
            Here::Unknown => {
                if let Err(error) = place.remove_manifest(run).await {
                    tracing::warn!(%error, "a manifest that may be there stays until it is replaced");
                }
                Ok(())
            }
        }
    }
}

/// Puts a manifest back that was set aside for an archive which never appeared: the one that it describes is
/// still there.
pub(super) async fn put_back(context: &Context) {
    let set_aside = context.set_aside().clone();
    let Some(ShippedRun { place, manifest }) = set_aside else {
        return;
    };
    let run = &context.config.run_id;
    let put = async {
        let found = place.find(run).await?;
        if !matches!(found, Found::Unfinished(bytes) if bytes == manifest.archive.bytes) {
            return Ok(());
        }
        let json = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
        place.put_manifest(run, json).await?;
        tracing::info!(
            "the archive of an earlier attempt is there still: its manifest is put back"
        );
        Ok::<_, Fault>(())
    };
    match put.await {
        Ok(()) => *context.set_aside() = None,
        Err(error) => {
            tracing::warn!(%error, "the archive of an earlier attempt stays without its manifest");
        }
    }
}
