//! The archive of an earlier attempt of the run: it is replaced only by one that is better.

use std::future::pending;

use tokio::time::{sleep, timeout};

use super::archive_worth::{ShippedRun, Worth, most_pods};
use super::context::{Context, Target};
use super::destination_patience::insist;
use super::outcome::Fault;
use crate::config::{RunFile, RunId};
use crate::destination::{Destination, DestinationError, Found};
use crate::limits::{ADVICE_WAIT, TOLD_LOOK};

/// What earlier attempts have left at the destinations.
#[derive(Debug)]
pub(super) struct EarlierArchive {
    /// The id that the new archive has.
    run_id: RunId,
    /// Why that is not the run's own.
    pub(super) why_beside: Option<String>,
    /// What there is under the name of the new archive's manifest.
    here: Here,
    /// The archives at the run's other places.
    elsewhere: Vec<Earlier>,
    /// Whether those are at a place that has just failed.
    has_failed_elsewhere: bool,
}

#[derive(Debug)]
enum Here {
    Nothing,
    /// An archive that no manifest vouches for, and maybe its page.
    Unfinished,
    Manifest(Earlier),
    Unknown,
}

/// An archive that an earlier attempt has shipped.
#[derive(Debug)]
struct Earlier {
    worth: Worth,
    shipped: ShippedRun,
}

impl EarlierArchive {
    /// Looks for it where the new archive goes, and at the run's other places, as far as those can be read. Each
    /// manifest is read now, whole: once the pods are dumped, none that cannot be read may stand in the way. What
    /// cannot be understood, or is of many more pods than this attempt expects, is not overwritten, and nobody knows what
    /// it is worth: the new archive goes beside it.
    ///
    /// # Errors
    /// The target cannot be read now, or cannot be understood beside the run's name, too.
    pub(super) async fn find(
        context: &Context,
        target: &Target<'_>,
        expected: usize,
    ) -> Result<Self, DestinationError> {
        let place = target.destination;
        let run_id = &context.config.run_id;
        let most = most_pods(expected);
        let (here, elsewhere) = tokio::join!(
            look(place, run_id, context, most),
            look_elsewhere(context, place, most)
        );
        let found = |run_id: &RunId, why_beside, here| Self {
            run_id: run_id.clone(),
            why_beside,
            here,
            elsewhere,
            has_failed_elsewhere: target.fallback_reason.is_some(),
        };
        let error = match here {
            Err(error) if error.permanent => error,
            here => return Ok(found(run_id, None, here?)),
        };
        let run_id = run_id.beside();
        let Ok(here) = look(place, &run_id, context, most).await else {
            return Err(error);
        };
        let why = format!("the run is shipped under the id {run_id}: {error}");
        tracing::warn!("{why}");
        Ok(found(&run_id, Some(why), here))
    }

    /// The id that the new archive has.
    pub(super) fn new_run_id(&self) -> &RunId {
        &self.run_id
    }

    /// Whether no archive is known that could stay.
    pub(super) fn is_absent(&self) -> bool {
        self.best().is_none()
    }

    /// Whether an attempt may have left a page where the new archive goes.
    pub(super) fn may_have_page(&self) -> bool {
        match &self.here {
            Here::Nothing => false,
            Here::Unfinished | Here::Unknown => true,
            Here::Manifest(earlier) => earlier.shipped.manifest.report.is_some(),
        }
    }

    /// The archive that has the most, wherever it is.
    fn best(&self) -> Option<&Earlier> {
        let here = match &self.here {
            Here::Manifest(earlier) => Some(earlier),
            Here::Nothing | Here::Unfinished | Here::Unknown => None,
        };
        let all = here.into_iter().chain(&self.elsewhere);
        all.reduce(|best, other| {
            if other.worth > best.worth {
                other
            } else {
                best
            }
        })
    }

    /// The earlier archive, where what was dumped now is no better. One that is as good, at a place that has just failed,
    /// gives way: this attempt may have shipped it there itself, and its manifest cannot be brought up to date.
    pub(super) fn if_as_good(&self, now: &Worth) -> Option<ShippedRun> {
        let best = self.best()?;
        let is_here = matches!(&self.here, Here::Manifest(here) if here.worth == best.worth);
        let suffices =
            best.worth > *now || (best.worth == *now && (is_here || !self.has_failed_elsewhere));
        suffices.then(|| best.shipped.clone())
    }

