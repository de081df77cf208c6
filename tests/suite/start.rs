//! Starts that fail.

use std::time::Duration;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::State;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use standin::{Fault, Options, RouteAnswer, RouteFault, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::{Log, Place, standin};
use crate::lock::off;

/// Pauses that are soon as long as they get.
fn limits() -> Limits {
    Limits {
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(40),
        ..Limits::default()
    }
}

/// The pauses that lines with this message tell of.
fn pauses(log: &Log, message: &str) -> Vec<String> {
    let lines = log.lines().into_iter();
    let lines = lines.filter(|line| line["message"].as_str().unwrap_or("").contains(message));
    lines
        .map(|line| line["pause"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// What is not there yet is asked for less and less often, and what others write is not fought for.
#[tokio::test]
async fn pauses_grow_and_are_bounded() {
    let cases = [
        ("a component does not know yet", false),
        ("somebody else wrote it first", true),
    ];
    for (message, conflicts) in cases {
        let standin = off().await;
        if conflicts {
            let patch = RouteFault::new(
                "/kubevirts/kubevirt",
                RouteAnswer::Status(409),
                Times::First(4),
            );
            standin.route_fault(patch.of_body("resourceVersion"));
        } else {
            // The start and the stop after it meet the fault.
            let unseen = Fault::GateUnseen(Times::First(8));
            standin.pod_fault(&standin.pods()[3], unseen);
        }
        let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
        let (log, _logging) = Log::of_this_thread();
        let (_signals, receiver) = mpsc::channel(1);
        let code = run_with(place.variables(), receiver, limits(), configured).await;
        assert_eq!(code, ExitCode::Complete, "{message}");
        assert_eq!(
            pauses(&log, message),
            ["10ms", "20ms", "40ms", "40ms"],
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_waits_no_longer_for_a_start() {
    let standin = standin().await;
    let unseen = Fault::GateUnseen(Times::Always);
    standin.pod_fault(&standin.pods()[3], unseen);
    let place = Place::new(&standin);
    let limits = Limits {
        first_pause: Duration::from_secs(3600),
        longest_pause: Duration::from_secs(3600),
        ..Limits::default()
    };
    let (log, _logging) = Log::of_this_thread();
    let (signals, receiver) = mpsc::channel(1);
    let told = async {
        log.until("a component does not know yet").await;
        standin.clear_faults();
        signals.send(ExitCode::Terminated).await.expect("it runs");
    };
    let run = run_with(place.variables(), receiver, limits, configured);
    let (code, ()) = tokio::join!(run, told);
    assert_eq!(code, ExitCode::Terminated);
    assert_eq!(standin.starts(), 1);
    assert!(standin.profiling().is_empty());
}

#[tokio::test]
async fn one_pod_of_twenty_that_cannot_be_started_is_no_reason_to_go_without_the_others() {
    let options = Options {
        pods: 20,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let pods = standin.pods();
    standin.pod_fault(&pods[9], Fault::StartFails(Times::Always));
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    assert_eq!(standin.starts(), 3);
    assert!(standin.profiling().is_empty());
    let shipped = place.shipped();
    for pod in &shipped.manifest.pods {
        let failed = pod.pod.name == pods[9];
        assert_eq!(pod.state == State::Missing, failed, "{}", pod.pod.name);
        let why = pod.why.as_deref().unwrap_or_default();
        assert_eq!(why.starts_with("start failed"), failed, "{why}");
    }
}

#[tokio::test]
async fn a_start_that_fails_at_every_pod_is_worth_a_retry_and_leaves_no_manifest() {
    let standin = standin().await;
    for pod in standin.pods() {
        standin.pod_fault(&pod, Fault::StartFails(Times::Always));
    }
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    assert!(!ended.log.contains("profiling is on"), "{}", ended.log);
    assert!(place.manifest().is_none());
    assert!(!place.archive().exists());
    assert!(standin.profiling().is_empty());
}

#[tokio::test]
async fn a_start_that_fails_for_another_reason_is_stopped_and_worth_a_retry() {
    let standin = standin().await;
    let text = RouteAnswer::Text(500, "no component pods".to_owned());
    standin.route_fault(RouteFault::new(
        "/start-cluster-profiler",
        text,
        Times::Always,
    ));
    let place = Place::new(&standin).with("PROFILER_START_TRIES", 2);
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    assert!(ended.log.contains("no component pods"), "{}", ended.log);
    assert_eq!(standin.arrived("start-cluster-profiler"), 2);
    assert!(standin.arrived("stop-cluster-profiler") >= 2);
    assert!(place.manifest().is_none());
}

#[tokio::test]
async fn a_start_that_fails_at_first_is_tried_again() {
    for fault in [
        Fault::StartFails(Times::First(1)),
        Fault::GateUnseen(Times::First(1)),
    ] {
        let standin = standin().await;
        standin.pod_fault(&standin.pods()[3], fault);
        let place = Place::new(&standin);
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert_eq!(standin.starts(), 2);
    }
}

#[tokio::test]
async fn a_start_that_is_not_allowed_is_not_tried_again() {
    let standin = standin().await;
    let forbidden = RouteAnswer::Status(403);
    standin.route_fault(RouteFault::new(
        "/start-cluster-profiler",
        forbidden,
        Times::Always,
    ));
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 3, "{}", ended.log);
    assert_eq!(standin.arrived("start-cluster-profiler"), 1);
    assert!(standin.arrived("stop-cluster-profiler") >= 1);
}

#[tokio::test]
async fn a_pod_that_came_ready_between_two_starts_is_stopped_as_well() {
    let standin = standin().await;
    let pods = standin.pods();
    let late = pods
        .iter()
        .find(|pod| pod.starts_with("virt-handler-"))
        .expect("a handler");
    standin.set_ready(late, false);
    standin.pod_fault(&pods[0], Fault::StartFails(Times::First(1)));
    let place = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_STOP_WAIT", "1s");
    let child = place.spawn();
    standin.wait_until(|state| state.starts() == 1).await;
    standin.set_ready(late, true);
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    standin.set_ready(late, false);
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.unstopped, [late.as_str()]);
    assert!(manifest.reason.contains("PROFILING"), "{}", manifest.reason);
}
