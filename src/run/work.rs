//! The work of a run, phase after phase. It undoes nothing: that is the supervisor's.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;

use super::dry_run;
use super::fault::Fault;
use super::finish;
use super::job::Job;
use super::phase::{Clock, Phase};
use super::preflight::{self, Preflight, Refused};
use super::profile;
use super::report::Finished;
use super::retention;
use super::told::Order;
use super::{gate, lock, undo};
use crate::cluster::install::Install;
use crate::cluster::lease::{self, LeaseError, Stage};
use crate::cluster::profiler;
use crate::destination::Found;
use crate::engine::Engine;
use crate::manifest::Gate;

/// A change of the gate that is under way when the run is told to stop is let come to its end.
const WRITE_LIMIT: Duration = Duration::from_secs(6);

/// Does it all.
///
/// # Errors
/// The first thing that failed.
pub(super) async fn work<E: Engine>(
    job: Arc<Job>,
    engine: E,
    mut clock: Clock,
) -> Result<Finished, Fault> {
    let proof = tokio::select! {
        biased;
        order = job.told.order() => return Err(order.fault()),
        proof = preflight::prove(&job) => proof,
    };
    let clear = match proof {
        Ok(Preflight::Clear(clear)) => clear,
        Ok(Preflight::Shipped(manifest)) => return Finished::already_there(*manifest),
        Err(refused) => return Err(after_tidying(&job, refused, &mut clock).await),
    };
    let install = job.install.get_or_init(|| clear.install.clone());
    job.gate().before = clear.gate == profiler::ProfilerState::On;
    if job.config.dry_run {
        let pods = preflight::pods(&job, install).await?;
        let going = retention::going(&job, &job.destination);
        let going = going.try_collect().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "which earlier runs would be removed is not known");
            Vec::new()
        });
        let plan = (pods, going);
        return Ok(dry_run::tell(&job.config, engine.name(), &clear, &plan));
    }
    clock.enter(Phase::Lock);
    let (left, disturbed) = tokio::select! {
        order = job.told.order() => return Err(order.fault()),
        begun = begin(&job, install) => begun?,
    };
    let found = match left {
        // Whoever was there before may have shipped this run.
        None if disturbed => tokio::select! {
            order = job.told.order() => return Err(order.fault()),
            found = job.find() => found?,
        },
        _ => clear.found,
    };
    match (&left, found) {
        (None, Found::Complete(manifest)) => {
            undo::unlock(&job, true).await;
            return Finished::already_there(*manifest);
        }
        (None, Found::Untrue(error)) => return Err(error.into()),
        (None, Found::Unfinished) => {
            tracing::warn!(run_id = %job.config.run_id, "an archive without a manifest is replaced");
        }
        (None, Found::Absent | Found::Unknown) | (Some(_), _) => {}
    }
    if disturbed || clear.gate == profiler::ProfilerState::Off {
        clock.enter(Phase::Gate);
        open_gate(&job, (install, left.as_ref())).await?;
    }
    let run = profile::profile(&job, &engine, (install, left), &mut clock).await?;
    finish::finish(&job, &engine, (install, &run), &mut clock).await
}

/// A run that cannot begin ends only after what a dead one left has been dealt with.
async fn after_tidying(job: &Job, refused: Refused, clock: &mut Clock) -> Fault {
    let Refused { mut fault, install } = refused;
    let Some(install) = install.filter(|_| !job.config.dry_run) else {
        return fault;
    };
    let left = lease::peek(&job.site.connection, &install.namespace).await;
    if !left.is_ok_and(|left| left.is_some_and(|left| left.is_open())) {
        return fault;
    }
    let install = job.install.get_or_init(|| install);
    clock.enter(Phase::Lock);
    let tidied = tokio::select! {
        () = job.told.hurry() => return fault,
        tidied = tidy_if_dead(job, install) => tidied,
    };
    fault.preface(tidied.unwrap_or_else(|other| Some(other.message)));
    fault
}

/// Whether its holder is dead shows within a Lease's life; a live one does not need to be waited for.
async fn tidy_if_dead(job: &Job, install: &Install) -> Result<Option<String>, Fault> {
    let limits = &job.site.connection.limits;
    match lock::take(&job.site, install, limits.lease + limits.lease_renewal).await {
        Ok((Some(left), _)) => lock::tidy(&job.site, install, &left).await,
        Ok((None, _)) | Err(LeaseError::Held { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes the lock. What an attempt of this run left is given back; what another left is dealt with
/// and discarded, for this run's start clears it. Beside it: whether the gate may be another by now.
async fn begin(job: &Job, install: &Install) -> Result<(Option<lease::Journal>, bool), Fault> {
    let wait = job.config.patience.lock_wait;
    let left = match lock::take(&job.site, install, wait).await? {
        (None, waited) => return Ok((None, waited)),
        (Some(left), _) => left,
    };
    let own = left.run_id == job.config.run_id.to_string();
    if own && left.stage > Stage::Begun {
        return Ok((Some(left), true));
    }
    if let Some(remains) = lock::tidy(&job.site, install, &left).await? {
        tracing::error!("{remains}");
    }
    if !own && left.stage > Stage::Begun {
        let (run_id, pods) = (&left.run_id, left.pods.len());
        tracing::warn!(
            run_id,
            pods,
            "discarding what it had profiled and not shipped"
        );
    }
    let run_id = job.config.run_id.to_string();
    job.site
        .hold
        .note(|record| {
            // A gate that could not be put back stays to be.
            let gate = std::mem::take(&mut record.changes);
            *record = lease::Journal::new(run_id);
            record.changes = gate;
        })
        .await?;
    Ok((None, true))
}

/// Sees that the profiler is on.
async fn open_gate(
    job: &Job,
    (install, left): (&Install, Option<&lease::Journal>),
) -> Result<(), Fault> {
    let turned = tokio::select! {
        order = given_up(job, left, WRITE_LIMIT) => return Err(order.fault()),
        turned = gate::turn_on(&job.site, install) => turned?,
    };
    let inherited = gate::last_change(&job.site).await;
    let inherited = inherited.map(|change| change.object(install));
    let changed = turned.as_ref().and_then(|turned| turned.object.clone());
    let changed = changed.or(inherited);
    *job.gate() = Gate {
        before: changed.is_none(),
        changed,
        ..Gate::default()
    };
    if let Some(turned) = turned {
        tokio::select! {
            order = given_up(job, left, Duration::ZERO) => return Err(order.fault()),
            spread = gate::spread(&job.site, install, &turned) => spread?,
        }
    }
    Ok(())
}

/// Resolves some time after the run was told to stop. One that has to stop what it left goes on for as
/// long as a stop may.
async fn given_up(job: &Job, left: Option<&lease::Journal>, wait: Duration) -> Order {
    let order = job.told.order().await;
    match left {
        Some(_) => job.told.stop_is_over().await,
        None => tokio::time::sleep(wait).await,
    }
    order
}