    /// Removes what killed attempts have uploaded, unless the run was told to stop: its own archive comes first.
    pub(super) async fn remove_left_uploads(&self, context: &Context, target: &Target<'_>) {
        tokio::select! {
            biased;
            _ = context.shutdown.requested() => {}
            () = target.destination.abort_left(&self.run_id) => {}
        }
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
    ) -> Result<(), DestinationError> {
        let removed = || {
            target
                .destination
                .remove_file(&self.run_id, RunFile::Manifest)
        };
        match &self.here {
            Here::Nothing | Here::Unfinished => Ok(()),
            Here::Manifest(earlier) => {
                *context.set_aside() = Some(earlier.shipped.clone());
                let given_up = context.shutdown.stop_time_is_over();
                insist(
                    &context.cluster.connection,
                    &self.run_id,
                    given_up,
                    |()| false,
                    removed,
                )
                .await
            }
            Here::Unknown => {
                if let Err(error) = removed().await {
                    tracing::warn!(%error, "a manifest that may be there stays until it is replaced");
                }
                Ok(())
            }
        }
    }
}

/// Looks under a run's name, until the answer is believed.
///
/// # Errors
/// The place cannot be read, or what is there cannot be understood, or is not the run of this cluster.
async fn look(
    place: &Destination,
    run_id: &RunId,
    context: &Context,
    most_pods: usize,
) -> Result<Here, DestinationError> {
    let is_unknown = |here: &Here| matches!(here, Here::Unknown);
    let look = || look_once(place, run_id, context.cluster_uid(), most_pods);
    // Without this look nothing is shipped, even where the dump's time is over at once.
    let given_up = async {
        context.shutdown.dump_time_is_over().await;
        sleep(TOLD_LOOK).await;
    };
    insist(
        &context.cluster.connection,
        run_id,
        given_up,
        is_unknown,
        look,
    )
    .await
}

/// Looks at the run's other places, shortly: what cannot be read there does not stand in the way.
async fn look_elsewhere(context: &Context, here: &Destination, most_pods: usize) -> Vec<Earlier> {
    let run_id = &context.config.run_id;
    let mut found = Vec::new();
    for place in context.other_destinations(here) {
        let hurried = async {
            context.shutdown.requested().await;
            sleep(TOLD_LOOK).await;
        };
        let looked = tokio::select! {
            looked = timeout(ADVICE_WAIT, look(place, run_id, context, most_pods)) => looked,
            () = hurried => continue,
        };
        if let Ok(Ok(Here::Manifest(earlier))) = looked {
            found.push(earlier);
        }
    }
    found
}

/// Looks under a run's name, for a cluster and so many pods at most.
async fn look_once(
    place: &Destination,
    run_id: &RunId,
    cluster: Option<&str>,
    most_pods: usize,
) -> Result<Here, DestinationError> {
    match place.find(run_id).await?.of_cluster(cluster) {
        Found::Absent => Ok(Here::Nothing),
        Found::Unfinished(_) => Ok(Here::Unfinished),
        Found::Invalid(error) | Found::Mismatched(error) => Err(error),
        Found::Unknown => Ok(Here::Unknown),
        Found::Complete(summary) => {
            let (worth, shipped) = ShippedRun::read(place, run_id, &summary, most_pods).await?;
            Ok(Here::Manifest(Earlier { worth, shipped }))
        }
    }
}

/// Puts a manifest back that was set aside for an archive which never appeared: the one that it describes is
/// still there.
pub(super) async fn put_back(context: &Context, set_aside: ShippedRun) {
    let ShippedRun {
        place,
        run_id,
        manifest,
    } = set_aside;
    let put = async {
        let is_unknown = |found: &Found| matches!(found, Found::Unknown | Found::Invalid(_));
        // Whoever rolls back has a limit of its own.
        let given_up = pending();
        let find = || place.find(&run_id);
        let found = insist(
            &context.cluster.connection,
            &run_id,
            given_up,
            is_unknown,
            find,
        )
        .await?;
        if !matches!(found, Found::Unfinished(bytes) if bytes == manifest.archive.bytes) {
            return Ok(());
        }
        let json = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
        place.put(&run_id, RunFile::Manifest, json).await?;
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
