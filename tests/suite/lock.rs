//! The cluster's lock, and what a run that died leaves to the next: by the stand-in, with Leases that
//! die in seconds.

use std::time::Duration;

use cluster_profiler_job::engine::Configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::EndedBy;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::{run_with, undo};
use serde_json::{Value, json};
use standin::{Options, Standin};
use tokio::sync::mpsc;

use crate::harness::{Place, RUN_ID, standin};

const LEASE: &str = "cluster-profiler-job";

fn limits() -> Limits {
    Limits {
        // Of this process's own runs; those that are killed have shorter ones.
        lease: Duration::from_secs(30),
        lease_renewal: Duration::from_millis(200),
        ..Limits::default()
    }
}

async fn run(place: &Place) -> ExitCode {
    let (_signals, receiver) = mpsc::channel(1);
    run_with(place.variables(), receiver, limits(), Configured::new).await
}

fn record(standin: &Standin) -> Option<Value> {
    let lease = standin.lease(LEASE)?;
    let record = lease["metadata"]["annotations"]["cluster-profiler-job/record"].as_str()?;
    Some(serde_json::from_str(record).expect("JSON"))
}

fn holder(standin: &Standin) -> Value {
    standin.lease(LEASE).expect("a Lease")["spec"]["holderIdentity"].clone()
}

/// A run that is killed in its window.
async fn killed(standin: &Standin, place: &Place) {
    let mut child = place.spawn_short_lease();
    let open = |state: &standin::State| state.profiling().len() == 8;
    standin.wait_until(open).await;
    while !place.signal("ready").exists() {
        tokio::task::yield_now().await;
    }
    child.kill().await.expect("it runs");
}

/// A run without an end of its own that turns the profiler on and off.
fn long_and_restoring(standin: &Standin) -> Place {
    Place::new(standin)
        .with("PROFILER_FEATURE_GATE", "enable-and-restore")
        .with("PROFILER_SETTLE", "1h")
}

async fn off() -> Standin {
    let options = Options {
        gate: false,
        ..Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

#[tokio::test]
async fn a_run_holds_the_lock_and_leaves_it_empty() {
    let standin = standin().await;
    let place = Place::new(&standin);
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    let held = holder(&standin);
    assert!(
        held.as_str().is_some_and(|held| held.starts_with(RUN_ID)),
        "{held}"
    );
    assert_eq!(record(&standin).expect("a record")["stage"], "started");
    assert_eq!(place.ended(child).await.code, 0);
    assert_eq!(holder(&standin), Value::Null);
    assert_eq!(record(&standin), None);
}

#[tokio::test]
async fn a_live_holder_is_waited_for_and_named() {
    let standin = standin().await;
    let spec = json!({
        "holderIdentity": "nightly-7/1", "leaseDurationSeconds": 3600,
        "acquireTime": "2026-01-12T09:30:00.000000Z",
    });
    standin.set_lease(LEASE, json!({ "metadata": {}, "spec": spec }));
    let place = Place::new(&standin).with("PROFILER_LOCK_WAIT", "1s");
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("nightly-7 is using"), "{reason}");
    assert!(reason.contains("since 2026-01-12T09:30:00Z"), "{reason}");
    assert_eq!(standin.starts(), 0);
}

#[tokio::test]
async fn a_lease_that_somebody_takes_ends_the_run_and_nothing_is_undone() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let taken = async {
        standin
            .wait_until(|state| state.profiling().len() == 8)
            .await;
        let mut lease = standin.lease(LEASE).expect("a Lease");
        lease["spec"]["holderIdentity"] = json!("other/2");
        standin.set_lease(LEASE, lease);
    };
    let (code, ()) = tokio::join!(run(&place), taken);
    assert_eq!(code, ExitCode::Retry);
    assert_eq!(standin.profiling().len(), 8, "they are the other's");
    assert_eq!(holder(&standin), "other/2");
    assert!(place.manifest().is_none());
}

