//! Termination: the Event, the last log line, the termination message, the done file and the results
//! directory say how the run ended. All say the same; none alters the exit code.

use std::fs;
use std::io;
use std::path::Path;

use tokio::time::timeout;

use crate::cluster::event;
use crate::config::{RunId, Telling, TerminationLog};
use crate::errors::plain_lines;
use crate::file;
use crate::limits::EVENT_LIMIT;
use crate::manifest::RunComparison;
use crate::outcome::{ExitCode, Message};
use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::phase_results::Finished;

/// Tells how the run ended, and returns the exit code.
pub(in crate::run) fn tell(
    telling: &Telling,
    run_id: Option<&RunId>,
    ended: Result<Finished, Fault>,
) -> ExitCode {
    let finished = ended.unwrap_or_else(|fault| Finished {
        code: fault.code,
        reason: fault.message,
        is_final: false,
        archive: None,
        workload_exit_code: None,
        comparison: None,
    });
    let code = finished.code;
    let archive = finished.archive.as_ref();
    let message = Message {
        exit_code: code.number(),
        status: code,
        reason: plain_lines(&finished.reason),
        run_id: run_id.map(ToString::to_string),
        uri: archive.map(|archive| archive.uri.clone()),
        bytes: archive.map(|archive| archive.bytes),
        sha256: archive.map(|archive| archive.sha256.to_string()),
        workload_exit_code: finished.workload_exit_code,
        verdict: finished.comparison.as_ref().map(RunComparison::short),
    };
    log(&message);
    if let Some(log) = &telling.termination_log {
        warn(&log.path, write_termination_log(log, &message));
    }
    if let Some(path) = &telling.done_file {
        warn(path, write_done_file(path, &message));
    }
    if let Some(path) = &telling.results_dir {
        warn(path, write_results(path, &message));
    }
    code
}

fn warn(path: &Path, written: io::Result<()>) {
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "the run's end could not be told here");
    }
}

fn log(message: &Message) {
    let Message {
        exit_code,
        reason,
        run_id,
        uri,
        ..
    } = message;
    if message.status == ExitCode::Complete {
        tracing::info!(exit_code, run_id, uri, reason, "done");
    } else if uri.is_some() {
        tracing::warn!(exit_code, run_id, uri, reason, "done");
    } else {
        tracing::error!(exit_code, run_id, reason, "failed");
    }
}

/// Writes the termination message. Only a path that the user set is created: on a laptop there is no
/// `/dev/termination-log`, and none should appear. Kubernetes mounts the file, so it cannot be replaced by a
/// rename; and what is no file could block for ever.
fn write_termination_log(log: &TerminationLog, message: &Message) -> io::Result<()> {
    match fs::metadata(&log.path) {
        Ok(there) if there.is_file() => {}
        Ok(_) => return Err(io::Error::other("it is no file")),
        Err(_) if !log.create => return Ok(()),
        Err(_) => {}
    }
    fs::write(&log.path, message.to_json())
}

fn write_done_file(path: &Path, message: &Message) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let written = file::write_whole_or_empty(path, message.to_json().as_bytes())?;
    if let Some(error) = written {
        tracing::warn!(path = %path.display(), %error, "the done file is empty");
    }
    Ok(())
}

fn write_results(directory: &Path, message: &Message) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, content) in message.results() {
        fs::write(directory.join(name), content)?;
    }
    Ok(())
}

/// Writes the Event of the run's end, where the run knows the pod that it is in, as well as it can be: a run
/// is none the worse without.
pub(in crate::run) async fn write_event(context: &Context, ended: &Result<Finished, Fault>) {
    let config = &context.config;
    let Some(pod) = config.pod.as_ref().filter(|_| !config.dry_run) else {
        return;
    };
    let (mut code, note) = match ended {
        Ok(finished) => (finished.code, plain_lines(&finished.reason)),
        Err(fault) => (fault.code, plain_lines(&fault.message)),
    };
    let comparison = ended.as_ref().ok().and_then(|of| of.comparison.as_ref());
    if code == ExitCode::Complete && comparison.is_some_and(RunComparison::is_confirmed_regression)
    {
        // Whoever watches Events is told, whatever the process exits with.
        code = ExitCode::Regression;
    }
    let connection = &context.cluster.connection;
    let write = event::write(
        connection,
        pod,
        event_reason(code),
        code == ExitCode::Complete,
        &note,
    );
    // Nobody waits longer for it: the run is over.
    match timeout(EVENT_LIMIT, write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::info!(%error, "no Event tells of this run"),
        Err(_) => tracing::info!("no Event tells of this run: the API server is slow"),
    }
}

/// The exit code's word as reasons of Events are written, such as `WorkloadFailed`.
fn event_reason(code: ExitCode) -> String {
    let words = code.word().split('-');
    let capital = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_uppercase() + rest,
        None => String::new(),
    };
    words.map(capital).collect()
}
