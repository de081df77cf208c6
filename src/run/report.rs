//! Telling how the run ended: the last log line, the termination message, the exit code.

use super::fault::Fault;
use crate::config::{RunId, TerminationLog};
use crate::manifest::Manifest;
use crate::outcome::ExitCode;
use crate::outcome::termination::{self, Message};

/// A run whose archive is at the destination.
#[derive(Debug)]
pub(super) struct Finished {
    /// What the process exits with.
    pub(super) code: ExitCode,
    /// Why.
    pub(super) reason: String,
    /// The archive's URI.
    pub(super) archive: String,
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
            archive: archive.uri,
        })
    }
}

/// Tells, and returns the exit code.
pub(super) fn tell(
    log: Option<&TerminationLog>,
    run_id: Option<&RunId>,
    ended: Result<Finished, Fault>,
) -> ExitCode {
    let (code, reason, archive) = match ended {
        Ok(Finished {
            code,
            reason,
            archive,
        }) => (code, reason, Some(archive)),
        Err(Fault { code, message }) => (code, message, None),
    };
    let run_id = run_id.map(ToString::to_string);
    let exit_code = code.number();
    match &archive {
        Some(archive) => tracing::info!(run_id, exit_code, archive, reason, "done"),
        None => tracing::error!(run_id, exit_code, reason, "failed"),
    }
    if let Some(TerminationLog { path, create }) = log {
        let message = Message {
            exit_code,
            reason,
            run_id,
            archive,
        };
        if let Err(error) = termination::write(path, *create, &message) {
            tracing::warn!(path = %path.display(), %error, "no termination message");
        }
    }
    code
}
