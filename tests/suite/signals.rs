//! Being told to stop, in every phase.

use std::time::Duration;

use cluster_profiler_job::manifest::{EndedBy, State};
use cluster_profiler_job::run::phase::Phase;
use rustix::process::Signal;
use serde_json::Value;
use standin::{Fault, Options, RouteAnswer, RouteFault, Standin, Times};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::harness::{Ended, Place, send, standin};
use crate::in_phase::{SLOW, enter, has_phase, let_go};
use crate::lock::off;

/// Waits until a run has heard a signal: of two that come at once, either may be the first.
async fn until_heard(child: &mut Child) {
    let output = child.stdout.as_mut().expect("a pipe");
    let mut lines = BufReader::new(output).lines();
    loop {
        let line = lines.next_line().await.expect("text");
        if line.expect("it says so").contains("told to stop:") {
            return;
        }
    }
}

/// A run that was told to stop.
pub(crate) struct Told {
    pub(crate) ended: Ended,
    pub(crate) place: Place,
    pub(crate) standin: Standin,
    /// What the cluster was like before.
    pub(crate) before: Value,
}

/// Tells a run in this phase to stop, once or twice, and checks what must always hold.
pub(crate) async fn told(phase: Phase, twice: bool) -> Told {
    let standin = off().await;
    let before = standin.configuration();
    let place = has_phase(Place::new(&standin), phase)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_PREFLIGHT_RETRY", "1h")
        // One after another, all pods need longer than the shorter grace leaves, and not than the longer one.
        .with("PROFILER_GRACE", if twice { "10m" } else { "25s" })
        .with("PROFILER_CONCURRENCY", 1);
    let mut child = enter(phase, &standin, &place, Place::spawn).await;
    send(&child, Signal::TERM);
    if twice {
        until_heard(&mut child).await;
        send(&child, Signal::INT);
    }
    if phase == Phase::Report {
        let_go(phase, &standin);
    }
    let ended = place.ended(child).await;
    let what = format!("{phase:?}, twice: {twice}: {}", ended.log);
    assert_eq!(standin.profiling().len(), 0, "{what}");
    assert_eq!(standin.configuration(), before, "{what}");
    match phase {
        Phase::Preflight | Phase::Lock | Phase::Gate | Phase::Baseline => {
            assert_eq!(ended.code, 143, "{what}");
            assert!(place.manifest().is_none(), "{what}");
            assert_eq!(standin.starts(), 0, "{what}");
        }
        Phase::Start | Phase::Window | Phase::Stop | Phase::Dump => {
            assert_eq!(ended.code, 143, "{what}");
            let manifest = place.shipped().manifest;
            assert_eq!(manifest.exit_code, 143, "{what}");
            let missing = manifest
                .pods
                .iter()
                .filter(|pod| pod.state == State::Missing);
            let mut told = missing.filter_map(|pod| pod.why.as_deref());
            assert!(told.any(|why| why.contains("told to stop")), "{what}");
        }
        // Told before it is decided how the run ends, and after that.
        Phase::Restore | Phase::Report => {
            let code = if phase == Phase::Restore { 143 } else { 0 };
            assert_eq!(ended.code, code, "{what}");
            let manifest = place.shipped().manifest;
            assert_eq!(i32::from(manifest.exit_code), code, "{what}");
            assert!(
                manifest.pods.iter().all(|pod| pod.state == State::Complete),
                "{what}"
            );
        }
    }
    assert!(!place.signal("ready").exists(), "{what}");
    assert!(place.leftovers().is_empty(), "{what}");
    Told {
        ended,
        place,
        standin,
        before,
    }
}

#[tokio::test]
async fn told_once_it_dumps_few_and_telling_pods_first() {
    let Told { place, .. } = told(Phase::Window, false).await;
    let manifest = place.shipped().manifest;
    let complete = manifest
        .pods
        .iter()
        .filter(|pod| pod.state == State::Complete);
    let names: Vec<_> = complete.map(|pod| pod.pod.name.as_str()).collect();
    assert!(!names.is_empty(), "the grace was enough for some");
    assert!(
        names
            .iter()
            .any(|name| name.starts_with("virt-controller-")),
        "{names:?}"
    );
    assert!(
        !names.iter().any(|name| name.starts_with("virt-handler-")),
        "{names:?}"
    );
    assert_eq!(manifest.window.ended_by, EndedBy::Signal);
}

