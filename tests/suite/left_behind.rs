//! Pods that a dead run left profiling and that no stop can reach: every later run has them stopped beside
//! its own, or names them.

use cluster_profiler_job::cluster::lease::{Journal, StartedPod};
use cluster_profiler_job::outcome::ExitCode;
use rustix::process::Signal;
use standin::{RouteAnswer, RouteFault, Standin, Times};

use crate::confirmed_stop::answered;
use crate::harness::{Ended, Place, send, until};
use crate::lock::{LEASE, killed, long_and_restoring, off, record, run};
use crate::patience::window_is_open;

/// Another run, which waits for no pod that is not Ready.
fn another(standin: &Standin, run_id: &str) -> Place {
    Place::new(standin)
        .with("PROFILER_RUN_ID", run_id)
        .with("PROFILER_FEATURE_GATE", "enable-and-restore")
        .with("PROFILER_STOP_WAIT", "0s")
}

/// A stand-in whose profiler a dead run turned on, and the pod that profiles and is not Ready.
pub(crate) async fn left() -> (Standin, String) {
    let standin = off().await;
    killed(&standin, &long_and_restoring(&standin)).await;
    let pod = standin.pods()[0].clone();
    standin.set_ready(&pod, false);
    (standin, pod)
}

fn gate(standin: &Standin) -> bool {
    standin.configuration()["developerConfiguration"]["clusterProfiler"] == true
}

/// What must hold as long as the pod profiles.
fn is_not_forgotten(standin: &Standin, pod: &str, ended: &Ended) {
    assert!(standin.profiling().contains(pod));
    assert!(gate(standin), "nobody could stop it then: {}", ended.log);
    assert!(record(standin).is_some(), "{}", ended.log);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(pod), "{reason}");
}

#[tokio::test]
async fn a_run_that_is_complete_otherwise_names_the_pod_and_leaves_the_gate() {
    let (standin, pod) = left().await;
    let place = another(&standin, "second");
    let ended = place.run().await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    is_not_forgotten(&standin, &pod, &ended);
    assert!(
        ended.log.contains("all 7 pods are complete"),
        "{}",
        ended.log
    );

    // However many runs come.
    let ended = another(&standin, "third").run().await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    is_not_forgotten(&standin, &pod, &ended);

    standin.set_ready(&pod, true);
    let ended = another(&standin, "fourth").run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(standin.profiling().is_empty() && !gate(&standin));
    assert_eq!(record(&standin), None);
}

/// The run's own pods have all seen the first stop, which did not reach this one: it is waited for all the same.
#[tokio::test]
async fn a_pod_that_comes_back_after_the_next_runs_stop_is_stopped_by_another() {
    let (standin, pod) = left().await;
    // Before its window the run waits so long for the pod, too.
    let place = another(&standin, "second")
        .with("PROFILER_STOP_WAIT", "3s")
        .with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    let before = answered(&standin.requests(), "/stop-cluster-profiler");
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    standin
        .wait_until(|state| answered(state.requests(), "/stop-cluster-profiler") > before)
        .await;
    standin.set_ready(&pod, true);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(standin.profiling().is_empty() && !gate(&standin));
    assert_eq!(record(&standin), None);
}

/// It asks how that pod is, and is not answered, when it is told to stop.
#[tokio::test]
async fn a_run_that_asks_how_it_is_ends_when_it_is_told_to() {
    let (reference, _) = left().await;
    let before = reference.requests().len();
    assert_eq!(another(&reference, "second").run().await.code, 5);
    let requests = reference.requests().split_off(before);
    let started = requests.iter();
    let started = started.take_while(|seen| !seen.path.ends_with("/start-cluster-profiler"));
    let lists = started.filter(|seen| seen.path.ends_with("/pods")).count();

    let (standin, pod) = left().await;
    let hangs = RouteFault::new("/pods", RouteAnswer::Hang, Times::Only(lists));
    standin.route_fault(hangs);
    let from = standin.arrived("pods");
    let place = another(&standin, "second").with("PROFILER_GRACE", "6s");
    let child = place.spawn();
    standin
        .wait_until(|state| state.arrived("pods") == from + lists)
        .await;
    let away = RouteFault::new("/pods", RouteAnswer::Status(503), Times::Always);
    standin.route_fault(away);
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert_eq!(standin.starts(), 1);
    assert!(standin.profiling().contains(&pod) && gate(&standin));
    assert!(record(&standin).is_some(), "{}", ended.log);
}

