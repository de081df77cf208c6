//! One Event for a run's end, where the run knows the pod that it is in.

use std::time::Duration;

use super::fault::Fault;
use super::job::Job;
use super::report::Finished;
use crate::cluster::event;
use crate::outcome::ExitCode;

/// Nobody waits longer for it: the run is over.
const LIMIT: Duration = Duration::from_secs(2);

/// Writes it as well as it can be: a run is none the worse without.
pub(super) async fn write(job: &Job, ended: &Result<Finished, Fault>) {
    let Some(pod) = job.config.pod.as_ref().filter(|_| !job.config.dry_run) else {
        return;
    };
    let (code, note) = match ended {
        Ok(finished) => (finished.code, &finished.reason),
        Err(fault) => (fault.code, &fault.message),
    };
    let is_good = code == ExitCode::Complete;
    let write = event::write(&job.site.connection, pod, reason(code), is_good, note);
    match tokio::time::timeout(LIMIT, write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::info!(%error, "no Event tells of this run"),
        Err(_) => tracing::info!("no Event tells of this run: the API server is slow"),
    }
}

/// As reasons of Events are written: `WorkloadFailed`.
fn reason(code: ExitCode) -> String {
    let words = code.word().split('-');
    let capital = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_uppercase() + rest,
        None => String::new(),
    };
    words.map(capital).collect()
}
