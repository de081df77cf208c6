//! How fast texts become profiles on one core, and in how much memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use cluster_profiler_job::pprof::{Kind, convert};
use jiff::Timestamp;
use tempfile::NamedTempFile;

/// Convert the large goldens, repeated, each kind in a process of its own, and print MB/s and peak
/// memory. Beside it stands how fast the same machine finds the text's lines and does no more.
#[derive(Parser)]
struct Cli {
    /// Text of each kind, in MB
    #[arg(long, default_value_t = 100)]
    megabytes: usize,
    /// Runs of each, of which the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// One conversion of this file, for a process of its own
    #[arg(long, hide = true)]
    file: Option<PathBuf>,
    /// Its kind's file name
    #[arg(long, hide = true)]
    kind: Option<String>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some((file, kind)) = cli.file.zip(cli.kind) {
        return one(&file, Kind::from_file_name(&kind).context("a kind")?);
    }
    println!("kind               MB   MB/s  lines alone, MB/s  ratio  peak MiB  profile KiB");
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Cpu) {
        row(kind, cli.megabytes * 1_000_000, cli.runs)?;
    }
    Ok(())
}

fn row(kind: Kind, bytes: usize, runs: usize) -> Result<()> {
    let mut file = NamedTempFile::new()?;
    let size = bench::write_text(kind, bytes, &mut file)?;
    let mut all = Vec::new();
    for _ in 0..runs {
        all.push(measured(file.path(), kind)?);
    }
    all.sort_by(|one, other| one[0].total_cmp(&other[0]));
    let [seconds, lines, peak, packed] = all[all.len() / 2];
    let megabytes = size as f64 / 1e6;
    println!(
        "{:<18}{megabytes:>4.0}{:>7.0}{:>19.0}{:>7.2}{peak:>10.1}{packed:>13.0}",
        kind.file_name(),
        megabytes / seconds,
        megabytes / lines,
        seconds / lines,
    );
    Ok(())
}

/// Seconds to convert, seconds to find the lines, peak memory in MiB, size of the profile in KiB.
fn measured(file: &Path, kind: Kind) -> Result<[f64; 4]> {
    let mut child = Command::new(std::env::current_exe()?);
    child
        .arg("--file")
        .arg(file)
        .args(["--kind", kind.file_name()]);
    let output = child.output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = told
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    numbers.try_into().ok().context("four numbers")
}

fn one(file: &Path, kind: Kind) -> Result<()> {
    let open = || File::open(file).map(|file| BufReader::with_capacity(32 * 1024, file));
    let begin = Instant::now();
    let parsed = convert(kind, open()?)?.context("a text")?;
    let profile = parsed
        .profile
        .with_context(|| format!("{:?}", parsed.problems))?;
    let mut packed = Vec::new();
    profile.write(Timestamp::UNIX_EPOCH, &mut packed)?;
    let seconds = begin.elapsed().as_secs_f64();
    let peak = peak()?;
    let lines = find_lines(open()?)?.as_secs_f64();
    println!("{seconds} {lines} {peak} {}", packed.len() as f64 / 1024.0);
    Ok(())
}

/// How long it takes to find the lines of a text.
fn find_lines(mut input: impl BufRead) -> io::Result<Duration> {
    let (begin, mut line) = (Instant::now(), Vec::new());
    while input.read_until(b'\n', &mut line)? > 0 {
        line.clear();
    }
    Ok(begin.elapsed())
}

/// The peak memory of this process, in MiB: VmHWM in proc(5).
fn peak() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kibibytes: f64 = number.context("VmHWM")?.trim().parse()?;
    Ok(kibibytes / 1024.0)
}
