//! What `diff` takes of many runs of many pods in a bucket: time, and peak memory.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::Build;
use bucket::Bucket;
use clap::Parser;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::interval;

/// How often memory is looked at: its peak only grows.
const LOOK: Duration = Duration::from_millis(5);

/// Print what `diff` takes of runs in a bucket: in the usual case, and where none is comparable, so that all are read.
#[derive(Parser)]
struct Cli {
    /// Runs
    #[arg(long, default_value_t = 400)]
    runs: usize,
    /// Pods of each
    #[arg(long, default_value_t = 500)]
    pods: usize,
    /// The runner, in place of the one that ships
    #[arg(long)]
    binary: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let binary = match cli.binary {
        Some(binary) => binary,
        None => bench::build(Build::Release).await?,
    };
    let bucket = Bucket::start().await?;
    let write = |run: usize, cluster: &str| {
        let path = bucket.path(&format!("profile-night-{run:04}.json"));
        let json = manifest(run, cli.pods, cluster).to_string();
        std::fs::write(path, &json).map(|()| json.len())
    };
    let mut bytes = 0;
    for run in 0..cli.runs {
        bytes += write(run, "one")?;
    }
    println!(
        "{} manifests of {} KB",
        cli.runs,
        bytes / cli.runs.max(1) / 1000
    );
    measure(&binary, &bucket, "the newest against those before").await?;
    // The time of its file makes it the newest.
    write(cli.runs, "two")?;
    measure(&binary, &bucket, "none comparable: all are read").await
}

/// The manifest of a run, each pod of the size that pods have.
fn manifest(run: usize, pods: usize, cluster: &str) -> Value {
    let hash = "00".repeat(32);
    let start = Timestamp::UNIX_EPOCH + Duration::from_hours(8 * run as u64);
    let path = "profile-night/virt-handler-0123456789-abcde/goroutine.pprof";
    let file = json!({ "path": path, "bytes": 123_456, "sha256": hash, "samples": 1234 });
    let stats = (0..26).map(|field| (format!("SomeStatOfGo{field}"), json!(123_456_789_012_u64)));
    let stats: serde_json::Map<_, _> = stats.collect();
    let pod = json!({
        "name": "virt-handler-abcde", "component": "virt-handler", "uid": "0123456789", "node": "node-1",
        "image": "registry/virt-handler@sha256:00", "restarts": 0, "state": "complete", "mem_stats": stats,
        "files": vec![file; 14],
    });
    let heap = 100_000_000_u64 + 1_000_000 * (run as u64 % 7);
    let sum =
        json!({ "sum": heap, "pods": pods, "largest": 1, "largest_pod": "virt-handler-abcde" });
    json!({
        "schema_version": 1,
        "run_id": format!("night-{run:04}"),
        "kubevirt": { "namespace": "kubevirt", "name": "kubevirt", "uid": cluster, "version": "v1.8.4" },
        "components": ["virt-handler"],
        "window": { "start": start.to_string(), "stop": (start + Duration::from_mins(15)).to_string(), "ended_by": "settle" },
        "pods": vec![pod; pods],
        "in_window": { "virt-handler": { "live_heap_bytes": sum } },
        "archive": { "uri": "s3://somewhere", "bytes": 0, "sha256": hash },
        "exit_code": 0,
        "reason": "all is well",
    })
}

/// Runs `diff` once, and prints what it took.
async fn measure(binary: &Path, bucket: &Bucket, what: &str) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let begun = Instant::now();
    let mut child = Command::new(binary)
        .arg("diff")
        .envs(bucket.environment(scratch.path())?)
        .env("PROFILER_DESTINATION", format!("s3://{}", bucket::BUCKET))
        .stdout(Stdio::piped())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id().context("a process")?);
    let mut peak = 0;
    let mut look = interval(LOOK);
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended?,
            _ = look.tick() => peak = peak_kibibytes(&status).unwrap_or(peak),
        }
    };
    ensure!(ended.success(), "diff ended with {ended}");
    let seconds = begun.elapsed().as_secs_f64();
    println!("{what}: {seconds:.1} s, {:.1} MiB", peak as f64 / 1024.0);
    Ok(())
}

/// The peak of resident memory so far, as Linux tells it.
fn peak_kibibytes(status: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
