//! What a run costs, by the number of pods.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench::{Build, Place, PushServer, Used};
use bucket::Bucket;
use clap::Parser;
use cluster_profiler_job::pprof::Kind;
use standin::{Damage, Fault, Options, Profiles, Standin, Times, VmScript};

const MIB: f64 = 1024.0 * 1024.0;

/// The time from one virtual machine to the next.
const VMS_EVERY: Duration = Duration::from_millis(1);

/// How many times faster they come up than their timestamps say.
const VMS_SPEED: u32 = 20;

/// Run the build that ships, static (musl) and optimised, against stand-ins of these sizes, one after another, and print what each
/// run cost. Exits with 1 if a limit that was given is exceeded. The runner's other settings may be given as variables.
#[derive(Parser)]
struct Cli {
    /// Pods of each run
    #[arg(long, value_delimiter = ',', default_value = "20,200")]
    pods: Vec<usize>,
    /// Into a bucket, by TLS, and not into a directory
    #[arg(long)]
    s3: bool,
    /// Other builds to run in turns, in place of the one that ships
    #[arg(long)]
    binary: Vec<PathBuf>,
    /// Runs of each
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Time that a pod takes to answer, in ms
    #[arg(long, default_value_t = 0)]
    pod_latency: u64,
    /// How many dumps the API server lets be under way at once; it answers more of them 429
    #[arg(long)]
    dumps_at_once: Option<usize>,
    /// The size of the first pod's heap text, in MB, in place of the usual one
    #[arg(long)]
    heap: Option<usize>,
    /// Run each with a baseline, too
    #[arg(long)]
    baseline: bool,
    /// Push each run to a server that answers at once
    #[arg(long)]
    push: bool,
    /// How long the window settles, in seconds
    #[arg(long, default_value_t = 1)]
    settle: u64,
    /// Virtual machines that are created in the window, which settles when all of them run
    #[arg(long)]
    vms: Option<usize>,
    /// Limit of any run's peak memory (VmHWM), in MiB
    #[arg(long)]
    peak: Option<f64>,
    /// Limit of the difference between the runs' peak memory, in MiB
    #[arg(long)]
    spread: Option<f64>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut cli = Cli::parse();
    if cli.binary.is_empty() {
        cli.binary.push(bench::build(Build::Release).await?);
    }
    let mut peaks = Vec::new();
    let mut rows = Vec::new();
    for &pods in &cli.pods {
        for number in 0..cli.runs * cli.binary.len() {
            let binary = number % cli.binary.len();
            let baselines = if cli.baseline {
                &["false", "true"][..]
            } else {
                &["false"]
            };
            for baseline in baselines {
                let run = measured(&cli, &cli.binary[binary], pods, baseline).await?;
                peaks.push(run.peak);
                rows.push(format!("{binary:>6}{baseline:>9}{pods:>6}{run}"));
            }
        }
    }
    println!(
        "\nbinary baseline  pods  text MiB  archive MiB   wall s   dump s   push s    CPU s  (system)  MiB/CPU s  faults/pod  peak MiB"
    );
    rows.iter().for_each(|row| println!("{row}"));
    Ok(verdict(&cli, &peaks))
}

/// What a run gave and took. Sizes are in MiB, times in seconds.
struct Measured {
    text: f64,
    archive: f64,
    peak: f64,
    wall: f64,
    /// Of the baseline and the dump.
    dump: f64,
    /// From the manifest to the end.
    push: f64,
    used: Used,
    pods: usize,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cpu = self.used.cpu();
        write!(
            f,
            "{:>10.0}{:>13.1}{:>9.1}{:>9.1}{:>9.2}{cpu:>9.1}{:>10.1}{:>11.0}{:>12.0}{:>10.1}",
            self.text,
            self.archive,
            self.wall,
            self.dump,
            self.push,
            self.used.system,
            self.text / cpu,
            self.used.faults / self.pods as f64,
            self.peak,
        )
    }
}

