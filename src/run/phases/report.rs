//! Report: the run's page and then its manifest are written, and earlier runs that are not to be kept are removed.

use std::io;

use crate::cluster::profiler;
use crate::config::RunId;
use crate::destination::{Destination, Found};
use crate::manifest::{Manifest, PhaseSeconds, SCHEMA_VERSION};
use crate::run::context::{Context, Target};
use crate::run::outcome::{Fault, Shipped};
use crate::run::phase_results::{Dumped, Finished, Restored, Stopped};
use crate::run::report_page::ReportPage;
use crate::run::{report_shipping, retention};

/// Writes the page, if one is wanted and can be made, and then the manifest: from here on the archive can be trusted.
/// Only then earlier runs are removed.
///
/// # Errors
/// The destination failed, or the run was told to stop and has no time left.
pub(in crate::run) async fn report(
    context: &Context,
    stopped: &Stopped,
    restored: Restored,
    target: &Target<'_>,
    phases: Vec<PhaseSeconds>,
) -> Result<Finished, Fault> {
    let finished = finish(context, stopped, &restored, target);
    let kept = restored.dumped.kept.as_ref().map(|kept| kept.place.clone());
    let run = restored.dumped.run_id.clone();
    let page = restored.dumped.page.clone();
    let may_have_stale_page = restored.dumped.may_have_stale_page;
    let manifest = manifest(context, stopped, restored.dumped, &finished, target, phases)?;
    let destination = kept.as_ref().unwrap_or(target.destination);
    let mut manifest = report_shipping::ship(context, &page, destination, &run, manifest).await?;
    if kept.is_none() {
        manifest.peak_memory_bytes = peak_memory();
    }
    if may_have_stale_page && manifest.report.is_none() {
        let stays = report_shipping::remove_stale(destination, &run).await;
        manifest.warnings.extend(stays);
    }
    let write = write(context, destination, &run, manifest, &page);
    let written = Box::pin(context.shutdown.within(write)).await;
    written.map_err(Fault::no_time_to_ship)??;
    if context.cluster.lease.is_held() {
        // The archive is whole without it, and a next attempt would do it.
        let _is_late = Box::pin(context.shutdown.within(destination.abort_unanswered())).await;
    }
    Ok(finished)
}

/// Writes the manifest of a run that was told to stop once more, after it has put back what it had left for
/// later. Should that fail, the first one stays.
///
/// # Errors
/// The KubeVirt is not known: a defect.
pub(in crate::run) async fn report_again(
    context: &Context,
    stopped: &Stopped,
    restored: Restored,
    target: &Target<'_>,
    phases: Vec<PhaseSeconds>,
    first: Finished,
) -> Result<Finished, Fault> {
    match report(context, stopped, restored, target, phases).await {
        Err(fault) if !fault.is_defect() => {
            tracing::warn!(%fault, "the manifest stays as it was before the gate was put back");
            Ok(first)
        }
        finished => finished,
    }
}

/// Decides on the exit code and the reason.
fn finish(
    context: &Context,
    stopped: &Stopped,
    restored: &Restored,
    target: &Target<'_>,
) -> Finished {
    let Restored { dumped, left_on } = restored;
    let (mut completeness, is_enough) = dumped.pods.completeness(&context.config.min_complete);
    let profiling = still_profiling(&dumped.unstopped);
    let mut fallback_reason = target.fallback_reason.as_deref();
    let mut workload_exit_code = stopped.workload_exit_code;
    if let Some(kept) = &dumped.kept {
        completeness.push_str("; an earlier attempt shipped that, and this one dumped no more");
        fallback_reason = kept.manifest.fallback_reason.as_deref();
        workload_exit_code = workload_exit_code.or(kept.manifest.workload_exit_code);
    }
    let shipped = Shipped {
        completeness,
        is_enough,
        left_behind: profiling.into_iter().chain(left_on.clone()).collect(),
        shutdown: context.shutdown.request(),
        workload_exit_code,
        fallback_reason,
    };
    let (code, reason) = shipped.outcome();
    let is_whole = dumped.pods.counts().are_complete() && dumped.unstopped.is_empty();
    Finished {
        is_final: is_whole || code.is_final(),
        code,
        reason,
        archive: Some(dumped.archive.clone()),
        workload_exit_code,
    }
}

fn still_profiling(unstopped: &[String]) -> Option<String> {
    if unstopped.is_empty() {
        return None;
    }
    Some(format!(
        "{} pods may still be PROFILING ({}): kubectl get --raw {}",
        unstopped.len(),
        unstopped.join(" "),
        profiler::path("stop")
    ))
}

