//! A run that only says what it would do.

use humantime::format_duration;

use super::preflight::{Clear, Pods};
use super::report::Finished;
use crate::cluster::lease;
use crate::cluster::profiler::Gate;
use crate::config::{Config, EnablePolicy, RunId};
use crate::outcome::ExitCode;

/// Tells each step that a run would go through from here.
pub(super) fn tell(
    config: &Config,
    engine: &str,
    clear: &Clear,
    (pods, going): &(Pods, Vec<RunId>),
) -> Finished {
    let step = |step: &str, what: String| tracing::info!(step, "would {what}");
    let (ready, expected) = (pods.ready.len(), pods.expected.len());
    let namespace = &clear.install.namespace;
    step(
        "lock",
        format!("take the Lease {} in {namespace}", lease::NAME),
    );
    if clear.gate == Gate::Off {
        step("gate", gate(config.enable_policy).to_owned());
    }
    step(
        "start",
        format!("start profiling in all {ready} component pods"),
    );
    let window = &config.window;
    let (settle, longest) = (format_duration(window.settle), format_duration(window.max));
    let stop = config.signals.stop.display();
    let end = match window.settle_after_stop_file {
        true => format!("{settle} after {stop} appears"),
        false => format!("after {settle}, or once {stop} appears"),
    };
    step(
        "window",
        format!("end the window {end}, after {longest} at the latest"),
    );
    step(
        "stop",
        format!(
            "stop profiling, for up to {}",
            format_duration(config.patience.stop_wait)
        ),
    );
    step(
        "dump",
        format!("dump {expected} pods with the engine {engine}"),
    );
    let (place, stem) = (&config.destination, config.run_id.stem());
    step(
        "ship",
        format!("write {place}{stem}.tar.gz and then {stem}.json"),
    );
    if let Some(place) = &config.fallback {
        step(
            "ship",
            format!("dump again, if that fails, and write to {place}"),
        );
    }
    for run in going {
        step("report", format!("remove the earlier run {run}"));
    }
    Finished {
        code: ExitCode::Complete,
        reason: "dry run: nothing was changed".to_owned(),
        archive: None,
        workload_exit_code: None,
    }
}

fn gate(enable_policy: EnablePolicy) -> &'static str {
    match enable_policy {
        EnablePolicy::Require => "fail, for the profiler is off",
        EnablePolicy::Enable => "turn the profiler on, and leave it on",
        EnablePolicy::EnableAndRestore => "turn the profiler on, and off again after the dump",
    }
}
