//! `get`: a run's archive to the standard output, held against its manifest on the way.

use std::io::{IsTerminal, Write};

use sha2::Digest;

use crate::config::RunId;
use crate::destination::DestinationError;
use crate::destination::{Destination, Found};
use crate::manifest::{Archive, Sha256};
use crate::outcome::ExitCode;

/// Writes the archive of the first destination that has the run.
///
/// # Errors
/// A destination cannot be read, before or in the middle of the archive.
pub(super) async fn run(
    destinations: &[Destination],
    run: &RunId,
) -> Result<ExitCode, DestinationError> {
    if std::io::stdout().is_terminal() {
        eprintln!(
            "the archive is no text for a terminal: cluster-profiler-job get {run} > {}.tar.gz",
            run.stem()
        );
        return Ok(ExitCode::Usage);
    }
    match Destination::find_among(destinations, run).await? {
        (Found::Complete(manifest), Some(place)) => copy(place, run, &manifest.archive).await,
        (found, _) => {
            eprintln!("{}", missing(run, &found));
            Ok(ExitCode::Finding)
        }
    }
}

fn missing(run: &RunId, found: &Found) -> String {
    match found {
        Found::Unfinished => {
            format!("run {run} is unfinished: there is no manifest that vouches for its archive")
        }
        Found::Unknown => format!(
            "run {run} is not there, or this account may not read it: see docs/s3.md for the rights"
        ),
        Found::Invalid(error) => error.to_string(),
        Found::Absent | Found::Complete(_) => {
            format!("there is no run {run}: cluster-profiler-job ls shows those that are there")
        }
    }
}

async fn copy(
    destination: &Destination,
    run: &RunId,
    expected: &Archive,
) -> Result<ExitCode, DestinationError> {
    let mut download = destination.open(run).await?;
    let (mut hash, mut bytes, mut out) = (sha2::Sha256::new(), 0, std::io::stdout());
    while let Some(chunk) = download.next().await? {
        hash.update(&chunk);
        bytes += chunk.len() as u64;
        if let Err(error) = out.write_all(&chunk) {
            eprintln!("the archive cannot be written: {error}");
            return Ok(ExitCode::Finding);
        }
    }
    if let Err(error) = out.flush() {
        eprintln!("the archive cannot be written: {error}");
        return Ok(ExitCode::Finding);
    }
    let sha256 = Sha256(hash.finalize().into());
    if (bytes, sha256) == (expected.bytes, expected.sha256) {
        return Ok(ExitCode::Complete);
    }
    eprintln!(
        "{} is NOT what its manifest says: {bytes} bytes with SHA-256 {sha256}, where {} bytes with \
         {} should be; do not use what was written",
        expected.uri, expected.bytes, expected.sha256
    );
    Ok(ExitCode::Finding)
}
