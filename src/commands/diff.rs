//! `diff`: what changed in the numbers of runs, and how sure that is.

use std::ffi::OsString;
use std::path::PathBuf;

use super::kept_runs::{cannot_write, code_of, destinations, why_missing};
use crate::config::RunId;
use crate::destination::{Destination, DestinationError};
use crate::diff::{Diff, History, diff as compared, junit, newest, orion, table, two};
use crate::file::OutputFile;
use crate::functions::add_functions;
use crate::outcome::ExitCode;
use crate::run::status::log::{complain, print};
use crate::verdict::Rules;

/// Which runs are compared, and how that is told.
#[derive(Debug)]
pub struct Comparing {
    /// The runs.
    pub runs: ComparedRuns,
    /// Whether the archives are read for the functions that changed.
    pub functions: bool,
    /// As JSON, and not as a table.
    pub json: bool,
    /// The file of JUnit XML to write, too.
    pub junit: Option<PathBuf>,
    /// The file of documents for Orion to write, too.
    pub orion: Option<PathBuf>,
    /// Whether a regression that is only suspected is a failure, too.
    pub fail_on_suspected: bool,
}

/// The runs that are compared.
#[derive(Debug)]
pub enum ComparedRuns {
    /// The second of two against the first.
    Two([RunId; 2]),
    /// So many of the newest against those before.
    Last {
        /// How many are new.
        last: usize,
        /// Where the earlier ones are, if that is elsewhere.
        against: Option<String>,
        /// How many earlier ones are looked at.
        baseline: usize,
    },
}

/// `diff`: compares runs, prints what changed, and ends with a code of its own if that is a regression.
pub async fn diff(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    comparing: Comparing,
) -> ExitCode {
    if let Err(why) = comparing.check() {
        complain(why);
        return ExitCode::Usage;
    }
    let environment: Vec<_> = environment.into_iter().collect();
    let places = match destinations(environment.clone()) {
        Ok(places) => places,
        Err(code) => return code,
    };
    let mut rules = Rules::default();
    let mut everywhere = places.clone();
    let history = match &comparing.runs {
        ComparedRuns::Two(runs) => two_runs(&places, runs).await,
        ComparedRuns::Last {
            last,
            against,
            baseline,
        } => {
            let before = against
                .as_ref()
                .map(|url| destinations(at(environment, url)));
            let before = match before.transpose() {
                Ok(before) => before,
                Err(code) => return code,
            };
            rules.most_earlier = *baseline;
            everywhere.extend(before.iter().flatten().cloned());
            // The run before one that is new alone may confirm it, and is then no earlier one.
            newest(&places, *last, before.as_deref(), baseline + 1)
                .await
                .map(Some)
        }
    };
    let history = match history {
        Ok(Some(history)) => history,
        Ok(None) => return ExitCode::Finding,
        Err(error) => return code_of(Err(error)),
    };
    if history.new.is_empty() {
        for run in &history.passed_over {
            complain(format_args!("{}: {}", run.run_id, run.why));
        }
        complain("there is no complete run: cluster-profiler-job ls shows what is there");
        return ExitCode::Finding;
    }
    let new = history.new.clone();
    let mut diff = compared(history, &rules);
    if comparing.functions {
        let temporary = std::env::temp_dir();
        if let Err(error) = add_functions(&mut diff, &everywhere, &temporary, &rules).await {
            return code_of(Err(error));
        }
    }
    if let Some(path) = &comparing.orion
        && let Err(error) = OutputFile::write(path, orion(&diff, &new).as_bytes())
    {
        return cannot_write(path, &error);
    }
    tell(&diff, &comparing)
}

impl Comparing {
    /// Refuses what makes no sense together.
    fn check(&self) -> Result<(), String> {
        if let ComparedRuns::Two([earlier, new]) = &self.runs
            && earlier == new
        {
            return Err(format!("{new}: a run is not compared with itself"));
        }
        if self.documents_on_output() > 1 {
            let why = "the standard output is for one of --json, --junit - and --orion -";
            return Err(why.to_owned());
        }
        Ok(())
    }

    /// How many documents go to the standard output, where the table is otherwise.
    fn documents_on_output(&self) -> usize {
        let files = [&self.junit, &self.orion].into_iter().flatten();
        let on_output = files.filter(|path| path.as_os_str() == "-");
        on_output.count() + usize::from(self.json)
    }
}

/// The environment with this destination alone.
fn at(environment: Vec<(OsString, OsString)>, url: &str) -> Vec<(OsString, OsString)> {
    let is_place = |name: &OsString| name == "PROFILER_DESTINATION" || name == "PROFILER_FALLBACK";
    let mut environment = environment;
    environment.retain(|(name, _)| !is_place(name));
    environment.push(("PROFILER_DESTINATION".into(), url.into()));
    environment
}

/// Both runs; `None` if one is missing, which is told.
async fn two_runs(
    places: &[Destination],
    runs: &[RunId; 2],
) -> Result<Option<History>, DestinationError> {
    let mut found = Vec::new();
    for run in runs {
        match Destination::find_among(places, run).await? {
            (_, Some(place)) => found.push(place),
            (missing, None) => {
                complain(why_missing(run, &missing));
                return Ok(None);
            }
        }
    }
    let ([earlier, new], [earlier_place, new_place]) = (runs, found.as_slice()) else {
        return Ok(None);
    };
    two(earlier_place, earlier, new_place, new).await.map(Some)
}

/// Writes what is said, and gives the exit code.
fn tell(diff: &Diff, comparing: &Comparing) -> ExitCode {
    if let Some(path) = &comparing.junit {
        let document = junit(diff, comparing.fail_on_suspected);
        if let Err(error) = OutputFile::write(path, document.as_bytes()) {
            return cannot_write(path, &error);
        }
    }
    let text = if comparing.json {
        serde_json::to_string_pretty(diff).unwrap_or_default() + "\n"
    } else if comparing.documents_on_output() > 0 {
        String::new()
    } else {
        table(diff)
    };
    match print(&text) {
        Err(error) => {
            complain(format_args!("the comparison cannot be written: {error}"));
            ExitCode::Finding
        }
        Ok(()) if diff.is_failure(comparing.fail_on_suspected) => ExitCode::Regression,
        Ok(()) => ExitCode::Complete,
    }
}
