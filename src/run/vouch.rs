//! What vouches for an archive: cluster.json in it, and the manifest beside it, written last.

use serde::Serialize;

use super::fault::Fault;
use super::job::Job;
use super::memory;
use super::phase::Clock;
use super::report::Finished;
use super::retention;
use super::ship::Shipped;
use super::target::Target;
use crate::archive::{Entry, Spool};
use crate::cluster::install::Install;
use crate::cluster::profiler;
use crate::destination::{Destination, Found};
use crate::manifest::{ExpectedPod, KubeVirt, Manifest, SCHEMA_VERSION, Window};
use crate::outcome::ExitCode;
use crate::window::WindowEnd;

/// Everything the manifest needs but what the job knows.
pub(super) struct Vouched<'a> {
    pub(super) install: &'a Install,
    pub(super) engine: &'static str,
    pub(super) window: Window,
    pub(super) ended: WindowEnd,
    pub(super) shipped: Shipped,
    pub(super) unstopped: Vec<String>,
    /// A gate that is left open, and what to do about it.
    pub(super) open: Option<String>,
}

/// `cluster.json`: what was profiled, for whoever opens the archive later.
///
/// # Errors
/// The temporary file cannot be written.
pub(super) fn cluster_json(
    spool: &Spool,
    install: &Install,
    pods: &[ExpectedPod],
) -> Result<Entry, Fault> {
    #[derive(Serialize)]
    struct Cluster<'a> {
        kubevirt: KubeVirt,
        configuration: &'a serde_json::Value,
        status: &'a serde_json::Value,
        pods: &'a [ExpectedPod],
    }
    let mut entry = spool.begin()?;
    let cluster = Cluster {
        kubevirt: kubevirt(install),
        configuration: &install.configuration,
        status: &install.status,
        pods,
    };
    serde_json::to_writer_pretty(&mut entry, &cluster).map_err(std::io::Error::from)?;
    Ok(spool.finish(entry, "cluster.json")?)
}

fn kubevirt(install: &Install) -> KubeVirt {
    KubeVirt {
        namespace: install.namespace.clone(),
        name: install.name.clone(),
        version: install.version.clone(),
    }
}

/// Writes the manifest: from here on the archive can be trusted.
///
/// # Errors
/// The destination failed.
pub(super) async fn vouch(
    job: &Job,
    target: Target<'_>,
    vouched: Vouched<'_>,
    clock: &Clock,
) -> Result<Finished, Fault> {
    let Vouched {
        install,
        engine,
        window,
        ended,
        shipped,
        unstopped,
        open,
    } = vouched;
    let Shipped {
        archive,
        first,
        mut record,
    } = shipped;
    let outcome = record.outcome(&job.config.min_complete);
    let outcome = unless_left(still_profiling(&unstopped), unless_left(open, outcome));
    let (code, mut reason) = override_by(job, ended, outcome);
    let instead = target.instead.map(|fault| fault.message.clone());
    if let Some(why) = &instead {
        // First, since what is told is cut at its end.
        reason = format!("at PROFILER_FALLBACK, for the destination failed ({why}): {reason}");
    }
    let mut manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        run_id: job.config.run_id.to_string(),
        labels: job.config.labels.clone(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: engine.to_owned(),
        kubevirt: kubevirt(install),
        components: job.config.components.iter().copied().collect(),
        gate: job.gate().clone(),
        originals_kept: job.config.keep_originals,
        window,
        unstopped,
        uncounted: std::mem::take(&mut record.uncounted),
        refused: std::mem::take(&mut record.refused),
        pods: record.into_pods(),
        cluster_file: first,
        archive: archive.clone(),
        fallback_reason: instead,
        phases: clock.past(),
        warnings: Vec::new(),
        workload_exit_code: ended.workload_exit_code,
        peak_memory_bytes: memory::peak(),
        exit_code: code.number(),
        reason: reason.clone(),
    };
    let put = async |manifest: &Manifest| put(job, target.destination, manifest).await;
    put(&manifest).await?;
    // Nothing older goes before this one is there, and a run that was told to stop has no time for it.
    if job.told.now().is_none() {
        manifest.warnings = retention::retain(job, target.destination).await;
        if !manifest.warnings.is_empty() {
            note_warnings(job, target.destination, &manifest).await;
        }
    }
    let workload_exit_code = ended.workload_exit_code;
    Ok(Finished {
        code,
        reason,
        archive: Some(archive),
        workload_exit_code,
    })
}

/// Writes the manifest once more, unless another cluster's run has removed this one by now.
async fn note_warnings(job: &Job, destination: &Destination, manifest: &Manifest) {
    let found = destination.find(&job.config.run_id).await;
    let written = match found {
        Ok(Found::Complete(_)) => put(job, destination, manifest).await,
        Ok(_) => return,
        Err(error) => Err(error.into()),
    };
    if let Err(fault) = written {
        tracing::warn!(%fault, "the manifest stays without its warnings");
    }
}

async fn put(job: &Job, destination: &Destination, manifest: &Manifest) -> Result<(), Fault> {
    let json = serde_json::to_vec_pretty(manifest).map_err(std::io::Error::from)?;
    Ok(destination.put_manifest(&job.config.run_id, json).await?)
}

fn still_profiling(unstopped: &[String]) -> Option<String> {
    let (count, names, stop) = (unstopped.len(), unstopped.join(" "), profiler::path("stop"));
    let text =
        || format!("{count} pods may still be PROFILING ({names}): kubectl get --raw {stop}");
    (count > 0).then(text)
}

/// What a run leaves in the cluster is said first, and no run that leaves anything is complete.
fn unless_left(left: Option<String>, (code, reason): (ExitCode, String)) -> (ExitCode, String) {
    let Some(left) = left else {
        return (code, reason);
    };
    let code = if code == ExitCode::Complete {
        ExitCode::Incomplete
    } else {
        code
    };
    (code, format!("{left}; {reason}"))
}

/// A run that was told to stop says so whatever it shipped; a workload that failed is told of only
/// where the pods give no other reason to look.
fn override_by(
    job: &Job,
    ended: WindowEnd,
    (code, reason): (ExitCode, String),
) -> (ExitCode, String) {
    if let Some(order) = job.told.now() {
        let why = order.why();
        return (order.code, format!("{why}; {reason}"));
    }
    match (code, ended.workload_exit_code) {
        (ExitCode::Complete, Some(failure)) if failure != 0 => (
            ExitCode::Workload,
            format!("the workload exited with {failure}; {reason}"),
        ),
        _ => (code, reason),
    }
}