async fn measured(cli: &Cli, binary: &Path, pods: usize, baseline: &str) -> Result<Measured> {
    let mut options = Options {
        pods,
        pod_latency: Duration::from_millis(cli.pod_latency),
        profiles: Profiles::Large,
        remembered: 0,
        ..Options::default()
    };
    if let Some(most) = cli.dumps_at_once {
        options.dumps_at_once = most;
    }
    if let Some(megabytes) = cli.heap {
        let fault = Damage::Replaced("heap.pprof".to_owned(), heap(megabytes)?);
        let first = first_pod(&options).await?;
        options.pod_faults = vec![(first, Fault::Damaged(fault, Times::Always))];
    }
    let out = tempfile::tempdir()?;
    let place = if cli.s3 {
        Place::Bucket(Bucket::start().await?)
    } else {
        Place::Directory(out.path().to_owned())
    };
    // Builds before it do not know the setting.
    let mut settings = Vec::new();
    if cli.baseline {
        settings.push(("PROFILER_BASELINE", baseline));
    }
    let server = PushServer::start().await?;
    if cli.push {
        settings.push(("PROFILER_PUSH", server.target()));
    }
    let (before, begin) = (Used::by_children()?, Instant::now());
    let standin = Standin::start(options).await?;
    let settle = Duration::from_secs(cli.settle);
    let ran = match cli.vms {
        None => bench::run_against(&standin, binary, &place, settle, &settings).await?,
        Some(count) => {
            let vms = VmScript {
                count,
                every: VMS_EVERY,
                speed: VMS_SPEED,
                ..VmScript::default()
            };
            bench::run_beside_vms(&standin, binary, &place, settle, &settings, vms).await?
        }
    };
    let manifest = &ran.manifest;
    let (wall, after) = (begin.elapsed(), Used::by_children()?);
    let bytes = |value: &serde_json::Value| value.as_f64().map(|bytes| bytes / MIB);
    Ok(Measured {
        text: text_bytes(manifest) / MIB,
        archive: bytes(&manifest["archive"]["bytes"]).context("no archive")?,
        peak: ran.peak as f64 / MIB,
        wall: wall.as_secs_f64(),
        dump: seconds_of(manifest, &["baseline", "dump"]),
        push: ran.after_manifest.as_secs_f64(),
        used: after.since(before),
        pods,
    })
}

/// A heap's text of so many MB.
fn heap(megabytes: usize) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    bench::write_text(Kind::Heap, megabytes * 1_000_000, &mut text)?;
    Ok(text)
}

/// The first pod of a stand-in, whose pods always have the same names.
async fn first_pod(options: &Options) -> Result<String> {
    let pods = Standin::start(options.clone()).await?.pods();
    pods.into_iter().next().context("no pod")
}

fn verdict(cli: &Cli, peaks: &[f64]) -> ExitCode {
    let highest = peaks.iter().copied().fold(f64::MIN, f64::max);
    let lowest = peaks.iter().copied().fold(f64::MAX, f64::min);
    let mut code = ExitCode::SUCCESS;
    for (what, value, limit) in [
        ("peak memory", highest, cli.peak),
        ("their difference", highest - lowest, cli.spread),
    ] {
        if limit.is_some_and(|limit| value > limit) {
            println!(
                "{what} is {value:.1} MiB, above {:.1}",
                limit.unwrap_or_default()
            );
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// How long phases took, in seconds.
fn seconds_of(manifest: &serde_json::Value, names: &[&str]) -> f64 {
    let phases = manifest["phases"].as_array().into_iter().flatten();
    let phases = phases.filter(|phase| {
        phase["phase"]
            .as_str()
            .is_some_and(|name| names.contains(&name))
    });
    phases.filter_map(|phase| phase["seconds"].as_f64()).sum()
}

/// The size of what the pods gave, uncompressed: the texts, and the cpu profiles.
fn text_bytes(manifest: &serde_json::Value) -> f64 {
    let pods = manifest["pods"].as_array().into_iter().flatten();
    let files = pods.flat_map(|pod| pod["files"].as_array().into_iter().flatten());
    let is_given = |path: &str| path.contains("/original/") || path.ends_with("/cpu.pprof");
    let given = files.filter(|file| file["path"].as_str().is_some_and(is_given));
    given.filter_map(|file| file["bytes"].as_f64()).sum()
}
