//! Termination: the last log line, the termination message, the done file and the results directory say
//! how the run ended. All say the same; none alters the exit code.

use std::fs;
use std::io;
use std::path::Path;

use crate::config::{RunId, Telling, TerminationLog};
use crate::file;
use crate::outcome::{ExitCode, Message};
use crate::run::outcome::{Fault, Finished};

/// Tells how the run ended, and returns the exit code.
pub(in crate::run) fn tell(
    telling: &Telling,
    run_id: Option<&RunId>,
    ended: Result<Finished, Fault>,
) -> ExitCode {
    let finished = ended.unwrap_or_else(|fault| Finished {
        code: fault.code,
        reason: fault.message,
        archive: None,
        workload_exit_code: None,
    });
    let code = finished.code;
    let archive = finished.archive.as_ref();
    let message = Message {
        exit_code: code.number(),
        status: code,
        reason: finished.reason,
        run_id: run_id.map(ToString::to_string),
        uri: archive.map(|archive| archive.uri.clone()),
        bytes: archive.map(|archive| archive.bytes),
        sha256: archive.map(|archive| archive.sha256.to_string()),
        workload_exit_code: finished.workload_exit_code,
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

/// Writes the termination message. Only a path that the user set is created: on a laptop there is no `/dev/termination-log`, and
/// none should appear. Kubernetes mounts the file, so it cannot be replaced by a rename; and what
/// is no file could block for ever.
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
    file::write_whole(path, message.to_json().as_bytes())
}

fn write_results(directory: &Path, message: &Message) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, content) in message.results() {
        fs::write(directory.join(name), content)?;
    }
    Ok(())
}
