//! `cargo demo`: one run against a stand-in control plane of eight pods.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bench::{Build, Place};
use standin::{Options, Profiles};

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
    println!("profiling a stand-in control plane of eight pods for three seconds\n");
    let options = Options {
        pods: 8,
        profiles: Profiles::Large,
        ..Options::default()
    };
    let place = Place::Directory(out.clone());
    let manifest = bench::run(
        &binary,
        &place,
        Duration::from_secs(3),
        &[("PROFILER_BASELINE", "true")],
        options,
    )
    .await?;
    let first = &manifest["pods"][0]["name"];
    let (out, id) = (out.display(), bench::RUN_ID);
    println!(
        "\nThe archive and the manifest that vouches for it:
  {out}/profile-{id}.tar.gz
  {out}/profile-{id}.json

Next, unpack it and open a profile (docs/profiles.md has more to try):
  tar xzf {out}/profile-{id}.tar.gz -C {out}
  go tool pprof -top {out}/profile-{id}/{}/heap.pprof",
        first.as_str().unwrap_or_default()
    );
    Ok(())
}
