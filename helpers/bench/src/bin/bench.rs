//! What a run costs, by the number of pods.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench::{Build, Place};
use bucket::Bucket;
use clap::Parser;
use standin::{Options, Profiles};

const MIB: f64 = 1024.0 * 1024.0;

/// Run the build that ships, static (musl) and optimised, against stand-ins of these sizes, one after another, and print what each
/// run cost. Exits with 1 if a limit that was given is exceeded.
#[derive(Parser)]
struct Cli {
    /// Pods of each run
    #[arg(long, value_delimiter = ',', default_value = "20,200")]
    pods: Vec<usize>,
    /// Into a bucket, by TLS, and not into a directory
    #[arg(long)]
    s3: bool,
    /// Time that a pod takes to answer, in ms
    #[arg(long, default_value_t = 0)]
    pod_latency: u64,
    /// Limit of any run's peak memory (VmHWM), in MiB
    #[arg(long)]
    peak: Option<f64>,
    /// Limit of the difference between the runs' peak memory, in MiB
    #[arg(long)]
    spread: Option<f64>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let binary = bench::build(Build::Release).await?;
    let mut peaks = Vec::new();
    let mut rows = Vec::new();
    for &pods in &cli.pods {
        let latency = Duration::from_millis(cli.pod_latency);
        let options = Options {
            pods,
            pod_latency: latency,
            profiles: Profiles::Large,
            remembered: 0,
            ..Options::default()
        };
        let out = tempfile::tempdir()?;
        let place = if cli.s3 {
            Place::Bucket(Bucket::start().await?)
        } else {
            Place::Directory(out.path().to_owned())
        };
        let (cpu, begin) = (children_cpu()?, Instant::now());
        let manifest = bench::run(&binary, &place, Duration::from_secs(1), options).await?;
        let (wall, cpu) = (begin.elapsed(), children_cpu()? - cpu);
        let peak = manifest["peak_memory_bytes"].as_f64().context("no peak")? / MIB;
        let archive = manifest["archive"]["bytes"]
            .as_f64()
            .context("no archive")?
            / MIB;
        let text = text_bytes(&manifest) / MIB;
        peaks.push(peak);
        rows.push(format!(
            "{pods:>6}{text:>12.0}{archive:>13.1}{:>10.1}{cpu:>10.1}{:>11.0}{peak:>12.1}",
            wall.as_secs_f64(),
            text / cpu,
        ));
    }
    println!("\n  pods    text MiB  archive MiB    wall s     CPU s  MiB/CPU s    peak MiB");
    rows.iter().for_each(|row| println!("{row}"));
    Ok(verdict(&cli, &peaks))
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

/// The size of what the pods gave, uncompressed: the texts, and the cpu profiles.
fn text_bytes(manifest: &serde_json::Value) -> f64 {
    let pods = manifest["pods"].as_array().into_iter().flatten();
    let files = pods.flat_map(|pod| pod["files"].as_array().into_iter().flatten());
    let is_given = |path: &str| path.contains("/original/") || path.ends_with("/cpu.pprof");
    let given = files.filter(|file| file["path"].as_str().is_some_and(is_given));
    given.filter_map(|file| file["bytes"].as_f64()).sum()
}

/// CPU seconds of the processes that were waited for (cutime and cstime in proc(5)).
fn children_cpu() -> Result<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').context("a stat line")?.1;
    let mut fields = after_name.split_whitespace().skip(13);
    let mut next = || -> Result<f64> { Ok(fields.next().context("a field")?.parse()?) };
    Ok((next()? + next()?) / TICKS_PER_SECOND)
}
