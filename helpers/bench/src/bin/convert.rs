//! How fast texts become profiles on one core, and in how much memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use cluster_profiler_job::pprof::{Kind, convert};
use flate2::read::GzDecoder;
use jiff::Timestamp;
use tempfile::NamedTempFile;

const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../goldens/data/large");

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
    let size = write(kind, bytes, &mut file)?;
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

/// Writes a text of about so many bytes: the golden's records, again and again.
fn write(kind: Kind, bytes: usize, out: &mut impl Write) -> Result<usize> {
    let name = kind.file_name().replace(".pprof", ".txt.gz");
    let mut text = String::new();
    let golden = File::open(format!("{GOLDENS}/{name}"))?;
    GzDecoder::new(golden).read_to_string(&mut text)?;
    let times = bytes.div_ceil(text.len());
    let (header, records, trailer) = parts(kind, &text, times)?;
    out.write_all(header.as_bytes())?;
    (0..times).try_for_each(|_| out.write_all(records.as_bytes()))?;
    out.write_all(trailer.as_bytes())?;
    out.flush()?;
    Ok(header.len() + times * records.len() + trailer.len())
}

/// The three parts of a text: what stands once before its records, the records, and what stands once after them.
fn parts(kind: Kind, text: &str, times: usize) -> Result<(String, String, String)> {
    let lines = |count: usize| {
        text.match_indices('\n')
            .nth(count - 1)
            .map_or(0, |(at, _)| at + 1)
    };
    let (header, rest) = match kind {
        Kind::Goroutine | Kind::Cpu => ("", text),
        Kind::Allocs | Kind::Heap | Kind::Threadcreate => text.split_at(lines(1)),
        Kind::Block => text.split_at(lines(2)),
        Kind::Mutex => text.split_at(lines(3)),
    };
    Ok(match kind {
        Kind::Goroutine => (String::new(), format!("{rest}\n"), String::new()),
        Kind::Threadcreate => {
            let one = header.trim().rsplit(' ').next().context("a total")?;
            let total = one.parse::<usize>()? * times;
            (
                format!("threadcreate profile: total {total}\n"),
                rest.to_owned(),
                String::new(),
            )
        }
        Kind::Allocs | Kind::Heap => {
            let end = rest.find("\n# runtime.MemStats").context("a trailer")?;
            let (records, trailer) = rest.split_at(end);
            (
                times_so_many(header, times)?,
                records.to_owned(),
                trailer.to_owned(),
            )
        }
        Kind::Block | Kind::Mutex | Kind::Cpu => {
            (header.to_owned(), rest.to_owned(), String::new())
        }
    })
}

/// The header of a heap whose counts are multiplied.
fn times_so_many(header: &str, times: usize) -> Result<String> {
    let (counts, rate) = header.split_once(" @ ").context("a heap's header")?;
    let multiplied = counts.split(' ').map(|word| {
        let digits = word.trim_matches(['[', ']', ':']);
        match digits.parse::<usize>() {
            Ok(number) => word.replace(digits, &(number * times).to_string()),
            Err(_) => word.to_owned(),
        }
    });
    Ok(format!(
        "{} @ {rate}",
        multiplied.collect::<Vec<_>>().join(" ")
    ))
}
