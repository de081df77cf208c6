//! What a run's manifest says: how the run ended, and what it gathered.

use super::context::{Context, Target};
use super::outcome::{Fault, Shipped};
use super::phase_results::{Dumped, Finished, Restored, Stopped};
use crate::cluster::profiler;
use crate::manifest::{Manifest, PhaseSeconds, SCHEMA_VERSION};
use crate::outcome::ExitCode;

/// Decides on the exit code and the reason.
pub(super) fn finish(
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
        comparison: None,
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

/// How a run stands that has shipped its archive and has something left to do.
pub(super) fn finish_later(context: &Context, stopped: &Stopped, dumped: &Dumped) -> Finished {
    let (completeness, _) = dumped.pods.completeness(&context.config.min_complete);
    Finished {
        is_final: false,
        code: ExitCode::Retry,
        reason: format!("what comes after the dump is not done yet; {completeness}"),
        archive: Some(dumped.archive.clone()),
        workload_exit_code: stopped.workload_exit_code,
        comparison: None,
    }
}

/// Gathers what the manifest says.
pub(super) fn manifest(
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
        comparison: None,
        not_compared: None,
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
