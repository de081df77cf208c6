//! The two ways to an archive in a bucket: by hand, and by one run of this program.

use std::path::Path;

use anyhow::Result;

use crate::bucket::{BUCKET, Bucket};
use crate::measured::{Cost, measured};
use crate::tools::Tools;

/// How long profiling stays on in both, in seconds; it is not counted.
const WINDOW: f64 = 1.0;

/// The cluster and the bucket of one measurement, and a directory for its files.
pub(crate) struct Place<'a> {
    pub(crate) scratch: &'a Path,
    pub(crate) kubeconfig: &'a Path,
    pub(crate) bucket: &'a Bucket,
}

/// The cost of each step by hand: upstream's start, stop and dump, `tar czf`, and an upload.
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

/// The cost of one run of this program, its checks and its start and stop included.
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
