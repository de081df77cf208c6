//! One run: configured from the environment, supervised, and told of when it has ended.

mod cpu;
mod deliver;
mod dry_run;
mod event;
mod fault;
mod finish;
mod gate;
mod hold;
mod job;
mod lock;
mod logging;
mod memory;
pub mod phase;
mod preflight;
mod profile;
mod progress;
mod record;
mod report;
mod resume;
mod retention;
mod ship;
mod signal_files;
mod site;
mod start;
mod stop;
pub mod supervisor;
mod target;
mod told;
mod undo;
mod undo_left;
mod vouch;
mod work;

use std::ffi::OsString;
use std::sync::{Arc, OnceLock};

use tokio::sync::{Mutex, mpsc};

pub use fault::Fault;
use hold::Hold;
use job::Job;
use phase::{Clock, Undo};
use progress::Progress;
use site::Site;
use told::Told;

use crate::cluster::connect;
use crate::config::{Config, LogFormat, from_environment, undo_config};
use crate::destination::Destination;
use crate::engine::{Configured, Engine};
use crate::limits::Limits;
use crate::outcome::ExitCode;

/// Runs with the engine that is configured and the usual limits.
///
/// Each of `signals` is the exit code for a signal that told the process to stop.
pub async fn run(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    signals: mpsc::Receiver<ExitCode>,
) -> ExitCode {
    run_with(environment, signals, Limits::default(), Configured::new).await
}

/// Undoes what a run left that died: stops, puts its gate back, and takes its record away.
pub async fn undo(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    limits: Limits,
) -> ExitCode {
    let (telling, config) = undo_config(environment);
    logging::init(
        telling.log.or(Some(LogFormat::Text)),
        telling.log_filter.as_deref(),
    );
    let ended = match config {
        Ok(config) => undo_left::undo(config, limits).await,
        Err(faults) => Err(Fault::new(ExitCode::Usage, faults.to_string())),
    };
    match ended {
        Ok(done) => {
            println!("{done}");
            ExitCode::Complete
        }
        Err(Fault { code, message, .. }) => {
            eprintln!("{message}");
            code
        }
    }
}

/// Runs with an engine and limits of the caller's.
pub async fn run_with<E: Engine>(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    signals: mpsc::Receiver<ExitCode>,
    limits: Limits,
    engine: impl FnOnce(&Config) -> E,
) -> ExitCode {
    let (mut telling, config) = from_environment(environment);
    let watched = logging::init(telling.log, telling.log_filter.as_deref());
    let (run_id, ended) = match config {
        Ok(config) => {
            let run_id = Some(config.run_id.clone());
            let engine = engine(&config);
            // A dry run may go on beside a real one, whose files these are.
            let prepared = if config.dry_run {
                telling.done_file = None;
                Ok(())
            } else {
                signal_files::prepare(&config, telling.done_file.as_deref())
            };
            let ended = match prepared {
                Ok(()) => supervised(config, signals, limits, engine, watched).await,
                Err(fault) => Err(fault),
            };
            (run_id, ended)
        }
        Err(faults) => (None, Err(Fault::new(ExitCode::Usage, faults.to_string()))),
    };
    report::tell(&telling, run_id.as_ref(), ended)
}

async fn supervised<E: Engine>(
    config: Config,
    signals: mpsc::Receiver<ExitCode>,
    limits: Limits,
    engine: E,
    watched: bool,
) -> Result<report::Finished, Fault> {
    let every = limits.progress;
    let (told, listen) = Told::listen(signals, config.patience);
    let (clock, phase) = Clock::new();
    let job = Arc::new(Job {
        site: Site {
            connection: connect::connect(&config.kubeconfig, limits).await?,
            hold: Hold::new(),
            run_id: config.run_id.to_string(),
            enable_policy: config.enable_policy,
            stop_wait: config.patience.stop_wait,
        },
        destination: Destination::new(&config.destination),
        fallback: config.fallback.as_ref().map(Destination::new),
        progress: Progress::new(watched),
        told,
        confirmation: Mutex::new(None),
        install: OnceLock::new(),
        gate: std::sync::Mutex::default(),
        config,
    });
    // Tasks of their own: neither a panic nor a log that blocks may keep the supervisor from undoing.
    let listening = tokio::spawn(listen);
    let telling = tokio::spawn({
        let (job, phase) = (Arc::clone(&job), phase.clone());
        async move { job.progress.tell(phase, every).await }
    });
    let undo = async |step: Undo| undo::undo(&job, step).await;
    let work = work::work(Arc::clone(&job), engine, clock);
    let lost = async { Fault::new(ExitCode::Retry, job.site.hold.lost().await) };
    let ended = supervisor::supervise(work, &phase, lost, undo).await;
    if ended.is_err() {
        // A run that has lost its Lease undoes nothing of the cluster, but its upload is its own.
        undo::abort(&job).await;
    }
    event::write(&job, &ended).await;
    listening.abort();
    telling.abort();
    job.progress.clear();
    ended
}