/// Gathers what the manifest says.
fn manifest(
    context: &Context,
    stopped: &Stopped,
    dumped: Dumped,
    finished: &Finished,
    target: &Target<'_>,
    phases: Vec<PhaseSeconds>,
) -> Result<Manifest, Fault> {
    let config = &context.config;
    let mut results = dumped.pods;
    if let Some(kept) = dumped.kept {
        return Ok(Manifest {
            gate: context.gate().clone(),
            unstopped: dumped.unstopped,
            pods: results.into_pods(),
            phases,
            warnings: Vec::new(),
            exit_code: finished.code.number(),
            reason: finished.reason.clone(),
            workload_exit_code: finished.workload_exit_code,
            ..*kept.manifest
        });
    }
    Ok(Manifest {
        schema_version: SCHEMA_VERSION,
        run_id: dumped.run_id.to_string(),
        labels: config.labels.clone(),
        compare_key: config.compare_key.clone(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: dumped.engine,
        kubevirt: context.install()?.kubevirt(),
        components: config.components.iter().copied().collect(),
        gate: context.gate().clone(),
        originals_kept: config.keep_originals,
        window: stopped.window,
        unstopped: dumped.unstopped,
        uncounted: std::mem::take(&mut results.uncounted),
        refused: std::mem::take(&mut results.unexpected_names),
        in_window: results.in_window(),
        snapshots: match config.snapshots {
            Some(_) => context.snapshots().all(),
            None => Vec::new(),
        },
        empty_kinds: results.empty_kinds(),
        pods: results.into_pods(),
        cluster_file: dumped.cluster_file,
        archive: dumped.archive,
        report: None,
        no_report: None,
        fallback_reason: target.fallback_reason.clone(),
        phases,
        vmi_latencies: stopped.vmi_latencies.clone(),
        surroundings: Some(stopped.surroundings.clone()),
        warnings: dumped.warnings,
        workload_exit_code: stopped.workload_exit_code,
        peak_memory_bytes: None,
        exit_code: finished.code.number(),
        reason: finished.reason.clone(),
    })
}

/// Writes the manifest, removes earlier runs, and writes it once more where these could not be removed.
async fn write(
    context: &Context,
    destination: &Destination,
    run: &RunId,
    mut manifest: Manifest,
    page: &ReportPage,
) -> Result<(), Fault> {
    put_instead_of_page(destination, run, &mut manifest, page).await?;
    // Nothing older goes before this one is there, and a run that was told to stop has no time for it.
    if context.shutdown.is_requested() {
        return Ok(());
    }
    let warnings = retention::retain(context, destination).await;
    if !warnings.is_empty() {
        manifest.warnings.extend(warnings);
        put_warnings(destination, run, &manifest).await;
    }
    Ok(())
}

/// Writes the manifest. Where a volume has room for its page alone, that is removed.
async fn put_instead_of_page(
    destination: &Destination,
    run: &RunId,
    manifest: &mut Manifest,
    page: &ReportPage,
) -> Result<(), Fault> {
    let put_beside = put(destination, run, manifest).await;
    let Err(fault) = &put_beside else {
        return Ok(());
    };
    if manifest.report.take().is_none() || !matches!(destination, Destination::Directory(_)) {
        return put_beside;
    }
    page.note(Err(format!(
        "the manifest could not be written beside it: {fault}"
    )));
    page.tell(manifest);
    destination.remove_report(run).await?;
    put(destination, run, manifest).await
}

/// Writes the manifest once more, unless another cluster's run has removed this one by now.
async fn put_warnings(destination: &Destination, run: &RunId, manifest: &Manifest) {
    let found = destination.find(run).await;
    let written = match found {
        Ok(Found::Complete(_)) => put(destination, run, manifest).await,
        Ok(_) => return,
        Err(error) => Err(error.into()),
    };
    if let Err(fault) = written {
        tracing::warn!(%fault, "the manifest stays without its warnings");
    }
}

async fn put(destination: &Destination, run: &RunId, manifest: &Manifest) -> Result<(), Fault> {
    // Of thousands of pods it is megabytes, and a buffer that grows takes twice as much.
    let mut length = Length(0);
    serde_json::to_writer_pretty(&mut length, manifest).map_err(io::Error::from)?;
    let mut json = Vec::with_capacity(length.0);
    serde_json::to_writer_pretty(&mut json, manifest).map_err(io::Error::from)?;
    Ok(destination.put_manifest(run, json).await?)
}

/// A writer that only counts.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0 += data.len();
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The peak of resident memory so far in bytes, as Linux tells it (VmHWM in proc(5)).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
