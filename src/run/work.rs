//! The work of a run, phase after phase. It undoes nothing: that is the supervisor's.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::dry_run;
use super::fault::Fault;
use super::job::Job;
use super::phase::{Clock, Phase};
use super::preflight::{self, Clear, Preflight};
use super::record::Record;
use super::report::Finished;
use super::ship::{self, Expectation, Shipped};
use super::start::{self, StartFailed};
use super::vouch::{self, Vouched};
use super::{signal_files, stop};
use crate::archive::Spool;
use crate::cluster::confirm::Confirmation;
use crate::engine::Engine;
use crate::engine::dump::DumpPlan;
use crate::manifest::Window;
use crate::window::{self, Ended};

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
        proof = preflight::prove(&job) => proof?,
    };
    let clear = match proof {
        Preflight::Clear(clear) => clear,
        Preflight::Shipped(manifest) => return Finished::already_there(*manifest),
    };
    tracing::info!(
        run_id = %job.config.run_id,
        kubevirt = clear.install.version,
        namespace = clear.install.namespace,
        pods = clear.expected.len(),
        engine = engine.name(),
        "ready to profile"
    );
    if job.config.dry_run {
        return Ok(dry_run::tell(&job.config, engine.name(), &clear));
    }
    job.progress.expect(clear.expected.len());
    let mut held = job.confirmation.lock().await;
    let started = clear.ready.iter().map(|pod| pod.pod.clone()).collect();
    let namespace = clear.install.namespace.clone();
    let confirmation = held.insert(Confirmation::new(
        job.connection.clone(),
        namespace,
        started,
    ));
    let Profiled {
        window,
        ended,
        failed,
        stop_until,
    } = profile(&job, &clear, confirmation, &mut clock).await?;
    clock.enter(Phase::Dump);
    let expectation = Expectation {
        window,
        slack: job.connection.limits.cpu_slack,
        restarted: confirmation.restarted(),
    };
    let dumped = dump(&job, &engine, &clear, (&expectation, failed.as_ref()));
    // A run that was told to stop has no time to wait for a stop before it dumps.
    let stopped = stop::go_on(confirmation, stop_until, &job.told);
    let (shipped, ()) = tokio::join!(dumped, stopped);
    let shipped = shipped?;
    let unstopped = unstopped(confirmation, &shipped);
    drop(held);
    clock.enter(Phase::Report);
    let vouched = Vouched {
        install: &clear.install,
        engine: engine.name(),
        window,
        ended,
        shipped,
        unstopped,
    };
    vouch::vouch(&job, vouched, &clock).await
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

/// What a window left.
struct Profiled {
    window: Window,
    ended: Ended,
    failed: Option<StartFailed>,
    /// When the stop is given up, confirmed or not.
    stop_until: Instant,
}

/// Start, window, stop.
async fn profile(
    job: &Job,
    clear: &Clear,
    confirmation: &mut Confirmation,
    clock: &mut Clock,
) -> Result<Profiled, Fault> {
    clock.enter(Phase::Start);
    let failed = start::start(job, clear, confirmation).await?;
    let begin = Timestamp::now();
    clock.enter(Phase::Window);
    let ended = open(job).await?;
    clock.enter(Phase::Stop);
    signal_files::not_ready(&job.config.signals);
    let end = Timestamp::now();
    let stop_until = Instant::now() + job.config.patience.stop_wait;
    let context = (&job.connection, clear.install.as_ref());
    stop::stop(confirmation, stop_until, &job.told, context).await?;
    if confirmation.is_confirmed() {
        tracing::info!(ended_by = ?ended.by, "profiling is off");
    }
    let window = Window {
        start: begin,
        stop: end,
        ended_by: ended.by,
    };
    Ok(Profiled {
        window,
        ended,
        failed,
        stop_until,
    })
}

/// Opens the window, and waits for its end. One that ends before it opens is not told of.
async fn open(job: &Job) -> Result<Ended, Fault> {
    if let Some(order) = job.told.now() {
        return Ok(Ended {
            by: order.by,
            workload_exit_code: None,
        });
    }
    signal_files::ready(&job.config.signals)?;
    let longest = longest(job);
    tracing::info!(longest = %humantime::format_duration(longest), "profiling is on");
    job.progress.window(longest);
    let told = async { job.told.order().await.by };
    Ok(window::wait(&job.config.window, &job.config.signals.stop, told).await)
}

/// How long the window can last as far as is known when it opens.
fn longest(job: &Job) -> std::time::Duration {
    let config = &job.config.window;
    if config.settle_after_stop_file {
        config.max
    } else {
        config.settle
    }
}

async fn dump<E: Engine>(
    job: &Job,
    engine: &E,
    clear: &Clear,
    (expectation, failed): (&Expectation, Option<&StartFailed>),
) -> Result<Shipped, Fault> {
    let spool = Spool::new(
        job.config.run_id.stem(),
        job.config.temporary.clone(),
        job.config.keep_originals,
    );
    let first = vouch::cluster_json(&spool, &clear.install, &clear.expected)?;
    let mut record = Record::new(clear.expected.clone());
    let mut pods = clear.expected.clone();
    if let Some(StartFailed { pod, why }) = failed {
        record.missing(pod, why.clone());
        pods.retain(|expected| expected.name != *pod);
    }
    let plan = DumpPlan {
        connection: job.connection.clone(),
        namespace: clear.install.namespace.clone(),
        pods,
        spool,
    };
    ship::ship((job, engine), plan, first, (expectation, record)).await
}
