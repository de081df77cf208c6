//! `report`: the page of a kept run.

use std::ffi::OsString;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kept_runs::{cannot_write, code_of, spare_own_files, why_missing};
use super::opened_run::{Opened, all_found_room, complain_of_unread, open, open_at};
use crate::config::RunId;
use crate::destination::Destination;
use crate::diff::{Diff, before, diff, two};
use crate::errors::{joined, plain};
use crate::file::OutputFile;
use crate::outcome::ExitCode;
use crate::report::{self, Findings, Wanted};
use crate::run::status::log::{complain, say};
use crate::verdict::Rules;

/// Where all is told of which standard error has the first.
const AS_TOLD: &str = ", as the page says";

/// What a page is to be like.
#[derive(Debug)]
pub struct Reporting {
    /// Its file, if it is to have another name than usual.
    pub output: Option<PathBuf>,
    /// Whether the names in it are replaced.
    pub redact: bool,
    /// What the run is compared with, if with anything.
    pub against: Option<Against>,
}

/// What a run is compared with.
#[derive(Debug)]
pub enum Against {
    /// The comparable runs before it.
    RunsBefore,
    /// This run.
    Run(RunId),
}

/// A comparison, and the profiles of one of the earlier runs, or that run where its archive cannot be read.
#[derive(Default)]
struct Comparison {
    diff: Option<Diff>,
    earlier: Option<Result<Opened, RunId>>,
}

/// `report`: writes the page of a run.
pub async fn report(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: String,
    reporting: Reporting,
) -> ExitCode {
    let made = async {
        let mut opened = open(environment, &run, Wanted::default()).await?;
        let comparison = match &reporting.against {
            Some(against) => compare(&mut opened, against).await?,
            None => Comparison::default(),
        };
        let making = move || make(opened, comparison, reporting);
        joined(tokio::task::spawn_blocking(making).await)
    };
    made.await.err().unwrap_or(ExitCode::Complete)
}

fn make(mut opened: Opened, comparison: Comparison, reporting: Reporting) -> Result<(), ExitCode> {
    let mut findings = report::collect(Arc::clone(&opened.manifest), &mut opened.store);
    findings.comparison = comparison.diff;
    findings.differences = comparison.earlier.as_ref().map(|earlier| match earlier {
        Ok(of) => report::differences(&findings, &opened.store, &of.manifest, &of.store),
        Err(run) => report::no_differences(run.to_string()),
    });
    if reporting.redact {
        report::redact(&mut findings);
    }
    let suffix = if reporting.redact { "-redacted" } else { "" };
    let name = format!("profile-{}{suffix}.html", findings.manifest.run_id);
    let output = reporting.output.unwrap_or_else(|| name.into());
    let has_page = opened.manifest.report.is_some();
    spare_own_files(&opened.place, &opened.run, has_page, &output)?;
    write_page(&findings, &output).map_err(|error| cannot_write(&output, &error))?;
    say(format_args!("{}", output.display()));
    complain_of_unread("the archive", AS_TOLD, &findings.unread);
    if let Some(differences) = &findings.differences {
        let of = format!("the archive of run {}", plain(&differences.run_id));
        complain_of_unread(&of, AS_TOLD, &differences.unread);
    }
    all_found_room(&opened.store)?;
    match &comparison.earlier {
        Some(Ok(earlier)) => all_found_room(&earlier.store),
        Some(Err(_)) | None => Ok(()),
    }
}

/// Compares a run, and opens the earlier run whose profiles its own are held against: the one that was named, or else the
/// newest of those that are comparable.
async fn compare(opened: &mut Opened, against: &Against) -> Result<Comparison, ExitCode> {
    let rules = Rules::default();
    let (history, earlier) = match against {
        Against::RunsBefore => {
            let history = before(&opened.places, &opened.manifest, &rules).await;
            let history = match history.map_err(|error| code_of(Err(error)))? {
                Ok(history) => history,
                Err(why) => {
                    complain(format_args!("not compared with the runs before: {why}"));
                    Arc::make_mut(&mut opened.manifest).not_compared = Some(why);
                    return Ok(Comparison::default());
                }
            };
            let earlier = history.earlier.last().map(|run| RunId::parse(&run.run_id));
            (history, earlier.and_then(Result::ok))
        }
        Against::Run(run) => {
            if run == &opened.run {
                complain(format_args!("{run}: a run is not compared with itself"));
                return Err(ExitCode::Usage);
            }
            let place = place_of(&opened.places, run).await?;
            let history = two(place, run, &opened.place, &opened.run).await;
            let history = history.map_err(|error| code_of(Err(error)))?;
            (history, Some(run.clone()))
        }
    };
    let mut comparison = Comparison {
        diff: Some(diff(history, &rules)),
        ..Comparison::default()
    };
    if let Some(run) = earlier {
        let places = opened.places.clone();
        // Why not is told there, and the numbers need no archive.
        let opened = open_at(places, run.clone(), Wanted::WITHOUT_SNAPSHOTS).await;
        comparison.earlier = Some(opened.map_err(|_| run));
    }
    Ok(comparison)
}

/// The place that has a run's manifest, which is all that is asked of it: its archive may be gone or damaged.
async fn place_of<'a>(places: &'a [Destination], run: &RunId) -> Result<&'a Destination, ExitCode> {
    for place in places {
        if place.numbers(run).await.is_ok() {
            return Ok(place);
        }
    }
    let (found, place) = Destination::find_among(places, run)
        .await
        .map_err(|error| code_of(Err(error)))?;
    place.ok_or_else(|| {
        complain(why_missing(run, &found));
        ExitCode::Finding
    })
}

/// Writes the page, which appears whole.
fn write_page(findings: &Findings, output: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(OutputFile::create(output)?);
    report::page(findings, &mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.finish()
}
