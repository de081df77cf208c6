//! Telling how the run ended: the last log line, the termination message, the done file, the
//! results. All say the same; none alters the exit code.

use std::fs;
use std::io;
use std::path::Path;

use super::fault::Fault;
use crate::config::{RunId, Telling, TerminationLog};
use crate::file;
use crate::manifest::{Archive, Manifest};
use crate::outcome::{ExitCode, Message};

/// A run that came to its end.
#[derive(Debug)]
pub(super) struct Finished {
    /// What the process exits with.
    pub(super) code: ExitCode,
    /// Why.
    pub(super) reason: String,
    /// The archive; a dry run has none.
    pub(super) archive: Option<Archive>,
    /// The workload's exit code, if it told.
    pub(super) workload_exit_code: Option<u8>,
}

impl Finished {
    /// A run that another attempt has shipped.
    ///
    /// # Errors
    /// Its manifest has an exit code that this program does not know.
    pub(super) fn already_there(manifest: Manifest) -> Result<Self, Fault> {
        let Manifest {
            run_id,
            exit_code,
            reason,
            archive,
            workload_exit_code,
            ..
        } = manifest;
        let code = ExitCode::from_number(exit_code).ok_or_else(|| {
            let message =
                format!("the manifest of run {run_id} has the unknown exit code {exit_code}");
            Fault::new(ExitCode::DestinationRefused, message)
        })?;
        let reason = format!("run {run_id} is already there: {reason}");
        Ok(Self {
            code,
            reason,
            archive: Some(archive),
            workload_exit_code,
        })
    }
}

/// Tells, and returns the exit code.
pub(super) fn tell(
    telling: &Telling,
    run_id: Option<&RunId>,
    ended: Result<Finished, Fault>,
) -> ExitCode {
    let (code, reason, archive, workload_exit_code) = match ended {
        Ok(Finished {
            code,
            reason,
            archive,
            workload_exit_code,
        }) => (code, reason, archive, workload_exit_code),
        Err(Fault { code, message, .. }) => (code, message, None, None),
    };
    let message = Message {
        exit_code: code.number(),
        status: code,
        reason,
        run_id: run_id.map(ToString::to_string),
        bytes: archive.as_ref().map(|archive| archive.bytes),
        sha256: archive.as_ref().map(|archive| archive.sha256.to_string()),
        uri: archive.map(|archive| archive.uri),
        workload_exit_code,
    };
    log(&message);
    let told = [
        telling
            .termination_log
            .as_ref()
            .map(|log| (log.path.as_path(), terminate(log, &message))),
        telling
            .done_file
            .as_deref()
            .map(|path| (path, done(path, &message))),
        telling
            .results_dir
            .as_deref()
            .map(|path| (path, results(path, &message))),
    ];
    for (path, result) in told.into_iter().flatten() {
        if let Err(error) = result {
            tracing::warn!(path = %path.display(), %error, "the run's end could not be told here");
        }
    }
    code
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

/// Only a path that the user set is created: on a laptop there is no `/dev/termination-log`, and
/// none should appear. Kubernetes mounts the file, so it cannot be replaced by a rename; and what
/// is no file could block for ever.
fn terminate(log: &TerminationLog, message: &Message) -> io::Result<()> {
    match fs::metadata(&log.path) {
        Ok(there) if there.is_file() => {}
        Ok(_) => return Err(io::Error::other("it is no file")),
        Err(_) if !log.create => return Ok(()),
        Err(_) => {}
    }
    fs::write(&log.path, message.to_json())
}

fn done(path: &Path, message: &Message) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    file::write_whole(path, message.to_json().as_bytes())
}

fn results(directory: &Path, message: &Message) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut files = message.results().into_iter();
    files.try_for_each(|(name, content)| fs::write(directory.join(name), content))
}
