//! A run that takes long says how far it is, and what it waits for.

use std::time::Duration;

use cluster_profiler_job::engine::{Native, configured};
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use serde_json::json;
use standin::{Options, RouteAnswer, RouteFault, Standin, Times, VmScript};
use tokio::sync::mpsc;

use crate::harness::{Log, Place, standin};
use crate::lock::{LEASE, long_and_restoring, off};
use crate::patience::window_is_open;

#[tokio::test]
async fn lines_tell_phase_pods_and_bytes_while_it_works() {
    let (log, _logging) = Log::of_this_thread();
    let options = Options {
        pod_latency: Duration::from_millis(400),
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin).with("PROFILER_RUN_ID", "progress");
    let limits = Limits {
        progress: Duration::from_millis(100),
        ..Limits::default()
    };
    let (_signals, receiver) = mpsc::channel(1);
    let code = run_with(place.variables(), receiver, limits, |_| {
        Box::new(Native { concurrency: 1 })
    })
    .await;
    assert_eq!(code, ExitCode::Complete);
    let lines = log.lines();
    let some = lines.iter().find(|line| {
        let done = line["pods_done"].as_u64().unwrap_or_default();
        line["phase"] == "dump" && (1..8).contains(&done)
    });
    let some = some.expect("a line from the middle of the dump");
    assert_eq!(some["pods_expected"], 8);
    assert!(
        some["bytes"].as_u64().is_some_and(|bytes| bytes > 100_000),
        "{some}"
    );
}

/// A run in this process that soon says what it waits for, with the log of it, beside something else.
async fn run(place: &Place, beside: impl AsyncFnOnce(&Log)) {
    let (log, _logging) = Log::of_this_thread();
    let limits = Limits {
        progress: Duration::from_millis(20),
        first_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(100),
        ..Limits::default()
    };
    let (_signals, receiver) = mpsc::channel(1);
    let run = run_with(place.variables(), receiver, limits, configured);
    let (code, ()) = tokio::join!(run, beside(&log));
    assert_eq!(code, ExitCode::Complete);
}

#[tokio::test]
async fn a_gate_waits_for_the_operator_and_for_virt_api_by_name() {
    let standin = off().await;
    let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
    standin.set_unobserved(true);
    run(&place, async |log| {
        log.until("waiting for virt-operator to observe generation 2, it has seen 1")
            .await;
        standin.set_unobserved(false);
    })
    .await;
    let options = Options {
        gate: false,
        gate_delay: Duration::from_secs(5),
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable");
    run(&place, async |log| {
        log.until("waiting for virt-api to know that the profiler is on")
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_restore_waits_for_the_operator_by_name() {
    let standin = off().await;
    let place = long_and_restoring(&standin);
    run(&place, async |log| {
        window_is_open(&place).await;
        standin.set_unobserved(true);
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
        log.until("waiting for virt-operator to observe generation 3, it has seen 2")
            .await;
        standin.set_unobserved(false);
    })
    .await;
}

#[tokio::test]
async fn a_window_says_how_many_instances_are_running() {
    let standin = standin().await;
    let place = Place::new(&standin)
        .with("PROFILER_UNTIL_VMIS_RUNNING", 5)
        .with("PROFILER_SETTLE", "0s");
    run(&place, async |log| {
        log.until("waiting for the workload: 0 of 5 VMIs are Running")
            .await;
        let script = |count| VmScript {
            count,
            prefix: format!("of-{count}"),
            ..VmScript::default()
        };
        standin.create_vms(script(3)).await;
        log.until("waiting for the workload: 3 of 5 VMIs are Running")
            .await;
        standin.create_vms(script(2)).await;
    })
    .await;
}

#[tokio::test]
async fn a_run_waits_for_another_by_name() {
    let standin = standin().await;
    let spec = json!({
        "holderIdentity": "nightly-7/1", "leaseDurationSeconds": 3600,
        "acquireTime": "2026-01-12T09:30:00.000000Z",
    });
    standin.set_lease(LEASE, json!({ "metadata": {}, "spec": spec }));
    let place = Place::new(&standin);
    run(&place, async |log| {
        log.until(
            "waiting for the run nightly-7, which holds the Lease cluster-profiler-job since \
             2026-01-12T09:30:00Z",
        )
        .await;
        standin.remove_lease(LEASE);
    })
    .await;
}

#[tokio::test]
async fn a_stop_waits_for_pods_by_name() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let pod = standin.pods()[3].clone();
    run(&place, async |log| {
        window_is_open(&place).await;
        standin.set_ready(&pod, false);
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
        let line =
            format!("waiting for these pods to be Ready, so that a stop reaches them: {pod}");
        log.until(&line).await;
        standin.set_ready(&pod, true);
    })
    .await;
}

#[tokio::test]
async fn an_outage_is_told_with_its_last_error() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    run(&place, async |log| {
        window_is_open(&place).await;
        let answer = RouteAnswer::Status(503);
        let away = RouteFault::new("/dump-cluster-profiler", answer, Times::Always);
        standin.route_fault(away);
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
        log.until(
            "waiting for the API server: GET /apis/subresources.kubevirt.io/v1/dump-cluster-profiler: \
             the API server answered 503",
        )
        .await;
        standin.clear_faults();
    })
    .await;
}

#[tokio::test]
async fn the_log_of_a_good_run_fits_a_screen() {
    let standin = standin().await;
    let ended = Place::new(&standin).run().await;
    assert!(ended.log.lines().count() <= 24, "{}", ended.log);
}
