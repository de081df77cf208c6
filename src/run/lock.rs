//! Taking the cluster's lock, and dealing with what a dead run left.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::Fault;
use super::gate;
use super::site::Site;
use crate::cluster::install::Install;
use crate::cluster::lease::{self, Acquired, Journal, LeaseError, Stage, StartedPod};
use crate::cluster::pods;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::manifest::ExpectedPod;
use crate::outcome::ExitCode;

/// Takes the lock, waiting that long for a live holder, and gives what its last holder left, and
/// whether there was a holder to wait for. Whatever is left stays there until somebody has dealt with
/// it.
///
/// # Errors
/// A live run keeps it, or the API server failed.
pub(super) async fn take(
    site: &Site,
    install: &Install,
    wait: Duration,
) -> Result<(Option<Journal>, bool), LeaseError> {
    let (run_id, until) = (site.run_id.clone(), Instant::now() + wait);
    let Acquired {
        lease,
        left,
        waited,
    } = lease::acquire(&site.connection, &install.namespace, &run_id, until).await?;
    let left = left.filter(Journal::is_open);
    let record = left.clone().unwrap_or_else(|| Journal::new(run_id));
    site.hold.keep(lease, record).await;
    Ok((left, waited))
}

/// Stops what a dead run left profiling, and puts its gate back: what it left of itself is in the
/// record that is held. It stays there, for the pods keep its data. What cannot be undone by anybody
/// now, such as in a pod that is not Ready, is returned, for a person; its gate then stays open.
///
/// # Errors
/// That cannot be done, and so nothing else may be.
pub(super) async fn tidy(
    site: &Site,
    install: &Install,
    left: &Journal,
) -> Result<Option<String>, Fault> {
    tracing::warn!(
        run_id = left.run_id,
        stage = ?left.stage,
        "a run died here: dealing with what it left"
    );
    if left.stage == Stage::Started {
        if let Some(remains) = stop(site, install, left).await? {
            return Ok(Some(remains));
        }
        site.hold.note_stopped().await?;
    }
    Ok(gate::close(site, install, std::future::pending()).await)
}

/// Stops, and gives what is left where no stop can reach it now.
async fn stop(site: &Site, install: &Install, left: &Journal) -> Result<Option<String>, Fault> {
    gate::open(site, install).await?;
    let started = started(site, install, left).await?;
    let namespace = install.namespace.clone();
    let mut confirmation = StopConfirmation::new(site.connection.clone(), namespace, started);
    confirmation.attempt().await;
    let end = Instant::now() + site.stop_wait;
    confirmation.until(end).await;
    if confirmation.is_confirmed() {
        tracing::info!("profiling is off");
        return Ok(None);
    }
    let remains = confirmation.remains();
    let Some(error) = confirmation.error() else {
        return Ok(remains.map(|remains| format!("of the run {}: {remains}", left.run_id)));
    };
    let why = remains.unwrap_or_else(|| error.to_string());
    let message = format!("what the run {} left cannot be stopped: {why}", left.run_id);
    Err(Fault::new(ExitCode::Retry, message))
}

/// The pods that a record names, as they are now, but with the restarts that they had. Of one that
/// is gone only its name is known.
///
/// # Errors
/// The API server failed.
pub(super) async fn started(
    site: &Site,
    install: &Install,
    left: &Journal,
) -> Result<Vec<ExpectedPod>, Fault> {
    let now = pods::list(&site.connection, &install.namespace).await?;
    // The record of a run that died before it could name them.
    if left.pods.is_empty() {
        return Ok(now.into_iter().map(|pod| pod.pod).collect());
    }
    let find = |started: &StartedPod| {
        let StartedPod {
            name,
            uid_prefix,
            restarts,
        } = started;
        let mut there = now.iter().map(|pod| &pod.pod);
        let same = |pod: &&ExpectedPod| pod.name == *name && pod.uid.starts_with(uid_prefix);
        let pod = there.find(same).cloned();
        let pod = pod.or_else(|| ExpectedPod::gone(name, uid_prefix));
        pod.map(|pod| ExpectedPod {
            restarts: *restarts,
            ..pod
        })
    };
    Ok(left.pods.iter().filter_map(find).collect())
}
