//! What comes after the stop: the run goes to its destination, or to the fallback, and the lock is
//! given up.

use tokio::time::Instant;

use super::deliver::deliver;
use super::fault::Fault;
use super::job::Job;
use super::phase::Clock;
use super::profile::Profiled;
use super::report::Finished;
use super::target::Target;
use super::{gate, undo};
use crate::cluster::install::Install;
use crate::cluster::profiler;
use crate::destination::Destination;
use crate::engine::Engine;
use crate::outcome::ExitCode;

/// Dump and ship, the gate, the manifest, the lock. What is long to do is boxed: its state would else lie
/// on the stack several times over.
///
/// # Errors
/// The first thing that failed, or both destinations' faults.
pub(super) async fn finish<E: Engine>(
    job: &Job,
    engine: &E,
    (install, run): (&Install, &Profiled),
    clock: &mut Clock,
) -> Result<Finished, Fault> {
    let target = Target {
        destination: &job.destination,
        instead: None,
    };
    let finished = match Box::pin(deliver(job, engine, target, (install, run), clock)).await {
        Err(fault) => match fallback(job, &fault) {
            Some(fallback) => {
                let again = fall_back((job, engine), (fallback, fault), (install, run), clock);
                Box::pin(again).await
            }
            None => Err(fault),
        },
        finished => finished,
    };
    let finished = finished?;
    undo::unlock(job, finished.code.is_final()).await;
    Ok(finished)
}

/// Where the run may still go. One that was told to stop has no time to dump again: its next attempt does.
fn fallback<'a>(job: &'a Job, fault: &Fault) -> Option<&'a Destination> {
    let fallback = job.fallback.as_ref();
    fallback.filter(|_| fault.of_destination && job.told.now().is_none())
}

/// The pods have their data until the next start, so that all of it comes once more.
async fn fall_back<E: Engine>(
    (job, engine): (&Job, &E),
    (fallback, fault): (&Destination, Fault),
    (install, run): (&Install, &Profiled),
    clock: &mut Clock,
) -> Result<Finished, Fault> {
    tracing::warn!(%fault, "the destination failed: dumping again, for the fallback");
    undo::abort(job).await;
    let again = async {
        tokio::select! {
            order = job.told.order() => return Err(order.late()),
            opened = reopen(job, install) => opened?,
        }
        let target = Target {
            destination: fallback,
            instead: Some(&fault),
        };
        deliver(job, engine, target, (install, run), clock).await
    };
    again.await.map_err(|mut second| {
        if second.code == ExitCode::DestinationRefused {
            second.code = fault.code;
        }
        second.message = format!("{fault}; and the fallback failed too: {second}");
        second
    })
}

/// A manifest that could not be written comes after the gate was closed, and a dump needs it. Each
/// component hears of it by itself: a stop, which does no harm, tells when all have.
async fn reopen(job: &Job, install: &Install) -> Result<(), Fault> {
    let Some(changed) = gate::open(&job.site, install).await? else {
        return Ok(());
    };
    job.gate().changed = Some(changed);
    let limits = &job.site.connection.limits;
    let end = Instant::now() + limits.gate;
    while let Err(error) = profiler::stop(&job.site.connection).await {
        if !profiler::is_spreading(&error, true) || Instant::now() >= end {
            break;
        }
        tokio::time::sleep(limits.longest_pause).await;
    }
    Ok(())
}
