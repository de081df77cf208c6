//! What comes after the stop: the run goes to its destination, or to the fallback, and the lock is
//! given up.

use super::deliver::deliver;
use super::fault::Fault;
use super::job::Job;
use super::phase::Clock;
use super::profile::Profiled;
use super::report::Finished;
use super::target::Target;
use super::{gate, undo};
use crate::cluster::install::Install;
use crate::destination::Destination;
use crate::engine::Engine;
use crate::outcome::ExitCode;

/// Dump and ship, the gate, the manifest, the lock.
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
    let finished = match deliver(job, engine, target, (install, run), clock).await {
        Err(fault) => match fallback(job, &fault) {
            Some(fallback) => {
                fall_back((job, engine), (fallback, fault), (install, run), clock).await
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
    undo::abort(job, &job.destination).await;
    let again = async {
        // A manifest that could not be written comes after the gate was closed, and a dump needs it.
        gate::open(&job.site, install).await?;
        let target = Target {
            destination: fallback,
            instead: Some(&fault),
        };
        deliver(job, engine, target, (install, run), clock).await
    };
    again.await.map_err(|mut second| {
        if fault.code == ExitCode::Retry {
            second.code = fault.code;
        }
        second.message = format!("{fault}; and the fallback failed too: {second}");
        second
    })
}
