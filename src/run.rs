//! One run: configured from the environment, supervised, and told of when it has ended.

mod fault;
mod job;
mod logging;
mod memory;
pub mod phase;
mod preflight;
mod record;
mod report;
mod ship;
pub mod supervisor;
mod work;

use std::ffi::OsString;
use std::future::Future;

pub use fault::Fault;
use job::Job;
use phase::{Clock, Undo};

use crate::cluster::call::Limits;
use crate::cluster::{connect, profiler};
use crate::config::{Config, from_environment};
use crate::destination::Destination;
use crate::engine::{Engine, Native};
use crate::outcome::ExitCode;

/// Runs with the engine that is configured and the usual limits.
///
/// `shutdown` resolves to the exit code of whatever told the process to stop.
pub async fn run(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    shutdown: impl Future<Output = ExitCode>,
) -> ExitCode {
    let native = |config: &Config| Native {
        concurrency: config.concurrency,
    };
    run_with(environment, shutdown, Limits::default(), native).await
}

/// Runs with an engine and limits of the caller's.
pub async fn run_with<E: Engine>(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    shutdown: impl Future<Output = ExitCode>,
    limits: Limits,
    engine: impl FnOnce(&Config) -> E,
) -> ExitCode {
    let (telling, config) = from_environment(environment);
    logging::init(telling.log);
    let (run_id, ended) = match config {
        Ok(config) => {
            let engine = engine(&config);
            (
                Some(config.run_id.clone()),
                supervised(config, shutdown, limits, engine).await,
            )
        }
        Err(faults) => (None, Err(Fault::new(ExitCode::Usage, faults.to_string()))),
    };
    report::tell(telling.termination_log.as_ref(), run_id.as_ref(), ended)
}

async fn supervised<E: Engine>(
    config: Config,
    shutdown: impl Future<Output = ExitCode>,
    limits: Limits,
    engine: E,
) -> Result<report::Finished, Fault> {
    let connection = connect::connect(&config.kubeconfig, limits).await?;
    let destination = Destination::new(&config.destination);
    let run_id = config.run_id.clone();
    let (clock, phase) = Clock::new();
    let job = Job {
        config,
        connection: connection.clone(),
        destination: destination.clone(),
        engine,
    };
    let undo = async |step: Undo| match step {
        Undo::Stop => profiler::stop_until_done(&connection).await,
        Undo::RemoveUpload => {
            if let Err(error) = destination.abort(&run_id).await {
                tracing::warn!(%error, "the unfinished archive stays under its temporary name");
            }
        }
    };
    supervisor::supervise(work::work(job, clock), shutdown, &phase, undo).await
}
