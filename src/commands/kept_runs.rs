//! `ls`, and what all have in common that read the runs which are kept at the destination and the fallback.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::config::{RunFile, RunId, places};
use crate::destination::{Destination, DestinationError, Found, Listed, Summary};
use crate::file::OutputFile;
use crate::limits::BucketLimits;
use crate::outcome::ExitCode;
use crate::run::status::log::{complain, print};
use crate::table::aligned;

const HEADER: [&str; 8] = [
    "RUN ID", "STATE", "FINISHED", "PODS", "BYTES", "ARCHIVE", "CLUSTER", "ACCEPTED",
];

/// An archive's place is cut after so many characters; a key of a bucket has at most 1024 bytes.
const LONGEST_URI: usize = 1200;

/// A cluster's identity, which is a UID, is cut after so many characters.
const LONGEST_UID: usize = 36;

/// A run, as its columns below the header have it.
type Row = [String; 8];

/// `ls`: prints the runs of all destinations that can be read.
pub async fn ls(environment: impl IntoIterator<Item = (OsString, OsString)>) -> ExitCode {
    match destinations(environment) {
        Ok(destinations) => code_of(print_runs(&destinations).await),
        Err(code) => code,
    }
}

/// The destination and the fallback. Faults of their variables are printed, and are the exit code.
pub(super) fn destinations(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Destination>, ExitCode> {
    match places(environment) {
        Ok(places) => {
            let limits = BucketLimits::default();
            let destination = |place| Destination::new(place, &limits);
            Ok(places.iter().map(destination).collect())
        }
        Err(faults) => {
            complain(&faults);
            Err(ExitCode::Usage)
        }
    }
}

/// The exit code of a command. A destination's error is printed, and has one of its own.
pub(super) fn code_of(result: Result<ExitCode, DestinationError>) -> ExitCode {
    result.unwrap_or_else(|error| {
        complain(&error);
        error.exit_code()
    })
}

/// Tells that a file cannot be written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> ExitCode {
    complain(format_args!(
        "{}: it cannot be written: {error}",
        path.display()
    ));
    ExitCode::Finding
}

/// Refuses an output that would take the place of one of the run's own files, which its manifest vouches for. A page that
/// the manifest does not list is none of them.
pub(super) fn spare_own_files(
    place: &Destination,
    run: &RunId,
    has_page: bool,
    output: &Path,
) -> Result<(), ExitCode> {
    let Destination::Directory(directory) = place else {
        return Ok(());
    };
    let own = RunFile::ALL.into_iter().find(|file| {
        (has_page || *file != RunFile::Report)
            && OutputFile::is_at(output, &directory.file(run, *file))
    });
    let what = match own {
        None => return Ok(()),
        Some(RunFile::Archive) => "the archive",
        Some(RunFile::Report) => "the page",
        Some(RunFile::Pushed) => "what arrived of a push",
        Some(RunFile::Accepted) => "the acceptance",
        Some(RunFile::Manifest) => "the manifest",
    };
    complain(format_args!(
        "{}: this is {what} of run {run} at its destination, which is not written over: name another file with -o",
        output.display()
    ));
    Err(ExitCode::Usage)
}

/// Prints a table of all runs. A destination that cannot be read hides no other; its error, or that of the
/// last one, comes back.
async fn print_runs(destinations: &[Destination]) -> Result<ExitCode, DestinationError> {
    let mut rows = vec![HEADER.map(str::to_owned)];
    let mut result = Ok(ExitCode::Complete);
    for destination in destinations {
        match rows_of(destination).await {
            Ok(more) => rows.extend(more),
            Err(error) => result = Err(error),
        }
    }
    match print(&aligned(&rows)) {
        Ok(()) => result,
        Err(error) => {
            complain(format_args!("the list cannot be written: {error}"));
            Ok(ExitCode::Finding)
        }
    }
}

async fn rows_of(destination: &Destination) -> Result<Vec<Row>, DestinationError> {
    let mut rows = Vec::new();
    // One at a time, for a manifest may be large.
    for listed in destination.list().await? {
        rows.push(row(destination, listed).await?);
    }
    Ok(rows)
}

/// The row of a run. An error of one run alone is printed, and hides no other run.
async fn row(destination: &Destination, listed: Listed) -> Result<Row, DestinationError> {
    let state = match destination.find(&listed.run_id).await {
        Ok(Found::Complete(manifest)) => return Ok(row_of_manifest(*manifest, &listed)),
        Ok(Found::Absent | Found::Unfinished(_)) => "unfinished",
        Ok(Found::Unknown) => "unknown",
        Ok(Found::Invalid(error)) => {
            complain(&error);
            "invalid"
        }
        Ok(Found::Mismatched(error)) => {
            complain(&error);
            "mismatched"
        }
        Err(error) if error.permanent => {
            complain(&error);
            "unknown"
        }
        Err(error) => return Err(error),
    };
    let mut row = Row::default().map(|_| "-".to_owned());
    row[0] = listed.run_id.to_string();
    state.clone_into(&mut row[1]);
    Ok(row)
}

fn row_of_manifest(manifest: Summary, listed: &Listed) -> Row {
    let pods = manifest.pods;
    let cluster = manifest.kubevirt.uid.unwrap_or_else(|| "-".to_owned());
    let code = ExitCode::from_number(manifest.exit_code);
    let time = |at: jiff::Timestamp| at.strftime("%FT%TZ").to_string();
    let accepted = listed.accepted.map(time);
    [
        manifest.run_id,
        code.map_or("unknown", ExitCode::word).to_owned(),
        listed.finished.map(time).unwrap_or_default(),
        format!("{}/{}", pods.complete(), pods.expected()),
        manifest.archive.bytes.to_string(),
        manifest.archive.uri.chars().take(LONGEST_URI).collect(),
        cluster.chars().take(LONGEST_UID).collect(),
        accepted.unwrap_or_else(|| "-".to_owned()),
    ]
}

/// Why there is no whole run, for a person.
pub(super) fn why_missing(run: &RunId, found: &Found) -> String {
    match found {
        Found::Unfinished(_) => {
            format!("run {run} is unfinished: there is no manifest that vouches for its archive")
        }
        Found::Unknown => format!(
            "run {run} is not there, or this account may not read it: see docs/s3.md for the rights"
        ),
        Found::Invalid(error) | Found::Mismatched(error) => error.to_string(),
        Found::Absent | Found::Complete(_) => {
            format!("there is no run {run}: cluster-profiler-job ls shows those that are there")
        }
    }
}
