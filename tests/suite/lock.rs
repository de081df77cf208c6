//! The cluster's lock, and what a run that died leaves to the next: by the stand-in, with Leases that
//! die in seconds.

use std::time::Duration;

use cluster_profiler_job::commands::undo;
use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::EndedBy;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use rustix::process::Signal;
use serde_json::{Value, json};
use standin::Fault::StartFails;
use standin::{Options, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::{Ended, Place, RUN_ID, send, standin};

pub(crate) const LEASE: &str = "cluster-profiler-job";

const RECORD: &str = "cluster-profiler-job/record";

pub(crate) fn limits() -> Limits {
    Limits {
        // Of this process's own runs; those that are killed have shorter ones.
        lease: Duration::from_secs(30),
        lease_renewal: Duration::from_millis(200),
        ..Limits::default()
    }
}

pub(crate) async fn run(place: &Place) -> ExitCode {
    let (_signals, receiver) = mpsc::channel(1);
    run_with(place.variables(), receiver, limits(), configured).await
}

pub(crate) fn record(standin: &Standin) -> Option<Value> {
    let lease = standin.lease(LEASE)?;
    let record = lease["metadata"]["annotations"][RECORD].as_str()?;
    Some(serde_json::from_str(record).expect("JSON"))
}

pub(crate) fn holder(standin: &Standin) -> Value {
    standin.lease(LEASE).expect("a Lease")["spec"]["holderIdentity"].clone()
}

/// A run that is killed in its window.
pub(crate) async fn killed(standin: &Standin, place: &Place) {
    let mut child = place.spawn_short_lease();
    let open = |state: &standin::State| state.profiling().len() == 8;
    standin.wait_until(open).await;
    place.until_ready().await;
    child.kill().await.expect("it runs");
}

/// A run without an end of its own that turns the profiler on and off.
pub(crate) fn long_and_restoring(standin: &Standin) -> Place {
    Place::new(standin)
        .with("PROFILER_FEATURE_GATE", "enable-and-restore")
        .with("PROFILER_SETTLE", "1h")
}

pub(crate) async fn off() -> Standin {
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
    send(&child, Signal::TERM);
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
async fn an_attempt_that_waited_for_another_of_the_same_run_finds_it_shipped() {
    let standin = standin().await;
    let first = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let second = Place::new(&standin).with(
        "PROFILER_DESTINATION",
        format!("file://{}", first.out().display()),
    );
    let child = first.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    let (leases, waiting) = (standin.arrived(LEASE), second.spawn());
    // The holder renews but every 15 s: the rest is the other's looking.
    standin
        .wait_until(|state| state.arrived(LEASE) >= leases + 3)
        .await;
    assert_eq!(first.run_with(&["stop"]).await.code, 0);
    assert_eq!(first.ended(child).await.code, 0);
    let ended = second.ended(waiting).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("already"), "{}", ended.log);
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn a_stop_by_another_run_ends_the_window_that_is_resumed() {
    let standin = standin().await;
    let dead = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    killed(&standin, &dead).await;
    let blocked = Place::new(&standin).with("PROFILER_RUN_ID", "another");
    std::fs::write(blocked.path("out"), "no directory").expect("a file");
    assert_eq!(run(&blocked).await, ExitCode::DestinationRefused);
    let stopped = record(&standin).expect("a record")["stopped"].clone();
    assert_eq!(run(&dead).await, ExitCode::Complete);
    let window = dead.shipped().manifest.window;
    assert_eq!(Value::String(window.stop.to_string()), stopped);
}

#[tokio::test]
async fn a_start_that_failed_for_good_leaves_the_next_attempt_a_window_of_its_own() {
    let standin = standin().await;
    let fault = || StartFails(Times::Always);
    for pod in standin.pods() {
        standin.pod_fault(&pod, fault());
    }
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    assert_eq!(record(&standin), None);
    standin.clear_faults();
    let failed = standin.starts();
    assert_eq!(place.run().await.code, 0);
    assert_eq!(standin.starts(), failed + 1);
    let window = place.shipped().manifest.window;
    assert_eq!(window.ended_by, EndedBy::Settle);
}

#[tokio::test]
async fn a_pod_of_a_dead_run_that_is_not_ready_is_named_and_keeps_nobody_from_shipping() {
    let standin = standin().await;
    let dead = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_STOP_WAIT", "0s");
    killed(&standin, &dead).await;
    let pod = standin.pods()[0].clone();
    standin.set_ready(&pod, false);
    let undone = dead.run_with(&["undo"]).await;
    assert_eq!(undone.code, 3, "{}", undone.log);
    assert!(undone.log.contains(&pod), "{}", undone.log);
    assert!(undone.log.contains("delete them"), "{}", undone.log);
    assert_eq!(record(&standin).expect("a record")["stage"], "started");
    let place = Place::new(&standin)
        .with("PROFILER_RUN_ID", "another")
        .with("PROFILER_STOP_WAIT", "0s");
    let ended = place.run().await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    assert!(
        ended.log.contains("all 7 pods are complete"),
        "{}",
        ended.log
    );
    assert_eq!(standin.profiling().into_iter().collect::<Vec<_>>(), [pod]);
}

#[tokio::test]
async fn a_refused_run_beside_a_live_one_obeys_a_signal() {
    let standin = standin().await;
    let dead = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    killed(&standin, &dead).await;
    let mut lease = standin.lease(LEASE).expect("a Lease");
    lease["spec"]["leaseDurationSeconds"] = json!(3600);
    standin.set_lease(LEASE, lease);
    let blocked = Place::new(&standin).with("PROFILER_RUN_ID", "another");
    std::fs::write(blocked.path("out"), "no directory").expect("a file");
    let (signals, receiver) = mpsc::channel(1);
    let limits = Limits {
        lease: Duration::from_secs(3600),
        ..limits()
    };
    let seen = standin.arrived(LEASE);
    let told = async {
        // Once to look whether there is anything, once to take it.
        standin
            .wait_until(|state| state.arrived(LEASE) >= seen + 2)
            .await;
        signals.send(ExitCode::Terminated).await.expect("it runs");
    };
    let run = run_with(blocked.variables(), receiver, limits, configured);
    let (code, ()) = tokio::join!(run, told);
    assert_eq!(code, ExitCode::DestinationRefused);
}

#[tokio::test]
async fn a_lease_that_somebody_deletes_is_made_again_with_its_record() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let deleted = async {
        place.until_ready().await;
        let before = record(&standin);
        standin.remove_lease(LEASE);
        standin
            .wait_until(|state| state.lease(LEASE).is_some())
            .await;
        assert_eq!(record(&standin), before);
        place.run_with(&["stop"]).await
    };
    let (code, _) = tokio::join!(run(&place), deleted);
    assert_eq!(code, ExitCode::Complete);
    assert_eq!(record(&standin), None);
}

#[tokio::test]
async fn a_lease_whose_holder_somebody_takes_out_is_lost() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let emptied = async {
        standin
            .wait_until(|state| state.profiling().len() == 8)
            .await;
        let mut lease = standin.lease(LEASE).expect("a Lease");
        lease["spec"]["holderIdentity"] = Value::Null;
        standin.set_lease(LEASE, lease);
    };
    let (code, ()) = tokio::join!(run(&place), emptied);
    assert_eq!(code, ExitCode::Retry);
    assert_eq!(standin.profiling().len(), 8, "nothing is undone");
}

