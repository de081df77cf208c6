//! An API server that is away, or says no for a while, where something would be left or lost.

use std::time::Duration;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use standin::{RouteAnswer, RouteFault, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::Place;
use crate::lock::{long_and_restoring, off, record};

/// More tries than one call has.
const MANY: usize = 20;

/// Limits with short pauses, so that many tries take no time.
fn limits() -> Limits {
    Limits {
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// A run in this process, with the way to tell it to stop.
async fn run(place: &Place, told: impl AsyncFnOnce(mpsc::Sender<ExitCode>)) -> ExitCode {
    let (signals, receiver) = mpsc::channel(1);
    let run = run_with(place.variables(), receiver, limits(), configured);
    tokio::join!(run, told(signals)).0
}

/// What passes: of a server that restarts, is overloaded, or whose webhook is not there.
fn passing() -> Vec<RouteAnswer> {
    let statuses = [401, 429, 500, 503, 504].map(RouteAnswer::Status);
    statuses.into_iter().chain([RouteAnswer::Hangup]).collect()
}

async fn window_is_open(place: &Place) {
    while !place.signal("ready").exists() {
        tokio::task::yield_now().await;
    }
}

fn gate(standin: &Standin) -> bool {
    standin.configuration()["developerConfiguration"]["clusterProfiler"] == true
}

#[tokio::test]
async fn the_gate_is_put_back_however_often_that_fails_at_first() {
    for answer in passing() {
        let standin = off().await;
        let before = standin.configuration();
        let place = long_and_restoring(&standin);
        let code = run(&place, async |_signals| {
            window_is_open(&place).await;
            let times = Times::First(MANY);
            standin.route_fault(RouteFault::new(
                "/kubevirts/kubevirt",
                answer.clone(),
                times,
            ));
            assert_eq!(place.run_with(&["stop"]).await.code, 0);
        });
        assert_eq!(code.await, ExitCode::Complete, "{answer:?}");
        assert_eq!(standin.configuration(), before, "{answer:?}");
        assert!(!place.shipped().manifest.gate.after, "{answer:?}");
        assert_eq!(record(&standin), None, "{answer:?}");
    }
}

#[tokio::test]
async fn what_a_dead_run_left_is_put_back_however_often_that_fails_at_first() {
    let standin = off().await;
    let before = standin.configuration();
    let dead = long_and_restoring(&standin);
    crate::lock::killed(&standin, &dead).await;
    let times = Times::First(MANY);
    let answer = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new("/kubevirts/kubevirt", answer, times));
    let undone = cluster_profiler_job::commands::undo(dead.variables(), limits()).await;
    assert_eq!(undone, ExitCode::Complete);
    assert!(standin.profiling().is_empty());
    assert_eq!(standin.configuration(), before);
}

#[tokio::test]
async fn the_manifest_of_a_run_that_was_told_to_stop_comes_before_a_gate_that_does_not_go() {
    let standin = off().await;
    let before = standin.configuration();
    let place = long_and_restoring(&standin).with("PROFILER_GRACE", "10m");
    let code = run(&place, async |signals| {
        window_is_open(&place).await;
        let answer = RouteAnswer::Status(503);
        standin.route_fault(RouteFault::new(
            "/kubevirts/kubevirt",
            answer,
            Times::Always,
        ));
        signals.send(ExitCode::Terminated).await.expect("it runs");
        let first = loop {
            tokio::task::yield_now().await;
            if let Some(manifest) = place.manifest() {
                break manifest;
            }
        };
        assert!(first.gate.after && gate(&standin));
        assert!(first.reason.contains("STILL TURNED ON"), "{}", first.reason);
        standin.clear_faults();
    });
    assert_eq!(code.await, ExitCode::Terminated);
    assert_eq!(standin.configuration(), before);
    let manifest = place.shipped().manifest;
    assert!(!manifest.gate.after && !manifest.reason.contains("STILL"));
}