/// Another run is told to stop while it puts back what a dead one turned on.
#[tokio::test]
async fn a_gate_that_cannot_be_put_back_by_then_is_named() {
    let standin = off().await;
    killed(&standin, &long_and_restoring(&standin)).await;
    let away = RouteAnswer::Status(503);
    let write = RouteFault::new("/kubevirts/kubevirt", away, Times::Always).of_body("{");
    standin.route_fault(write);
    let place = another(&standin, "second").with("PROFILER_GRACE", "6s");
    let child = place.spawn();
    let is_put_back = || record(&standin).is_some_and(|left| left["stage"] == "stopped");
    until("the stop of what a dead run left", is_put_back).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("left the profiler TURNED ON"), "{reason}");
    assert!(gate(&standin));
    standin.clear_faults();
    assert_eq!(another(&standin, "third").run().await.code, 0);
    assert!(!gate(&standin));
}

#[tokio::test]
async fn a_run_that_never_starts_anything_does_not_forget_it() {
    let (standin, pod) = left().await;
    let text = RouteAnswer::Text(500, "no component pods".to_owned());
    standin.route_fault(RouteFault::new(
        "/start-cluster-profiler",
        text,
        Times::Always,
    ));
    let place = another(&standin, "second").with("PROFILER_START_TRIES", 1);
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    is_not_forgotten(&standin, &pod, &ended);
    // There is no window of its own to go on with.
    assert_eq!(record(&standin).expect("a record")["stage"], "begun");
    standin.clear_faults();
    standin.set_ready(&pod, true);
    let undone = place.run_with(&["undo"]).await;
    assert_eq!(undone.code, 0, "{}", undone.log);
    assert!(standin.profiling().is_empty() && !gate(&standin));
    assert_eq!(record(&standin), None);
}

#[tokio::test]
async fn a_run_that_is_killed_too_hands_it_on() {
    let (standin, pod) = left().await;
    let second = another(&standin, "second").with("PROFILER_SETTLE", "1h");
    let mut child = second.spawn_short_lease();
    second.until_ready().await;
    child.kill().await.expect("it runs");
    // Its own next attempt takes its window up, and the pod is not of it.
    assert_eq!(run(&second).await, ExitCode::Incomplete);
    let json = std::fs::read(second.out().join("profile-second.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(manifest["unstopped"], serde_json::json!([pod]));
    assert_eq!(manifest["pods"].as_array().map(Vec::len), Some(7));
    assert!(gate(&standin) && record(&standin).is_some());
}

#[test]
fn it_is_read_as_it_was_written_and_others_pass_it_over() {
    let pod = StartedPod {
        name: "virt-handler-x7k2p".to_owned(),
        uid_prefix: "deadbeef".to_owned(),
        restarts: 3,
    };
    let journal = Journal {
        unstopped: vec![pod],
        ..Journal::new("a-run".to_owned())
    };
    let mut written = journal.annotations();
    assert_eq!(Journal::of(&written), Some(journal.clone()));
    assert!(journal.is_to_be_undone());
    // A version that does not know it leaves it out.
    written.remove("cluster-profiler-job/unstopped");
    assert_eq!(
        Journal::of(&written),
        Some(Journal::new("a-run".to_owned()))
    );
}

/// More requests for the Lease than two renewals of its holder and the taking of another.
const LOOKS: usize = 8;

/// Another attempt has shipped the run while this one waited for the lock, and the holder died.
#[tokio::test]
async fn a_run_that_finds_itself_shipped_names_the_pod_of_the_dead_one() {
    let standin = off().await;
    let second = another(&standin, "second").with("PROFILER_LOCK_WAIT", "10m");
    assert_eq!(second.run().await.code, 0);
    let aside = second.path("aside");
    std::fs::rename(second.out(), &aside).expect("it is moved");
    let dead = long_and_restoring(&standin);
    let mut child = dead.spawn_short_lease();
    window_is_open(&dead).await;
    let before = standin.arrived(LEASE);
    let waiting = second.spawn_short_lease();
    // It looks at the holder again and again.
    standin
        .wait_until(|state| state.arrived(LEASE) > before + LOOKS)
        .await;
    std::fs::remove_dir_all(second.out()).expect("what its probe left");
    std::fs::rename(&aside, second.out()).expect("it is moved back");
    let pod = standin.pods()[0].clone();
    standin.set_ready(&pod, false);
    child.kill().await.expect("it runs");
    let ended = second.ended(waiting).await;
    assert!(ended.log.contains("already there"), "{}", ended.log);
    assert_eq!(ended.code, 5, "{}", ended.log);
    is_not_forgotten(&standin, &pod, &ended);
}