#[tokio::test]
async fn a_run_that_died_between_its_manifest_and_its_lock_is_shipped() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    place.until_ready().await;
    let mut lease = standin.lease(LEASE).expect("a Lease");
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    assert_eq!(place.ended(child).await.code, 0);
    let record = &mut lease["metadata"]["annotations"]["cluster-profiler-job/record"];
    *record = json!(
        record
            .as_str()
            .expect("a record")
            .replace("started\",", "stopped\",")
    );
    lease["spec"]["leaseDurationSeconds"] = json!(1);
    standin.set_lease(LEASE, lease);
    let again = place.run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    assert!(again.log.contains("already"), "{}", again.log);
    assert_eq!(standin.starts(), 1);
    let next = Place::new(&standin).with("PROFILER_RUN_ID", "another");
    assert_eq!(next.run().await.code, 0);
}

/// What an attempt says that was told to stop while it waits for the Lease, or at the gate.
#[tokio::test]
async fn an_attempt_that_was_told_to_stop_says_what_a_dead_one_left() {
    async fn until_told(standin: &Standin, place: &Place, hold_up: impl Fn(&Standin)) -> Ended {
        killed(standin, place).await;
        hold_up(standin);
        let before = standin.arrived(LEASE);
        let child = place.spawn();
        let gate_is_on = |state: &standin::State| state.gate() && state.arrived(LEASE) > before;
        standin.wait_until(gate_is_on).await;
        send(&child, Signal::TERM);
        place.ended(child).await
    }
    let waits_for_the_lease = |standin: &Standin| {
        let mut lease = standin.lease(LEASE).expect("a Lease");
        lease["spec"]["leaseDurationSeconds"] = json!(3600);
        standin.set_lease(LEASE, lease);
    };
    let waits_for_the_gate = |standin: &Standin| {
        standin.set_gate(false);
        standin.set_unobserved(true);
    };
    for hold_up in [waits_for_the_lease, waits_for_the_gate] {
        for (stage, words) in [
            (
                "started",
                ["left 8 pods that may still be PROFILING", "undo stops them"],
            ),
            (
                "stopped",
                ["is not shipped", "next attempt of this run ships it"],
            ),
        ] {
            let standin = off().await;
            let place = long_and_restoring(&standin).with("PROFILER_GRACE", "2s");
            let ended = until_told(&standin, &place, |standin| {
                let mut lease = standin.lease(LEASE).expect("a Lease");
                let annotations = &mut lease["metadata"]["annotations"];
                let record = annotations[RECORD].as_str().expect("a record");
                let record = record.replace("\"started\",", &format!("\"{stage}\","));
                annotations[RECORD] = record.into();
                standin.set_lease(LEASE, lease);
                hold_up(standin);
            });
            let ended = ended.await;
            assert_eq!(ended.code, 143, "{}", ended.log);
            let reason = ended.termination["reason"].as_str().unwrap_or_default();
            for word in words {
                assert!(reason.contains(word), "{reason}");
            }
            assert_eq!(record(&standin).expect("a record")["stage"], stage);
        }
    }
}
