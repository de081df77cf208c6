//! The programs that a run is compared with, built or installed where they are not there.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use bench::Build;
use tokio::process::Command;

const HELPERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The programs, by their paths.
pub(crate) struct Tools {
    /// This repository's own, as it ships.
    pub(crate) runner: PathBuf,
    /// Upstream's `cluster-profiler`.
    pub(crate) upstream: PathBuf,
    /// The AWS CLI.
    pub(crate) aws: PathBuf,
    /// MinIO's server.
    pub(crate) minio: PathBuf,
}

impl Tools {
    /// Makes them all, but for a runner that is given.
    ///
    /// # Errors
    /// One of them cannot be built or installed.
    pub(crate) async fn make(runner: Option<PathBuf>) -> Result<Self> {
        let runner = match runner {
            Some(runner) => runner,
            None => bench::build(Build::Release).await?,
        };
        Ok(Self {
            runner,
            upstream: upstream().await?,
            aws: aws().await?,
            minio: helper("s3-servers/build", &["minio"]).await?.trim().into(),
        })
    }
}

/// Runs a helper's script and returns what it prints.
async fn helper(script: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(format!("{HELPERS}/{script}"));
    command.args(arguments).stderr(Stdio::inherit());
    let output = command.output().await.context(script.to_owned())?;
    ensure!(output.status.success(), "{script} failed");
    Ok(String::from_utf8(output.stdout)?)
}

/// Upstream's program, built if it is not there.
async fn upstream() -> Result<PathBuf> {
    let program = cache()?.join("cluster-profiler");
    helper("profiler/build", &[&program.display().to_string()]).await?;
    Ok(program)
}

/// The AWS CLI of requirements.txt, in an environment of its own.
async fn aws() -> Result<PathBuf> {
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
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let usual = || Some(Path::new(&std::env::var_os("HOME")?).join(".cache"));
    let cache = named.or_else(usual).context("HOME is not set")?;
    Ok(cache.join("cluster-profiler-job"))
}
