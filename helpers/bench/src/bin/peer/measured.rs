//! The cost of a command, as GNU time measures it.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// The cost of a command.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Seconds on the clock.
    pub(crate) wall: f64,
    /// Seconds of processor, user's and system's.
    pub(crate) cpu: f64,
    /// Peak resident memory in MiB.
    pub(crate) peak: f64,
}

impl Cost {
    /// The cost of this, and of another after it.
    pub(crate) fn then(&self, next: &Self) -> Self {
        Self {
            wall: self.wall + next.wall,
            cpu: self.cpu + next.cpu,
            peak: self.peak.max(next.peak),
        }
    }
}

/// Runs a program to its end, with these arguments and these variables beside ours, and returns its cost.
///
/// # Errors
/// It did not exit with 0.
pub(crate) async fn measured(
    scratch: &Path,
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, String)],
) -> Result<Cost> {
    let report = scratch.join("time");
    let mut command = Command::new("time");
    command
        .args(["--format=%e %U %S %M", "--output"])
        .arg(&report)
        .arg(program)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    let output = command.output().await.context("GNU time")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", program.display());
    let told = std::fs::read_to_string(&report)?;
    let words = told.split_whitespace();
    let numbers: Vec<f64> = words.map(str::parse).collect::<Result<_, _>>()?;
    let [wall, user, system, kibibytes] = numbers[..] else {
        anyhow::bail!("GNU time said {told:?}");
    };
    Ok(Cost {
        wall,
        cpu: user + system,
        peak: kibibytes / 1024.0,
    })
}
