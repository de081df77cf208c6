//! The real binary, built and run against a stand-in control plane.

mod push;

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bucket::Bucket;
use cluster_profiler_job::pprof::Kind;
use flate2::read::GzDecoder;
use serde_json::Value;
use standin::{Options, Standin, VmScript};
use tokio::process::{Child, Command};

pub use push::PushServer;

/// The repository's root.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The texts that are repeated.
const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../goldens/data/large");

/// The run's id.
pub const RUN_ID: &str = "demo";

/// The destination of a run.
#[derive(Debug)]
pub enum Place {
    /// A directory.
    Directory(PathBuf),
    /// A bucket.
    Bucket(Bucket),
}

impl Place {
    /// The variables that name it. Files that they need are written into the directory.
    fn environment(&self, scratch: &Path) -> Result<Vec<(&'static str, String)>> {
        let (uri, mut set) = match self {
            Self::Directory(path) => (format!("file://{}", path.display()), Vec::new()),
            Self::Bucket(bucket) => {
                let uri = format!("s3://{}", bucket::BUCKET);
                (uri, bucket.environment(scratch)?.into())
            }
        };
        set.push(("PROFILER_DESTINATION", uri));
        Ok(set)
    }

    /// The path of the file of this name.
    fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Directory(path) => path.join(name),
            Self::Bucket(bucket) => bucket.path(name),
        }
    }
}

/// A build of the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// The one that tests use.
    Dev,
    /// The one that ships: optimised, static.
    Release,
}

/// Builds the binary and returns its path.
///
/// # Errors
/// It does not build.
pub async fn build(build: Build) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(ROOT)
        .args(["build", "--quiet", "--message-format=json"]);
    // What cargo tells a program that it runs would have it build half of the dependencies anew.
    for (variable, _) in std::env::vars_os() {
        let told = |of: &str| variable.to_string_lossy().starts_with(of);
        if told("CARGO_PKG_") || told("CARGO_MANIFEST_") {
            cargo.env_remove(&variable);
        }
    }
    cargo.args([
        "--package",
        "cluster-profiler-job",
        "--bin",
        "cluster-profiler-job",
    ]);
    if build == Build::Release {
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        cargo.args(["--release", "--target", &target]);
    } else {
        // With the features of this package, and so with its build of the dependencies.
        cargo.args(["--package", "bench"]);
    }
    let output = cargo
        .stderr(std::process::Stdio::inherit())
        .output()
        .await?;
    ensure!(output.status.success(), "the binary does not build");
    let messages = String::from_utf8(output.stdout)?;
    let built = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let path = built
        .filter_map(|message| Some(message["executable"].as_str()?.into()))
        .next_back();
    path.context("cargo did not say where the binary is")
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    /// Its manifest.
    pub manifest: Value,
    /// The most memory that it had, in bytes.
    pub peak: u64,
    /// How long it went on once its manifest was written.
    pub after_manifest: Duration,
}

/// Runs the binary once against a stand-in, into a place that must not have the run yet. The log goes where ours goes.
///
/// # Errors
/// It did not exit with 0.
pub async fn run(
    binary: &Path,
    place: &Place,
    settle: Duration,
    settings: &[(&str, &str)],
    options: Options,
) -> Result<Ran> {
    let standin = Standin::start(options).await?;
    run_against(&standin, binary, place, settle, settings).await
}

/// The same against a stand-in that is there.
///
/// # Errors
/// As of [`run`].
pub async fn run_against(
    standin: &Standin,
    binary: &Path,
    place: &Place,
    settle: Duration,
    settings: &[(&str, &str)],
) -> Result<Ran> {
    let scratch = tempfile::tempdir()?;
    let kubeconfig = scratch.path().join("kubeconfig");
    standin.write_kubeconfig(&kubeconfig)?;
    let child = Command::new(binary)
        .envs(place.environment(scratch.path())?)
        .env("KUBECONFIG", kubeconfig)
        .env("TMPDIR", scratch.path())
        .env("PROFILER_RUN_ID", RUN_ID)
        .env("PROFILER_SETTLE", format!("{}ms", settle.as_millis()))
        .env("PROFILER_LOG", "text")
        .envs(settings.iter().copied())
        .spawn()?;
    let peak = ended(child).await?;
    let path = place.path(&format!("profile-{RUN_ID}.json"));
    let after_manifest = std::fs::metadata(&path)?.modified()?.elapsed()?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    Ok(Ran {
        manifest,
        peak,
        after_manifest,
    })
}

/// Waits for a process, and gives the most memory that it had, in bytes: its manifest says so before the push.
async fn ended(mut child: Child) -> Result<u64> {
    const EVERY: Duration = Duration::from_millis(10);
    let status_file = format!("/proc/{}/status", child.id().context("a process")?);
    let mut peak = 0;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status?;
                ensure!(status.success(), "the run ended with {status}");
                return Ok(peak);
            }
            () = tokio::time::sleep(EVERY) => {
                let text = std::fs::read_to_string(&status_file).unwrap_or_default();
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
                peak = peak.max(kibibytes.unwrap_or_default() * 1024);
            }
        }
    }
}

/// The same, beside a workload: virtual machines that are created once the window is open, which ends when all of them
/// run and have settled.
///
/// # Errors
/// As of [`run`].
pub async fn run_beside_vms(
    standin: &Standin,
    binary: &Path,
    place: &Place,
    settle: Duration,
    settings: &[(&str, &str)],
    vms: VmScript,
) -> Result<Ran> {
    let scratch = tempfile::tempdir()?;
    let ready = scratch.path().join("ready");
    let (until, ready_file) = (vms.count.to_string(), ready.display().to_string());
    let mut settings = settings.to_vec();
    settings.extend([
        ("PROFILER_VMI_LATENCY", "true"),
        ("PROFILER_UNTIL_VMIS_RUNNING", &*until),
        ("PROFILER_READY_FILE", &*ready_file),
    ]);
    let workload = async {
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        standin.create_vms(vms).await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        ran = run_against(standin, binary, place, settle, &settings) => ran,
        never = workload => match never {},
    }
}

/// What processes that were waited for have used.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Seconds in programs.
    pub user: f64,
    /// Seconds in the kernel.
    pub system: f64,
    /// Page faults that took no disk.
    pub faults: f64,
}

impl Used {
    /// What all of them have used so far: the fields cminflt, cutime and cstime in proc(5).
    ///
    /// # Errors
    /// The system does not say.
    pub fn by_children() -> Result<Self> {
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let after_name = stat.rsplit_once(')').context("a stat line")?.1;
        let fields: Vec<_> = after_name.split_whitespace().collect();
        let field = |at: usize| -> Result<f64> { Ok(fields.get(at).context("a field")?.parse()?) };
        Ok(Self {
            user: field(13)? / TICKS_PER_SECOND,
            system: field(14)? / TICKS_PER_SECOND,
            faults: field(8)?,
        })
    }

    /// What was used since then.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            system: self.system - before.system,
            faults: self.faults - before.faults,
        }
    }

    /// Seconds of processor.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// Writes a text of about so many bytes: the golden's records, again and again.
///
/// # Errors
/// There is no golden of this kind, or the output cannot be written.
pub fn write_text(kind: Kind, bytes: usize, out: &mut impl Write) -> Result<usize> {
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
