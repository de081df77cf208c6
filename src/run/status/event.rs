//! The Kubernetes Event of a run's end, where the run knows the pod that it is in.

use tokio::time::timeout;

use crate::cluster::event;
use crate::limits::EVENT_LIMIT;
use crate::outcome::ExitCode;
use crate::run::context::Context;
use crate::run::outcome::{Fault, Finished};

/// Writes the Event, as well as it can be: a run is none the worse without.
pub(in crate::run) async fn write(context: &Context, ended: &Result<Finished, Fault>) {
    let config = &context.config;
    let Some(pod) = config.pod.as_ref().filter(|_| !config.dry_run) else {
        return;
    };
    let (code, note) = match ended {
        Ok(finished) => (finished.code, &finished.reason),
        Err(fault) => (fault.code, &fault.message),
    };
    let connection = &context.cluster.connection;
    let write = event::write(
        connection,
        pod,
        reason(code),
        code == ExitCode::Complete,
        note,
    );
    // Nobody waits longer for it: the run is over.
    match timeout(EVENT_LIMIT, write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::info!(%error, "no Event tells of this run"),
        Err(_) => tracing::info!("no Event tells of this run: the API server is slow"),
    }
}

/// The exit code's word as reasons of Events are written, such as `WorkloadFailed`.
fn reason(code: ExitCode) -> String {
    let words = code.word().split('-');
    let capital = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_uppercase() + rest,
        None => String::new(),
    };
    words.map(capital).collect()
}
