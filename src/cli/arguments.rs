//! The arguments of the subcommands that have many.

use std::path::PathBuf;

use clap::Args;
use cluster_profiler_job::commands::{Against, ComparedRuns, Comparing, Reporting};
use cluster_profiler_job::config::RunId;

/// What `report` is told.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// The run's id, or the path of its archive with the manifest beside it
    run: String,
    /// The page's file [default: profile-RUN_ID.html]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace whatever names the cluster by short names, for a page that others get
    ///
    /// Pods, nodes, namespaces, the values of labels, and what is named in messages. Numbers stay as they are, and
    /// the page says so. Its file is profile-RUN_ID-redacted.html, if nothing else is said.
    #[arg(long)]
    redact: bool,
    /// Compare it with the comparable runs before, or with this one
    ///
    /// As `diff` does. The page gets the verdict on each number, and the flame graphs of what differs from the
    /// newest of those runs, or from the one that is named, which may also be a later one. Exits with 0 for a
    /// regression, too.
    #[arg(long, value_name = "RUN_ID", num_args = 0..=1, require_equals = true, value_parser = RunId::parse)]
    compare: Option<Option<RunId>>,
}

impl ReportArguments {
    /// The run, and what its page is to be like.
    pub(crate) fn reporting(self) -> (String, Reporting) {
        let against = self
            .compare
            .map(|run| run.map_or(Against::RunsBefore, Against::Run));
        let reporting = Reporting {
            output: self.output,
            redact: self.redact,
            against,
        };
        (self.run, reporting)
    }
}

/// The arguments of `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The ids of an earlier and a new run, in that order whatever their times [default: the newest run, by its manifest's time, against those before]
    #[arg(num_args = 2, value_names = ["EARLIER", "NEW"], value_parser = RunId::parse, conflicts_with_all = ["last", "against", "baseline"])]
    runs: Vec<RunId>,
    /// How many of the newest runs are new: several together show smaller changes
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    last: u8,
    /// Where the earlier runs are, as in PROFILER_DESTINATION, if that is elsewhere
    #[arg(long, value_name = "DESTINATION")]
    against: Option<String>,
    /// How many comparable runs before are looked at
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    baseline: u8,
    /// Read the archives, too, for the functions that changed: of the numbers that did, or of all if none did
    #[arg(long)]
    functions: bool,
    /// Exit with 7 for a regression that is only suspected, too
    #[arg(long, value_name = "WHAT", value_parser = ["confirmed", "suspected"], default_value = "confirmed")]
    fail_on: String,
    /// Write JUnit XML, too: a test for each number that is tested
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write what Orion can index, too: a line of JSON for each new run, with all its numbers
    #[arg(long, value_name = "FILE")]
    orion: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl DiffArguments {
    /// What is to be compared.
    pub(crate) fn comparing(self) -> Comparing {
        let runs = match <[_; 2]>::try_from(self.runs) {
            Ok(two) => ComparedRuns::Two(two),
            Err(_) => ComparedRuns::Last {
                last: self.last.into(),
                against: self.against,
                baseline: self.baseline.into(),
            },
        };
        Comparing {
            runs,
            functions: self.functions,
            json: self.json,
            junit: self.junit,
            orion: self.orion,
            fail_on_suspected: self.fail_on == "suspected",
        }
    }
}
