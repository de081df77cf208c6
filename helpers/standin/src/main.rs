//! The stand-in as a program: serves until it is told to stop.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use standin::Standin;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match serve(cli::Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standin: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(cli: cli::Cli) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let kubeconfig = cli.kubeconfig.clone();
    let standin = Standin::start(cli.into_options()).await?;
    standin.write_kubeconfig(&kubeconfig)?;
    println!("serving {} as in {}", standin.url(), kubeconfig.display());
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
