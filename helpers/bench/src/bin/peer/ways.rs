//! The ways to an archive in a bucket: by hand, with either packer, and by one run of this program, with either engine.

use std::path::Path;

use anyhow::Result;

use crate::bucket::{BUCKET, Bucket};
use crate::measured::{Cost, measured};
use crate::tools::Tools;

/// How long profiling stays on in both, in seconds; it is not counted.
const WINDOW: f64 = 1.0;

/// How people pack what upstream's program left: what they call it, and what tar is told.
const PACKERS: [(&str, &str); 2] = [("tar czf", "gzip"), ("tar -I pigz", "pigz")];

/// The costs of the steps by hand. The dump is packed twice.
pub(crate) struct ByHand {
    pub(crate) dump: Cost,
    /// By the packer's name.
    pub(crate) packed: Vec<(&'static str, Cost)>,
    /// The upload of the archive that was packed last.
    pub(crate) sent: Cost,
}

impl ByHand {
    /// The whole cost, by the packer's name.
    pub(crate) fn sums(&self) -> impl Iterator<Item = (&'static str, Cost)> {
        let sum = |packed: &Cost| self.dump.then(packed).then(&self.sent);
        self.packed
            .iter()
            .map(move |(packer, cost)| (*packer, sum(cost)))
    }
}

/// The cluster and the bucket of one measurement, and a directory for its files.
pub(crate) struct Place<'a> {
    pub(crate) scratch: &'a Path,
    pub(crate) kubeconfig: &'a Path,
    pub(crate) bucket: &'a Bucket,
}

/// The cost of each step by hand: upstream's start, stop and dump, `tar` with gzip and with pigz, and an upload.
///
/// # Errors
/// One of them failed.
pub(crate) async fn by_hand(tools: &Tools, place: &Place<'_>, id: &str) -> Result<ByHand> {
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
    let mut packed = Vec::new();
    for (packer, program) in PACKERS {
        let scratch = place.scratch.display().to_string();
        let packing = ["-C", &scratch, "-I", program, "-cf", &file, "dump"];
        let cost = measured(place.scratch, Path::new("tar"), &packing, &[]).await?;
        packed.push((packer, cost));
    }
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
    Ok(ByHand {
        dump: dumped,
        packed,
        sent,
    })
}

/// The cost of one run of this program by an engine, its checks and its start and stop included. The memory is that of
/// the larger of this program and upstream's.
///
/// # Errors
/// It failed.
pub(crate) async fn by_run(
    tools: &Tools,
    place: &Place<'_>,
    engine: &str,
    id: &str,
) -> Result<Cost> {
    let mut environment = place.bucket.environment();
    environment.extend([
        ("KUBECONFIG", place.kubeconfig.display().to_string()),
        ("TMPDIR", place.scratch.display().to_string()),
        ("PROFILER_DESTINATION", format!("s3://{BUCKET}")),
        ("PROFILER_RUN_ID", format!("{engine}-{id}")),
        ("PROFILER_SETTLE", format!("{WINDOW}s")),
        // By hand there is none.
        ("PROFILER_REPORT", "false".to_owned()),
        ("PROFILER_ENGINE", engine.to_owned()),
        ("PROFILER_PROGRAM", tools.upstream.display().to_string()),
    ]);
    let cost = measured(place.scratch, &tools.runner, &[], &environment).await?;
    Ok(Cost {
        wall: cost.wall - WINDOW,
        ..cost
    })
}
