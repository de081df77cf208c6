//! The two ways from a profiler that is off to an archive in a bucket.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::bucket::{BUCKET, Bucket};
use crate::measured::{Cost, measured};

const HELPERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// How long profiling stays on, on either way; it is not counted.
const WINDOW: f64 = 1.0;

/// The programs.
pub(crate) struct Tools {
    pub(crate) runner: PathBuf,
    pub(crate) upstream: PathBuf,
    pub(crate) aws: PathBuf,
}

/// Where a way begins and ends.
pub(crate) struct Place<'a> {
    pub(crate) scratch: &'a Path,
    pub(crate) kubeconfig: &'a Path,
    pub(crate) bucket: &'a Bucket,
}

/// Upstream's start, stop and dump, `tar czf`, and an upload: what each step cost.
///
/// # Errors
/// One of them failed.
pub(crate) async fn by_hand(
    tools: &Tools,
    place: &Place<'_>,
    id: &str,
) -> Result<Vec<(&'static str, Cost)>> {
    let dump = place.scratch.join("dump");
    let archive = place.scratch.join("profile.tar.gz");
    let (folder, file) = (dump.display().to_string(), archive.display().to_string());
    let cluster = [("KUBECONFIG", place.kubeconfig.display().to_string())];
    let upstream = async |arguments: &[&str]| {
        measured(place.scratch, &tools.upstream, arguments, &cluster).await
    };
    upstream(&["--cmd", "start"]).await?;
    tokio::time::sleep(std::time::Duration::from_secs_f64(WINDOW)).await;
    upstream(&["--cmd", "stop"]).await?;
    let dumped = upstream(&["--cmd", "dump", "--output-dir", &folder]).await?;
    let packing = [
        "-C",
        &place.scratch.display().to_string(),
        "-czf",
        &file,
        "dump",
    ];
    let packed = measured(place.scratch, Path::new("tar"), &packing, &[]).await?;
    let target = format!("s3://{BUCKET}/by-hand-{id}.tar.gz");
    let upload = ["s3", "cp", "--quiet", &file, &target];
    let sent = measured(
        place.scratch,
        &tools.aws,
        &upload,
        &place.bucket.environment(),
    )
    .await?;
    std::fs::remove_dir_all(&dump)?;
    Ok(vec![
        ("cluster-profiler", dumped),
        ("tar czf", packed),
        ("aws s3 cp", sent),
    ])
}

/// One run of ours, its checks and its start and stop included.
///
/// # Errors
/// It failed.
pub(crate) async fn by_run(tools: &Tools, place: &Place<'_>, id: &str) -> Result<Cost> {
    let mut environment = place.bucket.environment();
    environment.extend([
        ("KUBECONFIG", place.kubeconfig.display().to_string()),
        ("TMPDIR", place.scratch.display().to_string()),
        ("PROFILER_DESTINATION", format!("s3://{BUCKET}")),
        ("PROFILER_RUN_ID", format!("one-run-{id}")),
        ("PROFILER_SETTLE", format!("{WINDOW}s")),
    ]);
    let cost = measured(place.scratch, &tools.runner, &[], &environment).await?;
    Ok(Cost {
        wall: cost.wall - WINDOW,
        ..cost
    })
}

/// Runs a helper's script; what it prints.
///
/// # Errors
/// It failed.
pub(crate) async fn helper(script: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(format!("{HELPERS}/{script}"));
    command.args(arguments).stderr(Stdio::inherit());
    let output = command.output().await.context(script.to_owned())?;
    ensure!(output.status.success(), "{script} failed");
    Ok(String::from_utf8(output.stdout)?)
}

/// Upstream's program, built if it is not there.
pub(crate) async fn upstream() -> Result<PathBuf> {
    let program = cache()?.join("cluster-profiler");
    helper("profiler/build", &[&program.display().to_string()]).await?;
    Ok(program)
}

/// The AWS CLI of requirements.txt, in an environment of its own.
pub(crate) async fn aws() -> Result<PathBuf> {
    let requirements = concat!(env!("CARGO_MANIFEST_DIR"), "/requirements.txt");
    let environment = cache()?.join("awscli");
    let python = environment.join("bin/python");
    if !python.exists() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&environment);
        ensure!(
            make.status().await?.success(),
            "no Python environment could be made"
        );
    }
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    install.args(["--requirement", requirements]);
    ensure!(
        install.status().await?.success(),
        "the AWS CLI could not be installed"
    );
    Ok(environment.join("bin/aws"))
}

/// Where downloaded and built tools are kept.
fn cache() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(Into::into);
    let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".cache"));
    let cache: PathBuf = cache.or_else(home).context("HOME is not set")?;
    Ok(cache.join("cluster-profiler-job"))
}
