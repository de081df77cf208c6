//! One run: configured, supervised, and told of when it has ended. [`work`] has its phases, in order.

mod archive_worth;
mod archive_writer;
mod comparing;
pub(crate) mod context;
mod destination_patience;
mod dry_run;
mod dump_pass;
mod earlier_archive;
mod judgement;
mod late_manifest;
mod outcome;
pub mod phase;
pub(crate) mod phase_results;
mod pod_results;
mod profiler_off;
mod profiler_switch;
mod pushing;
mod report_page;
pub mod report_shipping;
mod resume;
mod retention;
mod rollback;
pub(crate) mod run_lease;
mod run_manifest;
mod shutdown;
mod side_dump;
mod snapshots;
pub mod supervisor;
mod surroundings;
mod vmis;

/// The phases, a file each. None imports another: what it needs of the one before is handed to it.
pub(crate) mod phases {
    pub(super) mod baseline;
    pub(super) mod dump;
    pub(super) mod gate;
    pub(crate) mod lock;
    pub(super) mod preflight;
    pub(super) mod report;
    pub(super) mod restore;
    pub(super) mod start;
    pub(super) mod stop;
    pub(super) mod window;
}

/// What people and other programs see of a run.
pub(crate) mod status {
    pub(crate) mod log;
    pub(super) mod progress;
    pub(super) mod signal_files;
    pub(super) mod termination;
}

use std::ffi::OsString;
use std::sync::{Arc, OnceLock};

use tokio::sync::{Mutex, mpsc};

use context::{Context, LockedCluster, Target};
pub use outcome::Fault;
use phase::{Clock, Phase, Undo};
use phase_results::{Finished, Locked, Preflight};
use phases::{baseline, dump, gate, lock, preflight, report, restore, start, stop, window};
use run_lease::RunLease;
use shutdown::Shutdown;
use status::progress::Progress;
use status::{log, signal_files, termination};

use crate::cluster::connect;
use crate::cluster::profiler::ProfilerState;
use crate::config::{Config, DestinationConfig, from_environment};
use crate::destination::Destination;
use crate::engine::{self, Engine};
use crate::limits::Limits;
use crate::outcome::ExitCode;

/// Runs with the engine that is configured and the usual limits.
///
/// Each of `signals` is the exit code for a signal that told the process to stop.
pub async fn run(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    signals: mpsc::Receiver<ExitCode>,
) -> ExitCode {
    run_with(environment, signals, Limits::default(), engine::configured).await
}

/// Runs with an engine and limits of the caller's.
pub async fn run_with(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    signals: mpsc::Receiver<ExitCode>,
    limits: Limits,
    engine: impl FnOnce(&Config) -> Box<dyn Engine>,
) -> ExitCode {
    let (mut telling, config) = from_environment(environment);
    let watched = log::init(telling.log, telling.log_filter.as_deref());
    let config = match config {
        Ok(config) => config,
        Err(faults) => {
            return termination::tell(&telling, None, Err(Fault::usage(faults.to_string())));
        }
    };
    let run_id = config.run_id.clone();
    // A dry run may go on beside a real one, whose files these are.
    let prepared = if config.dry_run {
        telling.done_file = None;
        Ok(())
    } else {
        signal_files::prepare(&config, telling.done_file.as_deref())
    };
    let ended = match prepared {
        Ok(()) => {
            retention::tell_of_minimum(&config);
            let engine = engine(&config);
            Box::pin(supervised(config, signals, limits, engine, watched)).await
        }
        Err(fault) => Err(fault),
    };
    termination::tell(&telling, Some(&run_id), ended)
}

/// Runs the work under the supervisor, which rolls back what a run that fails has done.
async fn supervised(
    config: Config,
    signals: mpsc::Receiver<ExitCode>,
    limits: Limits,
    engine: Box<dyn Engine>,
    watched: bool,
) -> Result<Finished, Fault> {
    let (every, bucket) = (limits.progress, limits.bucket.clone());
    let destination = |config: &DestinationConfig| Destination::new(config, &bucket);
    let connection = connect::connect(&config.kubeconfig, &config.proxies, limits).await?;
    let (shutdown, listen) = Shutdown::listen(signals, config.patience, connection.hurry.clone());
    let (clock, phase) = Clock::new();
    let context = Arc::new(Context {
        cluster: LockedCluster {
            connection,
            lease: RunLease::new(),
            run_id: config.run_id.to_string(),
            enable_policy: config.enable_policy,
            stop_wait: config.patience.stop_wait,
        },
        destination: destination(&config.destination),
        fallback: config.fallback.as_ref().map(destination),
        engine,
        progress: Progress::new(watched),
        shutdown,
        stop_confirmation: Mutex::new(None),
        install: OnceLock::new(),
        set_aside: std::sync::Mutex::default(),
        gate: std::sync::Mutex::default(),
        config,
    });
    // Tasks of their own: neither a panic nor a log that blocks may keep the supervisor from undoing.
    let listening = tokio::spawn(listen);
    let telling = tokio::spawn(Arc::clone(&context).tell_progress(phase.clone(), every));
    let undo = async |step: Undo| rollback::undo(&context, step).await;
    let lost = async { Fault::may_pass(context.cluster.lease.lost().await) };
    let ended = supervisor::supervise(work(Arc::clone(&context), clock), &phase, lost, undo).await;
    let ended = ended.map_err(|fault| fault.of_told(context.shutdown.request()));
    if ended.is_err() {
        rollback::remove_own(&context).await;
    }
    termination::write_event(&context, &ended).await;
    listening.abort();
    telling.abort();
    context.progress.clear();
    ended
}

