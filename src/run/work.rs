//! The work of a run, phase after phase. It undoes nothing: that is the supervisor's.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::dry_run;
use super::fault::Fault;
use super::job::Job;
use super::phase::{Clock, Phase};
use super::preflight::{self, Pods, Preflight, Refused};
use super::record::Record;
use super::report::Finished;
use super::resume::{self, Resumed};
use super::ship::{self, Expectation, Shipped};
use super::start::{self, StartFailed};
use super::vouch::{self, Vouched};
use super::{gate, lock, signal_files, stop, undo};
use crate::archive::Spool;
use crate::cluster::confirm::Confirmation;
use crate::cluster::install::Install;
use crate::cluster::lease::{self, Stage};
use crate::cluster::profiler;
use crate::destination::Found;
use crate::engine::Engine;
use crate::engine::dump::DumpPlan;
use crate::manifest::{ExpectedPod, Gate, Window};
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
    let run = prepare(&job, &engine, (install, left), &mut clock).await?;
    finish(&job, &engine, (install, run), &mut clock).await
}

/// A run that cannot begin ends only after what a dead one left has been dealt with.
async fn after_tidying(job: &Job, refused: Refused, clock: &mut Clock) -> Fault {
    let Refused { fault, install } = refused;
    let Some(install) = install.filter(|_| !job.config.dry_run) else {
        return fault;
    };
    let left = lease::peek(&job.connection, &install.namespace).await;
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

/// What a window left.
struct Profiled {
    window: Window,
    ended: Ended,
    failed: Option<StartFailed>,
    expected: Vec<ExpectedPod>,
    /// When the stop is given up, confirmed or not.
    stop_until: Instant,
}

/// Everything up to a stop: of a window of this attempt, or of one whose attempt died.
async fn prepare<E: Engine>(
    job: &Job,
    engine: &E,
    (install, left): (&Install, Option<lease::Record>),
    clock: &mut Clock,
) -> Result<Profiled, Fault> {
    if let Some(left) = left {
        return take_up(job, (install, &left), clock).await;
    }
    let pods = preflight::pods(job, install).await?;
    tracing::info!(
        run_id = %job.config.run_id,
        kubevirt = install.version,
        namespace = install.namespace,
        pods = pods.expected.len(),
        engine = engine.name(),
        "ready to profile"
    );
    profile(job, (install, pods), clock).await
}

/// Stop, of a window whose attempt died.
async fn take_up(
    job: &Job,
    (install, left): (&Install, &lease::Record),
    clock: &mut Clock,
) -> Result<Profiled, Fault> {
    let Resumed {
        window,
        ended,
        failed,
        expected,
        confirmation,
    } = resume::resume(job, install, left).await?;
    job.destination.remove_manifest(&job.config.run_id).await?;
    clock.enter(Phase::Stop);
    let mut held = job.confirmation.lock().await;
    let stop_until = stop(job, install, (held.insert(confirmation), ended)).await?;
    Ok(Profiled {
        window,
        ended,
        failed,
        expected,
        stop_until,
    })
}

/// Start, window, stop.
async fn profile(
    job: &Job,
    (install, pods): (&Install, Pods),
    clock: &mut Clock,
) -> Result<Profiled, Fault> {
    let started: Vec<_> = pods.ready.iter().map(|pod| pod.pod.clone()).collect();
    let mut held = job.confirmation.lock().await;
    clock.enter(Phase::Start);
    job.site
        .hold
        .note(|record| {
            record.stage = Stage::Started;
            record.started = Some(Timestamp::now());
            record.pods = started.iter().map(Into::into).collect();
        })
        .await?;
    let (connection, namespace) = (job.connection.clone(), install.namespace.clone());
    let confirmation = held.insert(Confirmation::new(connection, namespace, started));
    let failed = start::start(job, &pods, confirmation).await?;
    let begin = Timestamp::now();
    job.site
        .hold
        .note(|record| {
            record.started = Some(begin);
            record.pods = confirmation.waiting().iter().map(Into::into).collect();
            record.start_failed = failed.as_ref().map(|f| (f.pod.clone(), f.why.clone()));
        })
        .await?;
    clock.enter(Phase::Window);
    let ended = open(job).await?;
    clock.enter(Phase::Stop);
    signal_files::not_ready(&job.config.signals);
    let end = Timestamp::now();
    // The stop waits for nothing: should this not be written, it is sent all the same.
    let noted = job.site.hold.note(|record| {
        record.stopped = Some(end);
        record.ended_by = Some(ended.by);
        record.workload_exit_code = ended.workload_exit_code;
    });
    if let Err(fault) = noted.await {
        tracing::warn!(%fault, "the record of this run could not be written");
    }
    let stop_until = stop(job, install, (confirmation, ended)).await?;
    Ok(Profiled {
        window: Window {
            start: begin,
            stop: end,
            ended_by: ended.by,
        },
        ended,
        failed,
        expected: pods.expected,
        stop_until,
    })
}

/// Stop. Gives the time when it is given up.
async fn stop(
    job: &Job,
    install: &Install,
    (confirmation, ended): (&mut Confirmation, Ended),
) -> Result<Instant, Fault> {
    let stop_until = Instant::now() + job.config.patience.stop_wait;
    stop::stop(confirmation, stop_until, job, install).await?;
    if confirmation.is_confirmed() {
        job.site
            .hold
            .note(|record| record.stage = Stage::Stopped)
            .await?;
        tracing::info!(ended_by = ?ended.by, "profiling is off");
    }
    Ok(stop_until)
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

/// Dump and ship, the gate, the manifest, the lock.
async fn finish<E: Engine>(
    job: &Job,
    engine: &E,
    (install, run): (&Install, Profiled),
    clock: &mut Clock,
) -> Result<Finished, Fault> {
    clock.enter(Phase::Dump);
    job.progress.expect(run.expected.len());
    let mut held = job.confirmation.lock().await;
    let confirmation = held.as_mut().ok_or_else(lacks_confirmation)?;
    let expectation = Expectation {
        window: run.window,
        slack: job.connection.limits.cpu_slack,
        restarted: confirmation.restarted(),
    };
    let dumped = dump(job, engine, (install, &run), &expectation);
    // A run that was told to stop has no time to wait for a stop before it dumps.
    let stopped = stop::go_on(confirmation, run.stop_until, &job.told);
    let (shipped, ()) = tokio::join!(dumped, stopped);
    let shipped = shipped?;
    let unstopped = unstopped(confirmation, &shipped);
    drop(held);
    clock.enter(Phase::Restore);
    if unstopped.is_empty() {
        job.site
            .hold
            .note(|record| record.stage = record.stage.stopped())
            .await?;
        if let Some(why) = gate::restore(&job.site, install).await {
            tracing::error!("{why}");
        }
    }
    job.gate().after = is_left_on(job).await;
    clock.enter(Phase::Report);
    let vouched = Vouched {
        install,
        engine: engine.name(),
        window: run.window,
        ended: run.ended,
        shipped,
        unstopped,
    };
    let finished = vouch::vouch(job, vouched, clock).await?;
    undo::unlock(job, finished.code.is_final()).await;
    Ok(finished)
}

/// The gate as the run leaves it: as it came, unless it was changed and not put back.
async fn is_left_on(job: &Job) -> bool {
    let record = job.site.hold.record().await;
    let open = record.is_some_and(|record| record.gate.is_some());
    let gate = job.gate();
    let kept = job.config.feature_gate == crate::config::FeatureGate::Enable;
    gate.before || open || (kept && gate.changed.is_some())
}

fn lacks_confirmation() -> Fault {
    let message = "a defect in this program: a dump without a stop";
    Fault::new(crate::outcome::ExitCode::Panic, message)
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

async fn dump<E: Engine>(
    job: &Job,
    engine: &E,
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
        connection: job.connection.clone(),
        namespace: install.namespace.clone(),
        pods,
        spool,
    };
    ship::ship((job, engine), plan, first, (expectation, record)).await
}
