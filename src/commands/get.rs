//! `get`: the archive or the page of a run that is kept at the destination or the fallback.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use sha2::Digest;

use super::kept_runs::{code_of, destinations, spare_own_files, why_missing};
use crate::config::{RunFile, RunId};
use crate::destination::{Destination, DestinationError, Found, Summary};
use crate::file::OutputFile;
use crate::manifest::{Sha256, StoredFile};
use crate::outcome::ExitCode;
use crate::run::status::log::complain;

/// What is fetched of a run, and where to.
#[derive(Debug)]
pub struct Fetch {
    /// The run.
    pub run_id: RunId,
    /// Its page, and not its archive.
    pub report: bool,
    /// The file to write, in place of the standard output.
    pub output: Option<PathBuf>,
}

/// `get`: writes a run's archive or its page, and checks it against the manifest on the way.
pub async fn get(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    fetch: Fetch,
) -> ExitCode {
    match destinations(environment) {
        Ok(destinations) => code_of(fetch_from(&destinations, &fetch).await),
        Err(code) => code,
    }
}

/// Fetches from the first destination that has the run.
async fn fetch_from(
    destinations: &[Destination],
    fetch: &Fetch,
) -> Result<ExitCode, DestinationError> {
    let run = &fetch.run_id;
    let (file, what, option) = if fetch.report {
        (RunFile::Report, "the page", " --report")
    } else {
        (RunFile::Archive, "the archive", "")
    };
    if fetch.output.is_none() && io::stdout().is_terminal() {
        complain(format_args!(
            "{what} is no text for a terminal: cluster-profiler-job get {run}{option} -o {}",
            run.file_name(file)
        ));
        return Ok(ExitCode::Usage);
    }
    let (summary, destination) = match Destination::find_among(destinations, run).await? {
        (Found::Complete(summary), Some(destination)) => (summary, destination),
        (found, _) => {
            complain(format_args!("{}", why_missing(run, &found)));
            return Ok(ExitCode::Finding);
        }
    };
    if let Some(path) = &fetch.output
        && let Err(code) = spare_own_files(destination, run, summary.report.is_some(), path)
    {
        return Ok(code);
    }
    let expected = if fetch.report {
        match page_of(*summary) {
            Ok(page) => page,
            Err(why) => {
                complain(why);
                return Ok(ExitCode::Finding);
            }
        }
    } else {
        summary.archive
    };
    let copied = match &fetch.output {
        Some(path) => copy_to_file(destination, run, file, &expected, path).await?,
        None => {
            let copied = copy(destination, run, file, &expected, &mut io::stdout()).await?;
            copied.map_err(|why| format!("{why}; do not use what was written"))
        }
    };
    Ok(match copied {
        Ok(()) => ExitCode::Complete,
        Err(why) => {
            complain(format_args!("{what} {why}"));
            ExitCode::Finding
        }
    })
}

/// The page of a run, or why there is none and what to do.
fn page_of(summary: Summary) -> Result<StoredFile, String> {
    let (run, why) = (summary.run_id, summary.no_report);
    summary.report.ok_or_else(|| {
        let why = why.unwrap_or_else(|| "none was wanted (PROFILER_REPORT)".to_owned());
        format!(
            "run {run} has no page: {why}; cluster-profiler-job report {run} makes one of its archive"
        )
    })
}

/// Writes a file that appears whole, or not at all.
async fn copy_to_file(
    destination: &Destination,
    run: &RunId,
    file: RunFile,
    expected: &StoredFile,
    path: &Path,
) -> Result<Result<(), String>, DestinationError> {
    let mut output = match OutputFile::create(path) {
        Ok(output) => output,
        Err(error) => return Ok(Err(not_written(path, &error))),
    };
    let copied = copy(destination, run, file, expected, &mut output).await?;
    let finish = |()| output.finish().map_err(|error| not_written(path, &error));
    Ok(copied.and_then(finish))
}

fn not_written(path: &Path, error: &io::Error) -> String {
    format!("cannot be written to {}: {error}", path.display())
}

/// Copies a file. The inner result is what is wrong with what was written.
///
/// # Errors
/// The destination cannot be read.
async fn copy(
    destination: &Destination,
    run: &RunId,
    file: RunFile,
    expected: &StoredFile,
    out: &mut impl Write,
) -> Result<Result<(), String>, DestinationError> {
    let mut download = destination.open(run, file).await?;
    let (mut hash, mut bytes) = (sha2::Sha256::new(), 0);
    let failed = |error: io::Error| format!("cannot be written: {error}");
    while let Some(chunk) = download.next().await? {
        hash.update(&chunk);
        bytes += chunk.len() as u64;
        if let Err(error) = out.write_all(&chunk) {
            return Ok(Err(failed(error)));
        }
    }
    if let Err(error) = out.flush() {
        return Ok(Err(failed(error)));
    }
    let sha256 = Sha256(hash.finalize().into());
    Ok(match expected.fault_of(bytes, sha256) {
        None => Ok(()),
        Some(fault) => Err(format!("{} {fault}", expected.uri)),
    })
}
