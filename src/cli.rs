//! The command line.

mod arguments;

use std::path::PathBuf;
use std::time::Duration;

use arguments::{DiffArguments, ReportArguments};
use bytesize::ByteSize;
use clap::{Parser, Subcommand};
use cluster_profiler_job::component::Component;
use cluster_profiler_job::config::{RunId, VARIABLES};
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::pprof::Kind;
use cluster_profiler_job::push::PushTime;

/// Profile the KubeVirt control plane once, as the environment says.
///
/// Starts KubeVirt's own profiler in every control plane pod, stops it after a while, and leaves
/// an archive of all profiles with a manifest beside it. The subcommands are for another process
/// beside a run, such as `kubectl exec` or a pipeline's step.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 80, after_help = "--help says more: environment and exit codes", after_long_help = tables())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A subcommand: what is done instead of a run.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// End the run's window now
    ///
    /// Writes the run's stop file (PROFILER_STOP_FILE). With a PROFILER_STOP_FILE that is set, the
    /// window stays open for PROFILER_SETTLE after it.
    Stop {
        /// The workload's exit code, for the manifest: with one above 0 the run exits with 6
        exit_code: Option<u8>,
    },
    /// Undo what a dead run left: stop profiling, turn the profiler off again
    ///
    /// Reads the run's journal in the Lease cluster-profiler-job, sends stop until every pod has
    /// seen it, and puts back what the run had changed to turn the profiler on. For a run that will
    /// not be started again, such as one that was deleted by force; any other run does the same before
    /// it begins.
    Undo,
    /// Give names to profiles that others left
    ///
    /// Reads POD/KIND.pprof at any depth, as upstream's cluster-profiler, vmspawn or an older run
    /// left them, and writes the same paths: profiles that `go tool pprof` opens with names, and
    /// beside them, in POD/original, the texts that they were made of. Other files are copied.
    /// Exits with 1 if something was damaged or lacks much; the rest is converted nevertheless.
    Convert {
        /// A directory or a .tar.gz
        source: PathBuf,
        /// The directory to make
        dest: PathBuf,
        /// Do not keep the texts of what was converted
        #[arg(long)]
        drop_originals: bool,
        /// Take no more than this, as it is unpacked: a small archive can unpack to anything
        #[arg(long, value_name = "SIZE", default_value = "32GiB")]
        max_bytes: ByteSize,
        /// Take no more files and directories than this
        #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
        max_entries: u64,
    },
    /// List the runs at PROFILER_DESTINATION and PROFILER_FALLBACK
    ///
    /// With the result of each, as its manifest says. An archive without a manifest is unfinished:
    /// nothing proves what is in it.
    Ls,
    /// Write a run's archive, or its page, to the standard output
    ///
    /// From PROFILER_DESTINATION, or else PROFILER_FALLBACK. It is compared with the manifest's SHA-256
    /// on the way: with exit code 1, do not use it.
    Get {
        /// The run's id, as `ls` shows it
        #[arg(value_parser = RunId::parse)]
        run_id: RunId,
        /// The page that says what the run found, which the run put beside the archive
        #[arg(long)]
        report: bool,
        /// A file to write instead, which appears only if it is what the manifest says
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Write one page of HTML that says what a run found
    ///
    /// With the pods that stand out, and where their time and memory went. The page needs no network and nothing
    /// beside it. The run is at PROFILER_DESTINATION or PROFILER_FALLBACK, or is an archive's path.
    Report(ReportArguments),
    /// Print the functions that have the most of a run's profiles
    ///
    /// Of each component all pods together, in tables with the values of `go tool pprof -top`.
    Top {
        /// The run's id, or the path of its archive with the manifest beside it
        run: String,
        /// Of this component alone
        #[arg(long, value_parser = component)]
        component: Option<Component>,
        /// The kind of profile: allocs, block, cpu, goroutine, heap, mutex or threadcreate
        #[arg(long, default_value = "cpu", value_parser = kind)]
        kind: Kind,
        /// Of this pod alone
        #[arg(long)]
        pod: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what changed in the numbers of runs, and how sure that is
    ///
    /// Of two runs, the second against the first, or of the newest against the comparable runs before. Their manifests
    /// are read, and no archive. Numbers of components are those of runs with PROFILER_BASELINE=true. Exits with 7 if
    /// a regression is confirmed.
    Diff(DiffArguments),
    /// Accept the level of a run as the new normal
    ///
    /// `diff` and PROFILER_COMPARE hold new runs against this one and those after it, and no longer against those
    /// before. That is said in profile-RUN_ID.accepted.json beside the run; accepted once more, it is written anew.
    Accept {
        /// The run's id, as `ls` shows it: the first run of the new level
        #[arg(value_parser = RunId::parse)]
        run_id: RunId,
        /// Who accepts it [default: $USER]
        #[arg(long, value_name = "WHO")]
        by: Option<String>,
        /// Why, for whoever reads it later
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Write profiles with all pods of a component in them, for `go tool pprof`
    ///
    /// COMPONENT/KIND.pprof, and those of the window in COMPONENT/delta and COMPONENT/growth.
    Export {
        /// The run's id, or the path of its archive with the manifest beside it
        run: String,
        /// Merge the profiles of all pods: there is no other export
        #[arg(long, required = true)]
        merged: bool,
        /// The directory to make
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Push a run's profiles to Pyroscope or Parca
    ///
    /// As PROFILER_PUSH does once a run is shipped. What arrived is said in profile-RUN_ID.push.json beside the
    /// archive. Exits with 1 unless all arrived. What is pushed twice is stored twice.
    Push {
        /// The run's id, or the path of its archive with the manifest beside it
        run: String,
        /// pyroscope+https://HOST[/PATH], parca+https://HOST[/PATH], or +http without TLS
        // Read later: clap would repeat one that is wrong, which may have a password in it.
        target: String,
        /// The time that the profiles bear: `own`, or `now` where the server takes only what is new
        #[arg(long, default_value = "own", value_parser = push_time)]
        time: PushTime,
    },
    /// Only wait, so that a pod with a volume stays and can be looked into
    ///
    /// Exits with 0 after the time, or at once when it is told to stop.
    Hold {
        /// How long, such as 1h
        #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
        wait: Duration,
    },
    /// Exit with 0 while profiling is on, else with 1
    ///
    /// Looks for the run's ready file (PROFILER_READY_FILE): fit for a readinessProbe.
    Ready {
        /// Wait for so long until profiling is on, such as 10m; ends early if the run is over
        #[arg(long, value_parser = humantime::parse_duration)]
        wait: Option<Duration>,
    },
}

fn component(name: &str) -> Result<Component, String> {
    name.parse()
        .map_err(|_| "there is no such component".to_owned())
}

fn kind(name: &str) -> Result<Kind, String> {
    let mut kinds = Kind::ALL.into_iter();
    let found = kinds.find(|kind| kind.name() == name);
    found.ok_or_else(|| "there is no such kind of profile".to_owned())
}

fn push_time(word: &str) -> Result<PushTime, &'static str> {
    match word {
        "own" => Ok(PushTime::Own),
        "now" => Ok(PushTime::Now),
        _ => Err("it is neither own nor now"),
    }
}

/// The tables of the environment and of the exit codes, as the README has them.
fn tables() -> String {
    let mut text = "Environment (empty means unset):\n".to_owned();
    for variable in VARIABLES {
        text += &format!("  {}\n{}", variable.name(), wrapped(variable.meaning));
        text += &wrapped(&format!("[default: {}]", variable.default));
    }
    text += "\nExit codes:\n";
    for code in ExitCode::ALL {
        text += &format!("  {:<3}  {}\n", code.number(), code.meaning());
    }
    text
}

/// A text, indented and wrapped for a terminal of 80 columns.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 72;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.iter().map(|line| format!("      {line}\n")).collect()
}