#[tokio::test]
async fn a_second_attempt_ships_what_the_first_profiled() {
    let standin = off().await;
    let place = long_and_restoring(&standin);
    let before = standin.configuration();
    killed(&standin, &place).await;
    assert_ne!(standin.configuration(), before);
    assert_eq!(run(&place).await, ExitCode::Complete);
    assert_eq!(standin.starts(), 1, "no second window");
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.window.ended_by, EndedBy::Died);
    assert!(!manifest.gate.before && !manifest.gate.after && manifest.gate.changed.is_some());
    assert_eq!(standin.configuration(), before);
    assert_eq!(record(&standin), None);
}

#[tokio::test]
async fn a_run_that_was_told_to_stop_is_resumed_from_what_the_pods_keep() {
    let standin = standin().await;
    let place = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "15s");
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    crate::harness::send(&child, rustix::process::Signal::TERM);
    assert_eq!(place.ended(child).await.code, 143);
    assert_eq!(record(&standin).expect("a record")["stage"], "stopped");
    assert_eq!(run(&place).await, ExitCode::Complete);
    assert_eq!(standin.starts(), 1);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.window.ended_by, EndedBy::Signal);
}

#[tokio::test]
async fn another_run_stops_and_restores_and_then_begins() {
    let standin = off().await;
    let before = standin.configuration();
    let dead = long_and_restoring(&standin);
    killed(&standin, &dead).await;
    let place = Place::new(&standin)
        .with("PROFILER_RUN_ID", "another")
        .with("PROFILER_FEATURE_GATE", "enable-and-restore");
    assert_eq!(run(&place).await, ExitCode::Complete);
    assert_eq!(standin.starts(), 2);
    assert_eq!(standin.configuration(), before);
    assert_eq!(record(&standin), None);
}

#[tokio::test]
async fn a_run_that_cannot_begin_stops_what_a_dead_one_left() {
    let standin = standin().await;
    let dead = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    killed(&standin, &dead).await;
    let blocked = Place::new(&standin).with("PROFILER_RUN_ID", "another");
    std::fs::write(blocked.path("out"), "no directory").expect("a file");
    assert_eq!(run(&blocked).await, ExitCode::DestinationRefused);
    assert!(standin.profiling().is_empty());
    assert_eq!(record(&standin).expect("a record")["stage"], "stopped");
    // Its data is still there for itself.
    assert_eq!(run(&dead).await, ExitCode::Complete);
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn undo_stops_and_restores_and_finds_nothing_the_second_time() {
    let standin = off().await;
    let before = standin.configuration();
    let place = long_and_restoring(&standin);
    killed(&standin, &place).await;
    for _ in 0..2 {
        assert_eq!(undo(place.variables(), limits()).await, ExitCode::Complete);
        assert!(standin.profiling().is_empty());
        assert_eq!(standin.configuration(), before);
        assert_eq!(record(&standin), None);
    }
}

#[tokio::test]
async fn a_gate_that_is_closed_in_mid_window_is_opened_to_stop() {
    let standin = off().await;
    let before = standin.configuration();
    let place = long_and_restoring(&standin);
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    standin.edit_configuration(|now| *now = before.clone());
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("kubectl-patch"),
        "the rival is named: {}",
        ended.log
    );
    assert!(standin.profiling().is_empty());
    assert_eq!(standin.configuration(), before);
}

#[tokio::test]
async fn enable_leaves_it_on() {
    let standin = off().await;
    let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(
        standin.configuration()["developerConfiguration"]["clusterProfiler"],
        true
    );
    let gate = place.shipped().manifest.gate;
    assert!(!gate.before && gate.after);
}

#[tokio::test]
async fn components_that_do_not_know_the_gate_yet_are_waited_for() {
    let standin = off().await;
    for pod in standin.pods() {
        standin.pod_fault(&pod, standin::Fault::GateUnseen(standin::Times::First(3)));
    }
    let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
}
