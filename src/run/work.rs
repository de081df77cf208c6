//! The work of a run, phase after phase. It undoes nothing: that is the supervisor's.

use std::sync::Arc;

use super::dry_run;
use super::fault::Fault;
use super::finish;
use super::job::Job;
use super::phase::{Clock, Phase};
use super::preflight::{self, Preflight, Refused};
use super::profile;
use super::report::Finished;
use super::{gate, lock, undo};
use crate::cluster::install::Install;
use crate::cluster::lease::{self, Stage};
use crate::cluster::profiler;
use crate::destination::Found;
use crate::engine::Engine;
use crate::manifest::Gate;

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
    job.gate().before = clear.gate == profiler::Gate::On;
    if job.config.dry_run {
        let pods = preflight::pods(&job, install).await?;
        return Ok(dry_run::tell(&job.config, engine.name(), &clear, &pods));
    }
    clock.enter(Phase::Lock);
    let (left, disturbed) = tokio::select! {
        order = job.told.order() => return Err(order.fault()),
        begun = begin(&job, install) => begun?,
    };
    match (&left, clear.found) {
        (None, Found::Complete(manifest)) => {
            undo::unlock(&job, true).await;
            return Finished::already_there(*manifest);
        }
        (None, Found::Unfinished) => {
            tracing::warn!(run_id = %job.config.run_id, "an archive without a manifest is replaced");
        }
        (None, Found::Absent) | (Some(_), _) => {}
    }
    if disturbed || clear.gate == profiler::Gate::Off {
        clock.enter(Phase::Gate);
        open_gate(&job, (install, left.as_ref())).await?;
    }
    let run = profile::profile(&job, &engine, (install, left), &mut clock).await?;
    finish::finish(&job, &engine, (install, run), &mut clock).await
}

/// A run that cannot begin ends only after what a dead one left has been dealt with.
async fn after_tidying(job: &Job, refused: Refused, clock: &mut Clock) -> Fault {
    let Refused { fault, install } = refused;
    let Some(install) = install.filter(|_| !job.config.dry_run) else {
        return fault;
    };
    let left = lease::peek(&job.site.connection, &install.namespace).await;
    if !left.is_ok_and(|left| left.is_some_and(|left| left.is_open())) {
        return fault;
    }
    let install = job.install.get_or_init(|| install);
    clock.enter(Phase::Lock);
    let tidied = match lock::take(&job.site, install).await {
        Ok((Some(left), _)) => lock::tidy(&job.site, install, &left).await,
        Ok((None, _)) => Ok(()),
        Err(fault) => Err(fault),
    };
    if let Err(other) = tidied {
        tracing::error!(fault = %other, "what a dead run left is still there");
    }
    fault
}

/// Takes the lock. What an attempt of this run left is given back; what another left is dealt with
/// and discarded, for this run's start clears it. Beside it: whether the gate may be another by now.
async fn begin(job: &Job, install: &Install) -> Result<(Option<lease::Record>, bool), Fault> {
    let left = match lock::take(&job.site, install).await? {
        (None, waited) => return Ok((None, waited)),
        (Some(left), _) => left,
    };
    let own = left.run_id == job.config.run_id.to_string();
    if own && left.stage > Stage::Begun {
        return Ok((Some(left), true));
    }
    lock::tidy(&job.site, install, &left).await?;
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
            let gate = record.gate.take();
            *record = lease::Record::new(run_id);
            record.gate = gate;
        })
        .await?;
    Ok((None, true))
}

/// Sees that the profiler is on. A run that was told to stop goes on only to undo what it left.
async fn open_gate(
    job: &Job,
    (install, left): (&Install, Option<&lease::Record>),
) -> Result<(), Fault> {
    let changed = tokio::select! {
        order = job.told.order(), if left.is_none() => return Err(order.fault()),
        changed = gate::open(&job.site, install) => changed?,
    };
    if let Some(change) = left.and_then(|left| left.gate) {
        *job.gate() = Gate {
            changed: Some(change.object(install)),
            ..Gate::default()
        };
    }
    if changed.is_some() {
        job.gate().changed = changed;
    }
    Ok(())
}
