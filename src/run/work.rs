//! The work of a run, phase after phase. It undoes nothing: that is the supervisor's.

use jiff::Timestamp;
use serde::Serialize;

use super::fault::Fault;
use super::job::Job;
use super::memory;
use super::phase::{Clock, Phase};
use super::preflight::{self, Preflight};
use super::report::Finished;
use super::ship::{self, Shipped};
use crate::archive::{Entry, Spool};
use crate::cluster::install::Install;
use crate::cluster::profiler;
use crate::engine::Engine;
use crate::engine::dump::DumpPlan;
use crate::manifest::{ExpectedPod, KubeVirt, Manifest, SCHEMA_VERSION, Window};
use crate::window;

/// Does it all.
///
/// # Errors
/// The first thing that failed.
pub(super) async fn work<E: Engine>(job: Job<E>, mut clock: Clock) -> Result<Finished, Fault> {
    let (install, pods) = match preflight::prove(&job).await? {
        Preflight::Clear { install, pods } => (install, pods),
        Preflight::Shipped(manifest) => return Finished::already_there(*manifest),
    };
    tracing::info!(
        run_id = %job.config.run_id,
        kubevirt = install.version,
        namespace = install.namespace,
        pods = pods.len(),
        engine = job.engine.name(),
        "ready to profile"
    );
    let window = profile(&job, &mut clock).await?;
    clock.enter(Phase::Dump);
    let spool = Spool::new(job.config.run_id.stem(), job.config.temporary.clone());
    let first = cluster_json(&spool, &install, &pods)?;
    let modified = window.start.as_second().unsigned_abs();
    let plan = DumpPlan {
        connection: job.connection.clone(),
        namespace: install.namespace.clone(),
        pods,
        spool,
    };
    let to = (&job.destination, &job.config.run_id);
    let shipped = ship::ship(&job.engine, plan, to, (first, modified)).await?;
    clock.enter(Phase::Report);
    vouch(&job, &install, window, shipped, &clock).await
}

/// Start, window, stop.
async fn profile<E>(job: &Job<E>, clock: &mut Clock) -> Result<Window, Fault> {
    clock.enter(Phase::Start);
    profiler::start(&job.connection).await?;
    let start = Timestamp::now();
    clock.enter(Phase::Window);
    tracing::info!(settle = ?job.config.window.settle, "profiling is on");
    let ended_by = window::wait(job.config.window.settle).await;
    clock.enter(Phase::Stop);
    let stop = Timestamp::now();
    profiler::stop(&job.connection).await?;
    tracing::info!("profiling is off");
    Ok(Window {
        start,
        stop,
        ended_by,
    })
}

/// `cluster.json`: what was profiled, for whoever opens the archive later.
fn cluster_json(spool: &Spool, install: &Install, pods: &[ExpectedPod]) -> Result<Entry, Fault> {
    #[derive(Serialize)]
    struct Cluster<'a> {
        kubevirt: KubeVirt,
        configuration: &'a serde_json::Value,
        status: &'a serde_json::Value,
        pods: &'a [ExpectedPod],
    }
    let mut entry = spool.entry("cluster.json")?;
    let cluster = Cluster {
        kubevirt: kubevirt(install),
        configuration: &install.configuration,
        status: &install.status,
        pods,
    };
    serde_json::to_writer_pretty(&mut entry, &cluster).map_err(std::io::Error::from)?;
    Ok(entry.finish()?)
}

fn kubevirt(install: &Install) -> KubeVirt {
    KubeVirt {
        namespace: install.namespace.clone(),
        name: install.name.clone(),
        version: install.version.clone(),
    }
}

/// Writes the manifest: from here on the archive can be trusted.
async fn vouch<E: Engine>(
    job: &Job<E>,
    install: &Install,
    window: Window,
    shipped: Shipped,
    clock: &Clock,
) -> Result<Finished, Fault> {
    let Shipped {
        archive,
        first,
        mut record,
    } = shipped;
    let (code, reason) = record.outcome();
    let finished = Finished {
        code,
        reason: reason.clone(),
        archive: archive.uri.clone(),
    };
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        run_id: job.config.run_id.to_string(),
        labels: job.config.labels.clone(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: job.engine.name().to_owned(),
        kubevirt: kubevirt(install),
        components: job.config.components.iter().copied().collect(),
        window,
        uncounted: std::mem::take(&mut record.uncounted),
        refused: std::mem::take(&mut record.refused),
        pods: record.into_pods(),
        cluster_file: first,
        archive,
        phases: clock.past(),
        peak_memory_bytes: memory::peak(),
        exit_code: code.number(),
        reason,
    };
    let json = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
    job.destination
        .put_manifest(&job.config.run_id, json)
        .await?;
    Ok(finished)
}