#[tokio::test]
async fn each_signal_has_its_exit_code() {
    // A lost connection and a closed terminal are orders to stop, too.
    for (signal, code) in [(Signal::INT, 130), (Signal::HUP, 143), (Signal::QUIT, 143)] {
        let standin = standin().await;
        let place = Place::new(&standin)
            .with("PROFILER_SETTLE", "1h")
            .with("PROFILER_GRACE", "1h");
        let child = place.spawn();
        standin
            .wait_until(|state| state.profiling().len() == 8)
            .await;
        send(&child, signal);
        let ended = place.ended(child).await;
        assert_eq!(ended.code, code, "{}", ended.log);
        assert!(standin.profiling().is_empty());
        let manifest = place.shipped().manifest;
        assert!(manifest.pods.iter().all(|pod| pod.state == State::Complete));
        assert_eq!(i32::from(manifest.exit_code), code);
    }
}

#[tokio::test]
async fn a_run_ends_itself_before_its_deadline() {
    let options = Options {
        pod_latency: SLOW,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    // One after another, the pods need twice the deadline.
    let place = Place::new(&standin)
        .with("PROFILER_CONCURRENCY", 1)
        .with("PROFILER_MAX_WINDOW", "1s")
        .with("PROFILER_GRACE", "10s")
        .with("PROFILER_DEADLINE", "12s");
    let ended = place.run().await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert!(standin.profiling().is_empty());
    let manifest = place.shipped().manifest;
    assert!(
        manifest.reason.contains("PROFILER_DEADLINE"),
        "{}",
        manifest.reason
    );
}

/// The kubelet ends a pod at its deadline by a signal, too, which is the first.
#[tokio::test]
async fn a_signal_after_the_deadline_does_not_end_the_dump() {
    let options = Options {
        pod_latency: Duration::from_secs(1),
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin)
        .with("PROFILER_CONCURRENCY", 1)
        .with("PROFILER_MAX_WINDOW", "1s")
        .with("PROFILER_GRACE", "58s")
        .with("PROFILER_DEADLINE", "60s");
    let child = place.spawn();
    // One pod after another, each of which takes a second: at the fifth more than two have passed.
    let dumps = |state: &standin::State| state.arrived("dump-cluster-profiler");
    standin.wait_until(|state| dumps(state) >= 5).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    let manifest = place.shipped().manifest;
    let reason = &manifest.reason;
    assert!(reason.contains("PROFILER_DEADLINE"), "{reason}");
    assert!(manifest.pods.iter().all(|pod| pod.state == State::Complete));
}

#[tokio::test]
async fn the_stop_goes_on_beside_the_dump_of_a_run_that_was_told() {
    let standin = standin().await;
    let pod = standin.pods()[5].clone();
    let place = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_STOP_WAIT", "10m")
        .with("PROFILER_GRACE", "10m");
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    standin.set_ready(&pod, false);
    send(&child, Signal::TERM);
    standin
        .wait_until(|state| state.arrived("stop-cluster-profiler") >= 2)
        .await;
    standin.set_ready(&pod, true);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert!(standin.profiling().is_empty());
    assert!(place.shipped().manifest.unstopped.is_empty());
}

#[tokio::test]
async fn told_while_stop_fails_once_it_loses_nothing() {
    let standin = standin().await;
    let place = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "10m");
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    let unavailable = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new(
        "/stop-cluster-profiler",
        unavailable,
        Times::First(1),
    ));
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert!(standin.profiling().is_empty());
    place.shipped();
}

#[tokio::test]
async fn told_while_start_keeps_failing_it_starts_no_more() {
    let standin = standin().await;
    // Longer than virt-api waits: every start and every stop in between takes five seconds.
    standin.pod_fault(&standin.pods()[0], Fault::Slow(2 * SLOW));
    let place = Place::new(&standin).with("PROFILER_GRACE", "25s");
    let child = place.spawn();
    standin
        .wait_until(|state| state.arrived("start-cluster-profiler") >= 1)
        .await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert_eq!(standin.arrived("start-cluster-profiler"), 1);
}

#[tokio::test]
async fn the_workloads_exit_code_is_not_lost_to_a_signal_right_after_it() {
    let standin = standin().await;
    let place = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "10m");
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    std::fs::write(place.signal("stop"), "3\n").expect("a stop file");
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert!([143, 6].contains(&ended.code), "{}", ended.log);
    assert_eq!(place.shipped().manifest.workload_exit_code, Some(3));
}

#[tokio::test]
async fn a_log_that_nobody_takes_is_no_reason_to_leave_profiling_on() {
    let standin = standin().await;
    let place = Place::new(&standin);
    let mut child = place.spawn();
    drop((child.stdout.take(), child.stderr.take()));
    let status = child.wait().await.expect("an end");
    assert_eq!(status.code(), Some(0));
    assert!(standin.profiling().is_empty());
    place.shipped();
}
