//! A stop counts once every pod that was started has seen it.

use cluster_profiler_job::manifest::State;
use standin::{Fault, RouteAnswer, RouteFault, Seen, Standin, Times};
use tokio::process::Child;

use crate::harness::{Place, standin};

/// A run whose window is open.
async fn open(standin: &Standin, stop_wait: &str) -> (Place, Child) {
    let place = Place::new(standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_STOP_WAIT", stop_wait);
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    (place, child)
}

/// How many requests of a path were answered.
pub(crate) fn answered(requests: &[Seen], path: &str) -> usize {
    let is_answered = |seen: &&Seen| seen.path.ends_with(path) && seen.status.is_some();
    requests.iter().filter(is_answered).count()
}

async fn end_window(place: &Place) {
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
}

#[tokio::test]
async fn a_pod_that_is_not_ready_at_the_stop_is_waited_for() {
    let standin = standin().await;
    let pod = standin.pods()[5].clone();
    let (place, child) = open(&standin, "10m").await;
    standin.set_ready(&pod, false);
    end_window(&place).await;
    standin
        .wait_until(|state| state.arrived("stop-cluster-profiler") >= 2)
        .await;
    assert_eq!(standin.profiling(), [pod.clone()].into());
    standin.set_ready(&pod, true);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(standin.profiling().is_empty());
    assert!(place.shipped().manifest.unstopped.is_empty());
}

/// virt-api answered the stop when the pod was not Ready, and every list shows it Ready.
#[tokio::test]
async fn a_pod_that_is_ready_only_once_the_stop_was_answered_is_stopped_by_another() {
    let standin = standin().await;
    let pod = standin.pods()[5].clone();
    let (place, child) = open(&standin, "10m").await;
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    standin.set_ready(&pod, false);
    let unavailable = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new("/pods", unavailable, Times::Always));
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    standin
        .wait_until(|state| answered(state.requests(), "/stop-cluster-profiler") >= 1)
        .await;
    assert_eq!(standin.profiling(), [pod.clone()].into());
    standin.set_ready(&pod, true);
    standin.clear_faults();
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(standin.profiling().is_empty(), "{}", ended.log);
}

/// It was not Ready when the pods were listed, and is not when the stop comes: start reached it all the same.
#[tokio::test]
async fn a_pod_that_became_ready_just_before_the_start_is_waited_for() {
    let standin = standin().await;
    let pod = standin.pods()[5].clone();
    standin.set_ready(&pod, false);
    let unavailable = RouteAnswer::Status(503);
    let lease = RouteFault::new("/leases/cluster-profiler-job", unavailable, Times::Always);
    standin.route_fault(lease.of_body(r#"\"stage\":\"started\""#));
    let place = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_STOP_WAIT", "10m");
    let child = place.spawn();
    let noting = |seen: &Seen| seen.method == "PUT" && seen.status == Some(503);
    standin
        .wait_until(|state| state.requests().iter().any(noting))
        .await;
    standin.set_ready(&pod, true);
    standin.clear_faults();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    standin.set_ready(&pod, false);
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    standin
        .wait_until(|state| answered(state.requests(), "/stop-cluster-profiler") >= 1)
        .await;
    standin.set_ready(&pod, true);
    let ended = place.ended(child).await;
    assert!(standin.profiling().is_empty(), "{}", ended.log);
}

#[tokio::test]
async fn a_pod_that_never_comes_back_is_named_with_what_to_do() {
    let standin = standin().await;
    let pod = standin.pods()[5].clone();
    let (place, child) = open(&standin, "1s").await;
    standin.set_ready(&pod, false);
    end_window(&place).await;
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    let shipped = place.shipped();
    assert_eq!(shipped.manifest.unstopped, [pod.as_str()]);
    assert_eq!(shipped.pod(&pod).state, State::Missing);
    let loud = ended
        .log
        .lines()
        .find(|line| line.contains("PROFILING"))
        .expect("a loud line");
    assert!(
        loud.contains(&pod) && loud.contains("kubectl get --raw"),
        "{loud}"
    );
}

#[tokio::test]
async fn a_stop_that_fails_at_one_pod_is_sent_until_it_does_not() {
    let standin = standin().await;
    standin.pod_fault(&standin.pods()[0], Fault::StopFails(Times::First(3)));
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(standin.profiling().is_empty());
}

#[tokio::test]
async fn a_stop_that_goes_on_failing_at_one_pod_costs_that_pod_alone() {
    let standin = standin().await;
    let pod = standin.pods()[0].clone();
    standin.pod_fault(&pod, Fault::StopFails(Times::Always));
    let place = Place::new(&standin).with("PROFILER_STOP_WAIT", "1s");
    let ended = place.run().await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    let shipped = place.shipped();
    let why = shipped.pod(&pod).why.as_deref().unwrap_or_default();
    assert!(why.contains("lacks cpu.pprof"), "{why}");
    assert_eq!(
        shipped.manifest.unstopped,
        [pod.as_str()],
        "the others have a whole profile"
    );
    let complete = shipped
        .manifest
        .pods
        .iter()
        .filter(|pod| pod.state == State::Complete);
    assert_eq!(complete.count(), 7);
}

#[tokio::test]
async fn a_stop_that_is_never_answered_is_worth_a_retry_and_said_loudly() {
    let standin = standin().await;
    let unavailable = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new(
        "/stop-cluster-profiler",
        unavailable,
        Times::Always,
    ));
    let place = Place::new(&standin).with("PROFILER_STOP_WAIT", "1s");
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    assert!(ended.log.contains("PROFILING"), "{}", ended.log);
    assert!(place.manifest().is_none());
}

#[tokio::test]
async fn a_gate_that_goes_in_mid_window_is_told_with_both_commands() {
    let standin = standin().await;
    let (place, child) = open(&standin, "1s").await;
    standin.set_gate(false);
    end_window(&place).await;
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 3, "{}", ended.log);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    for word in ["patch kubevirt", "kubectl get --raw", "turned off"] {
        assert!(reason.contains(word), "{reason:?} does not say {word:?}");
    }
    assert_eq!(standin.profiling().len(), 8, "nobody can have stopped them");
}

#[tokio::test]
async fn a_gate_that_comes_back_in_time_costs_nothing() {
    let standin = standin().await;
    let (place, child) = open(&standin, "10m").await;
    standin.set_gate(false);
    end_window(&place).await;
    standin
        .wait_until(|state| state.arrived("stop-cluster-profiler") >= 1)
        .await;
    standin.set_gate(true);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(standin.profiling().is_empty());
}

#[tokio::test]
async fn a_pod_that_is_gone_is_not_waited_for() {
    let standin = standin().await;
    let pod = standin.pods()[5].clone();
    let (place, child) = open(&standin, "10m").await;
    standin.remove_pod(&pod);
    end_window(&place).await;
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    assert!(place.shipped().manifest.unstopped.is_empty());
}

#[tokio::test]
async fn an_undone_start_is_stopped_for_as_long_as_it_takes() {
    let standin = standin().await;
    let text = RouteAnswer::Text(500, "no component pods".to_owned());
    standin.route_fault(RouteFault::new(
        "/start-cluster-profiler",
        text,
        Times::Always,
    ));
    let unavailable = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new(
        "/stop-cluster-profiler",
        unavailable,
        Times::First(4),
    ));
    let place = Place::new(&standin).with("PROFILER_START_TRIES", 1);
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    assert_eq!(standin.arrived("stop-cluster-profiler"), 5);
    assert!(ended.log.contains("profiling is off"), "{}", ended.log);
}
