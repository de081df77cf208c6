//! The command: environment and signals in, one call, an exit code out.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cluster_profiler_job::{outcome, run};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> std::io::Result<ExitCode> {
    cli::Cli::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    let code = runtime.block_on(run::run(std::env::vars_os(), told_to_stop()));
    // A thread that still reads a dump nobody wants must not hold the exit up.
    runtime.shutdown_background();
    Ok(code.into())
}

/// Resolves when the process is told to stop, to the exit code for that.
async fn told_to_stop() -> outcome::ExitCode {
    let (Ok(mut term), Ok(mut int)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => outcome::ExitCode::Terminated,
        _ = int.recv() => outcome::ExitCode::Interrupted,
    }
}
