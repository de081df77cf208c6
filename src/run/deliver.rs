//! To one destination: dump and ship, the gate, the manifest.

use super::fault::Fault;
use super::gate;
use super::job::Job;
use super::phase::{Clock, Phase};
use super::profile::Profiled;
use super::record::Record;
use super::report::Finished;
use super::ship::{self, Expectation, Shipped};
use super::start::StartFailed;
use super::stop;
use super::target::Target;
use super::vouch::{self, Vouched};
use crate::archive::Spool;
use crate::cluster::confirm::Confirmation;
use crate::cluster::install::Install;
use crate::config::{EnablePolicy, RunId};
use crate::destination::fault::DestinationError;
use crate::destination::{Destination, Found, Upload};
use crate::engine::Engine;
use crate::engine::dump::DumpPlan;
use crate::outcome::ExitCode;

/// Dump and ship, the gate, the manifest.
///
/// # Errors
/// The first thing that failed.
pub(super) async fn deliver<E: Engine>(
    job: &Job,
    engine: &E,
    target: Target<'_>,
    (install, run): (&Install, &Profiled),
    clock: &mut Clock,
) -> Result<Finished, Fault> {
    clock.enter(Phase::Dump);
    job.progress.expect(run.expected.len());
    let mut held = job.confirmation.lock().await;
    let confirmation = held.as_mut().ok_or_else(lacks_confirmation)?;
    let expectation = Expectation {
        window: run.window,
        slack: job.site.connection.limits.cpu_slack,
        restarted: confirmation.restarted(),
    };
    let dumped = dump((job, engine), &target, (install, run), &expectation);
    let dumped = Box::pin(job.told.within(dumped));
    // A run that was told to stop has no time to wait for a stop before it dumps.
    let stopped = stop::go_on(confirmation, run.stop_until, &job.told);
    let (shipped, ()) = tokio::join!(dumped, stopped);
    let shipped = shipped?;
    let unstopped = unstopped(confirmation, &shipped);
    drop(held);
    clock.enter(Phase::Restore);
    let open = if unstopped.is_empty() {
        job.site.hold.note_stopped().await?;
        gate::close(&job.site, install, job.told.hurry()).await
    } else {
        gate::stays_open(&job.site).await
    };
    if let Some(open) = &open {
        tracing::error!("{open}");
    }
    let after = is_left_on(job).await;
    job.gate().after = after;
    clock.enter(Phase::Report);
    let vouched = Vouched {
        install,
        engine: engine.name(),
        window: run.window,
        ended: run.ended,
        shipped,
        unstopped,
        open,
    };
    let vouched = vouch::vouch(job, target, vouched, clock);
    Box::pin(job.told.within(vouched)).await
}

/// The gate as the run leaves it: as it came, unless it was changed and not put back.
async fn is_left_on(job: &Job) -> bool {
    let open = gate::last_change(&job.site).await.is_some();
    let kept = job.config.enable_policy == EnablePolicy::Enable;
    let gate = job.gate();
    match gate.changed {
        Some(_) => open || kept,
        None => gate.before,
    }
}

fn lacks_confirmation() -> Fault {
    let message = "a defect in this program: a dump without a stop";
    Fault::new(ExitCode::Panic, message)
}

/// The pods that may go on profiling, loudly: one whose profile is of this window has stopped.
fn unstopped(confirmation: &Confirmation, shipped: &Shipped) -> Vec<String> {
    let names = confirmation.waiting().iter().map(|pod| pod.name.clone());
    let unstopped: Vec<_> = names
        .filter(|name| !shipped.record.has_stopped(name))
        .collect();
    if let Some(remains) = confirmation.remains().filter(|_| !unstopped.is_empty()) {
        tracing::error!("{remains}");
    }
    unstopped
}

/// Begins the archive. A manifest that may be there is removed before, for it would vouch for another one.
async fn begin(destination: &Destination, run: &RunId) -> Result<Upload, DestinationError> {
    match destination.find(run).await? {
        Found::Absent | Found::Unfinished => {}
        Found::Untrue(error) => return Err(error),
        Found::Complete(_) => destination.remove_manifest(run).await?,
        Found::Unknown => {
            if let Err(error) = destination.remove_manifest(run).await {
                tracing::warn!(%error, "a manifest that may be there stays until it is replaced");
            }
        }
    }
    destination.begin(run).await
}

async fn dump<E: Engine>(
    (job, engine): (&Job, &E),
    target: &Target<'_>,
    (install, run): (&Install, &Profiled),
    expectation: &Expectation,
) -> Result<Shipped, Fault> {
    let spool = Spool::new(
        job.config.run_id.stem(),
        job.config.temporary.clone(),
        job.config.keep_originals,
    );
    let first = vouch::cluster_json(&spool, install, &run.expected)?;
    let mut record = Record::new(run.expected.clone());
    let mut pods = run.expected.clone();
    if let Some(StartFailed { pod, why }) = &run.failed {
        record.missing(pod, why.clone());
        pods.retain(|expected| expected.name != *pod);
    }
    let plan = DumpPlan {
        connection: job.site.connection.clone(),
        namespace: install.namespace.clone(),
        pods,
        spool,
    };
    let upload = begin(target.destination, &job.config.run_id).await?;
    ship::ship((job, engine), plan, (upload, first), (expectation, record)).await
}
