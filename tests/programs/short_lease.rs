//! The runner, or with the argument `undo` its undo, with a Lease that dies in seconds: for cases that
//! kill a run and wait for its death. With the argument `small-bucket` a bucket takes two parts, and shows what
//! it has within a second. With `hasty-bucket` the Lease lives as long as any, but a bucket that does not answer is
//! asked again after eight seconds.

use std::process::ExitCode;
use std::time::Duration;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::{BucketLimits, Limits};
use cluster_profiler_job::{commands, outcome, run};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> std::io::Result<ExitCode> {
    let argument = std::env::args().nth(1);
    let short_lease = Limits {
        lease: Duration::from_secs(2),
        lease_renewal: Duration::from_millis(400),
        gate: Duration::from_secs(60),
        ..Limits::default()
    };
    let limits = match argument.as_deref() {
        Some("small-bucket") => Limits {
            bucket: BucketLimits {
                appearance: Duration::from_secs(1),
                parts: 2,
                ..BucketLimits::default()
            },
            ..short_lease
        },
        Some("hasty-bucket") => Limits {
            bucket: BucketLimits {
                attempt: Duration::from_secs(8),
                completion: Duration::from_secs(8),
                ..BucketLimits::default()
            },
            ..Limits::default()
        },
        _ => short_lease,
    };
    let environment = std::env::vars_os();
    if argument.as_deref() == Some("undo") {
        return Ok(commands::undo(environment, limits).await.into());
    }
    let (sender, signals) = mpsc::channel(1);
    let mut term = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        while term.recv().await.is_some() {
            let _ = sender.send(outcome::ExitCode::Terminated).await;
        }
    });
    let code = run::run_with(environment, signals, limits, configured).await;
    Ok(code.into())
}
