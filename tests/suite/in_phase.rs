//! A run that is held in one of its phases, until it is let go.

use std::time::Duration;

use cluster_profiler_job::manifest::Manifest;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::phase::Phase;
use serde_json::{Value, json};
use standin::{Fault, RouteAnswer, RouteFault, Seen, Standin, State, Times};
use tokio::process::Child;

use crate::harness::{Place, until};

const LEASE: &str = "cluster-profiler-job";

/// Longer than anything in a test takes, shorter than virt-api waits for a pod.
pub(crate) const SLOW: Duration = Duration::from_secs(3);

/// How many pages were asked for. A probe is a dump, too, but none that a pod sees.
pub(crate) fn dumped_pages(state: &State) -> usize {
    let is_page =
        |seen: &&Seen| seen.path.ends_with("/dump-cluster-profiler") && seen.body.starts_with('{');
    state.requests().iter().filter(is_page).count()
}

fn slow_pods(standin: &Standin) {
    standin
        .pods()
        .iter()
        .for_each(|pod| standin.pod_fault(pod, Fault::Slow(SLOW)));
}

/// What a run needs beside its own settings so that it has this phase, and may turn the profiler on.
pub(crate) fn has_phase(place: Place, phase: Phase) -> Place {
    place
        .with("PROFILER_FEATURE_GATE", "enable-and-restore")
        .with("PROFILER_BASELINE", phase == Phase::Baseline)
}

/// Lets a run, which is begun so, come into a phase and stay there for a while. Where the profiler is off, the run
/// turns it on and off again.
pub(crate) async fn enter(
    phase: Phase,
    standin: &Standin,
    place: &Place,
    spawn: impl Fn(&Place) -> Child,
) -> Child {
    let arrived =
        |request: &'static str| standin.wait_until(move |state| state.arrived(request) > 0);
    match phase {
        Phase::Preflight => {
            let unavailable = RouteAnswer::Status(503);
            standin.route_fault(RouteFault::new("/kubevirts", unavailable, Times::Always));
            let child = spawn(place);
            arrived("kubevirts").await;
            child
        }
        Phase::Lock => {
            let spec = json!({ "holderIdentity": "other/1", "leaseDurationSeconds": 3600 });
            standin.set_lease(LEASE, json!({ "metadata": {}, "spec": spec }));
            let child = spawn(place);
            arrived(LEASE).await;
            child
        }
        Phase::Gate => {
            standin.set_unobserved(true);
            let child = spawn(place);
            standin.wait_until(|state| state.gate()).await;
            child
        }
        Phase::Baseline => {
            slow_pods(standin);
            let child = spawn(place);
            standin.wait_until(|state| dumped_pages(state) > 0).await;
            child
        }
        Phase::Start => {
            slow_pods(standin);
            let child = spawn(place);
            arrived("start-cluster-profiler").await;
            child
        }
        Phase::Window => {
            let child = enter_window(standin, place, spawn).await;
            slow_pods(standin);
            child
        }
        Phase::Stop => {
            let child = enter_window(standin, place, spawn).await;
            slow_pods(standin);
            end_window(place).await;
            arrived("stop-cluster-profiler").await;
            child
        }
        Phase::Dump => {
            let child = enter_window(standin, place, spawn).await;
            slow_pods(standin);
            end_window(place).await;
            standin.wait_until(|state| dumped_pages(state) > 0).await;
            child
        }
        Phase::Restore => {
            let child = enter_window(standin, place, spawn).await;
            // Nobody acts on the gate's being put back, which is waited for.
            standin.set_unobserved(true);
            end_window(place).await;
            standin.wait_until(has_put_back).await;
            child
        }
        Phase::Report => {
            let child = Box::pin(enter(Phase::Restore, standin, place, spawn)).await;
            // The Lease cannot be released.
            let unavailable = RouteAnswer::Status(503);
            standin.route_fault(RouteFault::new(LEASE, unavailable, Times::Always));
            standin.set_unobserved(false);
            // The first one is written before the gate is put back.
            let is_last = |manifest: Manifest| manifest.exit_code != ExitCode::Retry.number();
            until("the last manifest", || {
                place.manifest().is_some_and(is_last)
            })
            .await;
            child
        }
    }
}

/// Lets go a run that is held in a phase; but a window goes on.
pub(crate) fn let_go(phase: Phase, standin: &Standin) {
    standin.clear_faults();
    standin.set_unobserved(false);
    if phase == Phase::Lock {
        standin.remove_lease(LEASE);
    }
}

async fn enter_window(standin: &Standin, place: &Place, spawn: impl Fn(&Place) -> Child) -> Child {
    let child = spawn(place);
    let pods = standin.pods().len();
    standin
        .wait_until(|state| state.profiling().len() == pods)
        .await;
    child
}

async fn end_window(place: &Place) {
    place.until_ready().await;
    let stopped = place.run_with(&["stop"]).await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
}

/// Whether the journal of a run that was in its window has said that the profiler is put back. A run with a Lease that
/// dies in seconds does not wait long after that, and takes its journal out of the Lease.
fn has_put_back(state: &State) -> bool {
    let says_so = |seen: &Seen| {
        let lease: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let record = lease["metadata"]["annotations"]["cluster-profiler-job/record"].as_str();
        let record: Value = record
            .and_then(|record| serde_json::from_str(record).ok())
            .unwrap_or_default();
        let changes = record["gate"].as_array();
        record["stage"] == "stopped" && changes.is_none_or(Vec::is_empty)
    };
    let written = |seen: &&Seen| seen.path.ends_with(LEASE) && seen.status == Some(200);
    state.requests().iter().filter(written).any(says_so)
}
