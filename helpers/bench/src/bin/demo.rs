//! `cargo demo`: one run against a stand-in control plane of eight pods, beside a workload that creates virtual
//! machines.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::{Build, Place};
use standin::{Options, Profiles, Standin, VmScript};

/// Virtual machines of the workload.
const VMS: usize = 50;

#[tokio::main]
async fn main() -> Result<()> {
    let binary = bench::build(Build::Dev).await?;
    // Beside the build, wherever cargo was told to keep that: target/demo.
    let target = binary
        .parent()
        .and_then(Path::parent)
        .context("the build's directory")?;
    let out = target.join("demo");
    if out.exists() {
        std::fs::remove_dir_all(&out)?;
    }
    println!(
        "profiling a stand-in control plane of eight pods until {VMS} virtual machines run, and two seconds more\n"
    );
    let options = Options {
        pods: 8,
        profiles: Profiles::Window,
        ..Options::default()
    };
    let standin = Standin::start(options).await?;
    let place = Place::Directory(out.clone());
    let settings = [
        ("PROFILER_BASELINE", "true"),
        ("PROFILER_SNAPSHOT_EVERY", "1s"),
    ];
    let vms = VmScript {
        count: VMS,
        every: Duration::from_millis(20),
        ..VmScript::default()
    };
    let settle = Duration::from_secs(2);
    let ran = bench::run_beside_vms(&standin, &binary, &place, settle, &settings, vms).await?;
    let manifest = ran.manifest;
    ensure!(
        manifest["report"].is_object(),
        "the run has no page: {}",
        manifest["no_report"]
    );
    let first = &manifest["pods"][0]["name"];
    let (out, id) = (out.display(), bench::RUN_ID);
    println!(
        "\nThe archive and the manifest that vouches for it:
  {out}/profile-{id}.tar.gz
  {out}/profile-{id}.json

Next, unpack it, and see what the window did (docs/after-a-run.md goes on from here):
  tar xzf {out}/profile-{id}.tar.gz -C {out}
  go tool pprof -top {out}/profile-{id}/{}/delta/allocs.pprof",
        first.as_str().unwrap_or_default()
    );
    println!(
        "\nOr open the page that says what was found, in a browser:\n  {out}/profile-{id}.html"
    );
    Ok(())
}