/// The work of a run: every phase, in order. It undoes nothing, for that is the supervisor's, and enters
/// each phase before the phase changes anything.
///
/// # Errors
/// The first thing that failed.
async fn work(context: Arc<Context>, mut clock: Clock) -> Result<Finished, Fault> {
    let context = &*context;
    let ready = match preflight::prove(context).await {
        Ok(Preflight::Ready(ready)) => ready,
        Ok(Preflight::AlreadyThere(manifest)) => {
            if context.config.dry_run {
                return Finished::already_there(*manifest, &context.config.min_complete);
            }
            context.remove_leftovers().await;
            clock.enter(Phase::Lock);
            let finished = lock::close_journal(context, *manifest).await?;
            return Ok(Box::pin(pushing::pushed(context, finished)).await);
        }
        Err(refused) => {
            if refused.clean_up_in.is_some() {
                clock.enter(Phase::Lock);
            }
            return Err(lock::clean_up_for_refused(context, refused).await);
        }
    };
    context.gate().before = ready.profiler == ProfilerState::On;
    if context.config.dry_run {
        let pods = resume::unless_told(context, preflight::ready_pods(context)).await?;
        return dry_run::tell(context, &ready, &pods).await;
    }

    clock.enter(Phase::Lock);
    let (resumed, may_be_off) = match lock::take(context, ready).await? {
        Locked::Held {
            resumed,
            may_be_off,
        } => (resumed, may_be_off),
        Locked::AlreadyThere { manifest, left } => {
            context.remove_leftovers().await;
            rollback::unlock(context, true).await;
            let finished = Finished::already_there(*manifest, &context.config.min_complete)?;
            return Ok(Box::pin(pushing::pushed(context, finished.leaving(left))).await);
        }
    };

    if may_be_off {
        clock.enter(Phase::Gate);
        gate::turn_on(context, resumed.is_some()).await?;
    }

    let mut before = None;
    let over = match resumed {
        Some(journal) => {
            before = resume::left_baseline(context);
            resume::take_up(context, *journal).await?
        }
        None => {
            // An earlier attempt's, of another window.
            context.remove_leftovers().await;
            let mut pods = resume::unless_told(context, preflight::ready_pods(context)).await?;
            if context.config.baseline {
                clock.enter(Phase::Baseline);
                before = Some(baseline::take(context, &pods.expected).await?);
                pods = resume::unless_told(context, preflight::ready_pods(context)).await?;
            }

            clock.enter(Phase::Start);
            let started = start::start(context, pods).await?;

            clock.enter(Phase::Window);
            window::wait(context, started).await?
        }
    };

    clock.enter(Phase::Stop);
    let stopped = stop::stop(context, over).await?;

    // The pods keep their data until the next start: where the destination fails, they are dumped once
    // more, for the fallback.
    let mut failed = None;
    let finished = loop {
        let target = Target::after(context, failed.as_ref());
        let delivered = async {
            if failed.is_some() {
                dump::prepare_again(context).await?;
            }
            clock.enter(Phase::Dump);
            let dumped = dump::dump(context, &stopped, &target, before.as_ref()).await?;
            report::vouch(context, &stopped, &dumped, &target, clock.past()).await?;

            clock.enter(Phase::Restore);
            let restored = restore::restore(context, dumped).await?;

            clock.enter(Phase::Report);
            let left = restored.left_to_put_back();
            let told = report::report(context, &stopped, restored, &target, clock.past());
            let finished = told.await?;
            let Some(restored) = restore::go_on(context, left).await? else {
                return Ok(finished);
            };
            report::report_again(context, &stopped, restored, &target, clock.past(), finished).await
        };
        match (Box::pin(delivered).await, failed.take()) {
            (Err(fault), None) if context.may_fall_back(&fault) => {
                // A run that is told to stop has no time to dump again: its next attempt does.
                let fault = fault.unless_told(context.shutdown.request())?;
                tracing::warn!(%fault, "the destination failed: dumping again, for the fallback");
                rollback::remove_upload(context).await;
                failed = Some(fault);
            }
            (Err(second), Some(first)) => return Err(Fault::of_both(&first, second)),
            (delivered, _) => break delivered?,
        }
    };
    Ok(close(context, finished).await)
}

/// Closes a run whose manifest is written: gives its lock up, and pushes it.
async fn close(context: &Context, finished: Finished) -> Finished {
    // Another attempt may replace the archive, and needs them again.
    if finished.is_final {
        context.remove_leftovers().await;
    }
    rollback::unlock(context, finished.is_final).await;
    Box::pin(pushing::pushed(context, finished)).await
}
