//! Dry run: preflight, and then only words about what a run would do.

use std::path::Path;

use futures::TryStreamExt;
use humantime::format_duration;

use super::context::Context;
use super::outcome::Fault;
use super::phase_results::{Finished, Ready, ReadyPods};
use super::retention;
use crate::cluster::lease;
use crate::cluster::profiler::ProfilerState;
use crate::config::{EnablePolicy, RunFile, RunId, WindowConfig};

/// Logs each step that the run would go through from here.
///
/// # Errors
/// The KubeVirt is not known: a defect.
pub(super) async fn tell(
    context: &Context,
    ready: &Ready,
    pods: &ReadyPods,
) -> Result<Finished, Fault> {
    let config = &context.config;
    let outdated = outdated_runs(context).await;
    let namespace = &context.install()?.namespace;
    say(
        "lock",
        &format!("take the Lease {} in {namespace}", lease::NAME),
    );
    if ready.profiler == ProfilerState::Off {
        say("gate", turning_on(config.enable_policy));
    }
    if config.baseline {
        let count = pods.expected.len();
        say("baseline", &format!("dump {count} pods for comparison"));
    }
    if let Some(vmis) = &config.vmis {
        let namespace = vmis.namespace.as_deref().unwrap_or("every namespace");
        let selector = vmis.selector.as_deref().unwrap_or("any labels");
        let what = format!("follow the VMIs of {namespace} with {selector}, for their latencies");
        say("start", &what);
    }
    let count = pods.ready.len();
    say(
        "start",
        &format!("start profiling in all {count} component pods"),
    );
    say(
        "window",
        &end_of_window(&config.window, &config.signals.stop),
    );
    if let Some(snapshots) = &config.snapshots {
        let every = format_duration(snapshots.every);
        say("window", &format!("dump {count} pods each {every} of it"));
    }
    let stop_wait = format_duration(config.patience.stop_wait);
    say("stop", &format!("stop profiling, for up to {stop_wait}"));
    let count = pods.expected.len();
    let engine = context.engine.name();
    say(
        "dump",
        &format!("dump {count} pods with the engine {engine}"),
    );
    let place = &config.destination;
    let archive = config.run_id.file_name(RunFile::Archive);
    let manifest = config.run_id.file_name(RunFile::Manifest);
    let page = if config.report {
        format!(", {}", config.run_id.file_name(RunFile::Report))
    } else {
        String::new()
    };
    say(
        "ship",
        &format!("write {place}{archive}{page} and then {manifest}"),
    );
    if let Some(place) = &config.fallback {
        say(
            "ship",
            &format!("dump again, if that fails, and write to {place}"),
        );
    }
    let targets = config.push.iter().flat_map(|push| &push.targets);
    for target in targets {
        say("push", &format!("push it to {target}"));
    }
    for run in outdated {
        say("report", &format!("remove the earlier run {run}"));
    }
    Ok(Finished::dry_run())
}

fn say(step: &str, what: &str) {
    tracing::info!(step, "would {what}");
}

/// The earlier runs that the destination would not keep, as far as they can be known.
async fn outdated_runs(context: &Context) -> Vec<RunId> {
    let outdated = retention::outdated_runs(context, &context.destination, &context.config.run_id);
    outdated.try_collect().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "which earlier runs would be removed is not known");
        Vec::new()
    })
}

fn end_of_window(window: &WindowConfig, stop_file: &Path) -> String {
    let settle = format_duration(window.settle);
    let longest = format_duration(window.max);
    let stop_file = stop_file.display();
    let end = match (window.settle_after_stop_file, window.until_vmis_running) {
        (true, None) => format!("{settle} after {stop_file} appears"),
        (false, None) => format!("after {settle}, or once {stop_file} appears"),
        (true, Some(wanted)) => {
            format!("{settle} after {wanted} VMIs are Running or {stop_file} appears")
        }
        (false, Some(wanted)) => {
            format!("{settle} after {wanted} VMIs are Running, or once {stop_file} appears")
        }
    };
    format!("end the window {end}, after {longest} at the latest")
}

fn turning_on(policy: EnablePolicy) -> &'static str {
    match policy {
        EnablePolicy::Require => "fail, for the profiler is off",
        EnablePolicy::Enable => "turn the profiler on, and leave it on",
        EnablePolicy::EnableAndRestore => "turn the profiler on, and off again after the dump",
    }
}
