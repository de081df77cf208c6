//! An API server that is away, or says no for a while, where something would be left or lost.

use std::time::Duration;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::State;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use rustix::process::Signal;
use standin::{Options, RouteAnswer, RouteFault, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::{Ended, Place, send, standin, until};
use crate::lock::{long_and_restoring, off, record};

/// More tries than one call has.
const MANY: usize = 20;

/// Limits with short pauses, so that many tries take no time.
pub(crate) fn limits() -> Limits {
    Limits {
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// A run in this process, with the way to tell it to stop.
pub(crate) async fn run(place: &Place, told: impl AsyncFnOnce(mpsc::Sender<ExitCode>)) -> ExitCode {
    let (signals, receiver) = mpsc::channel(1);
    let run = run_with(place.variables(), receiver, limits(), configured);
    tokio::join!(run, told(signals)).0
}

/// What passes: of a server that restarts, is overloaded, or whose webhook is not there.
fn passing() -> Vec<RouteAnswer> {
    let statuses = [401, 429, 500, 503, 504].map(RouteAnswer::Status);
    statuses.into_iter().chain([RouteAnswer::Hangup]).collect()
}

pub(crate) async fn window_is_open(place: &Place) {
    place.until_ready().await;
}

/// A run that is told to stop once its window is open.
pub(crate) async fn told_in_its_window(place: &Place) -> Ended {
    let child = place.spawn();
    window_is_open(place).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    ended
}

pub(crate) fn gate(standin: &Standin) -> bool {
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

/// The Lease is looked at and taken, the next attempt's and anybody else's, before anything can be stopped.
#[tokio::test]
async fn what_a_dead_run_left_profiling_is_stopped_however_often_the_lease_cannot_be_had() {
    for answer in [RouteAnswer::Status(503), RouteAnswer::Hangup] {
        // Only what takes it has a body.
        for of_body in ["", "holderIdentity"] {
            let standin = off().await;
            let before = standin.configuration();
            let dead = long_and_restoring(&standin);
            crate::lock::killed(&standin, &dead).await;
            let path = format!("/leases/{}", crate::lock::LEASE);
            let fault = RouteFault::new(path, answer.clone(), Times::First(MANY));
            standin.route_fault(fault.of_body(of_body));
            let code = run(&dead, async |_signals| {}).await;
            assert_eq!(code, ExitCode::Complete, "{answer:?} {of_body}");
            assert!(standin.profiling().is_empty());
            assert_eq!(standin.configuration(), before);
            assert_eq!((standin.starts(), record(&standin)), (1, None));
        }
    }
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
        until("a manifest", || place.manifest().is_some()).await;
        let first = place.manifest().expect("it came");
        assert!(first.gate.after && gate(&standin));
        assert!(first.reason.contains("STILL TURNED ON"), "{}", first.reason);
        standin.clear_faults();
    });
    assert_eq!(code.await, ExitCode::Terminated);
    assert_eq!(standin.configuration(), before);
    let manifest = place.shipped().manifest;
    assert!(!manifest.gate.after && !manifest.reason.contains("STILL"));
}

/// Once start was sent, to believe a refusal wins nothing: pods would profile, or the gate stay open.
#[tokio::test]
async fn what_is_to_be_undone_is_tried_however_often_it_is_refused_at_first() {
    for at in ["/kubevirts/kubevirt", "/stop-cluster-profiler"] {
        for status in [403, 404] {
            let standin = off().await;
            let before = standin.configuration();
            let place = long_and_restoring(&standin);
            let code = run(&place, async |_signals| {
                window_is_open(&place).await;
                let answer = RouteAnswer::Status(status);
                standin.route_fault(RouteFault::new(at, answer, Times::First(MANY)));
                assert_eq!(place.run_with(&["stop"]).await.code, 0);
            });
            assert_eq!(code.await, ExitCode::Complete, "{status} at {at}");
            assert_eq!(standin.configuration(), before, "{status} at {at}");
            assert!(standin.profiling().is_empty(), "{status} at {at}");
            assert_eq!(record(&standin), None, "{status} at {at}");
        }
    }
}

/// By preflight, and when the Lease is looked at: at the fourth. What passes in between does not count.
#[tokio::test]
async fn a_refusal_is_believed_at_the_same_number_everywhere() {
    let lease = format!("/leases/{}", crate::lock::LEASE);
    for (refusals, expected) in [(3, ExitCode::Complete), (4, ExitCode::NotAllowed)] {
        for at in ["/kubevirts", &lease] {
            let standin = off().await;
            let before = standin.configuration();
            let place = long_and_restoring(&standin)
                .with("PROFILER_NAMESPACE", "kubevirt")
                .with("PROFILER_PREFLIGHT_RETRY", "10m");
            for (status, times) in [(503, MANY), (403, refusals)] {
                let answer = RouteAnswer::Status(status);
                standin.route_fault(RouteFault::new(at, answer, Times::First(times)));
            }
            let code = run(&place, async |signals| {
                until("a start, or the run's end", || {
                    standin.starts() > 0 || signals.is_closed()
                })
                .await;
                if signals.is_closed() {
                    return;
                }
                window_is_open(&place).await;
                assert_eq!(place.run_with(&["stop"]).await.code, 0);
            });
            assert_eq!(code.await, expected, "{refusals} at {at}");
            assert_eq!(standin.configuration(), before, "{at}");
        }
    }
}

/// A run that dumps one pod after the other, and the stand-in it dumps from.
async fn slow(gate: bool) -> (Standin, Place) {
    let options = Options {
        gate,
        pod_latency: Duration::from_millis(100),
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = long_and_restoring(&standin).with("PROFILER_CONCURRENCY", 1);
    (standin, place)
}

/// Ends the window, and waits until so many pages were asked for.
async fn dumped(standin: &Standin, place: &Place, pages: usize) {
    window_is_open(place).await;
    let before = standin.arrived("dump-cluster-profiler");
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let arrived = |state: &standin::State| state.arrived("dump-cluster-profiler");
    standin
        .wait_until(|state| arrived(state) >= before + pages)
        .await;
}

#[tokio::test]
async fn whatever_passes_in_mid_dump_costs_nothing() {
    for path in ["/pods", "/dump-cluster-profiler", "/cluster-profiler-job"] {
        for answer in passing() {
            let (standin, place) = slow(true).await;
            let code = run(&place, async |_signals| {
                dumped(&standin, &place, 3).await;
                let times = Times::First(MANY);
                standin.route_fault(RouteFault::new(path, answer.clone(), times));
            });
            assert_eq!(code.await, ExitCode::Complete, "{path} {answer:?}");
            assert_eq!(place.shipped().manifest.pods.len(), 8);
            assert_eq!(record(&standin), None, "{path} {answer:?}");
        }
    }
}

/// What is noted once start was sent, and what an attempt left.
#[tokio::test]
async fn a_journal_that_cannot_be_written_for_a_while_costs_no_window() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let code = run(&place, async |_signals| {
        // Taken, noted before start, and noted after it.
        standin.wait_until(|state| state.starts() == 1).await;
        let answer = RouteAnswer::Status(503);
        standin.route_fault(RouteFault::new(
            "/cluster-profiler-job",
            answer,
            Times::First(MANY),
        ));
        window_is_open(&place).await;
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
    });
    assert_eq!(code.await, ExitCode::Complete);
    assert_eq!((standin.starts(), record(&standin)), (1, None));
}

#[tokio::test]
async fn what_an_attempt_left_is_taken_up_from_an_api_server_that_is_away_at_first() {
    let standin = off().await;
    let before = standin.configuration();
    let place = long_and_restoring(&standin);
    crate::lock::killed(&standin, &place).await;
    let code = run(&place, async |_signals| {
        let seen = standin.arrived("cluster-profiler-job");
        standin
            .wait_until(|state| state.arrived("cluster-profiler-job") > seen)
            .await;
        for path in ["/pods", "/dump-cluster-profiler", "/stop-cluster-profiler"] {
            let answer = RouteAnswer::Status(503);
            standin.route_fault(RouteFault::new(path, answer, Times::First(MANY)));
        }
    });
    assert_eq!(code.await, ExitCode::Complete);
    assert_eq!(standin.starts(), 1);
    assert_eq!(standin.configuration(), before);
}

/// A token that is replaced late is refused by whatever is asked first.
#[tokio::test]
async fn a_401_of_any_request_costs_nothing() {
    for path in [
        "/start-cluster-profiler",
        "/stop-cluster-profiler",
        "/dump-cluster-profiler",
        "/pods",
        "/cluster-profiler-job",
        "/kubevirts/kubevirt",
    ] {
        let standin = off().await;
        let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
        let code = run(&place, async |_signals| {
            standin
                .wait_until(|state| state.arrived("cluster-profiler-job") >= 1)
                .await;
            let answer = RouteAnswer::Status(401);
            standin.route_fault(RouteFault::new(path, answer, Times::First(1)));
        });
        assert_eq!(code.await, ExitCode::Complete, "{path}");
        assert!(standin.profiling().is_empty() && !gate(&standin), "{path}");
    }
}

#[tokio::test]
async fn a_profiler_that_a_rival_turns_off_in_mid_dump_is_turned_on_again() {
    let (standin, place) = slow(false).await;
    let before = standin.configuration();
    let code = run(&place, async |_signals| {
        dumped(&standin, &place, 3).await;
        standin.edit_configuration(|now| *now = before.clone());
    });
    assert_eq!(code.await, ExitCode::Complete);
    let manifest = place.shipped().manifest;
    assert!(manifest.uncounted.is_empty(), "{:?}", manifest.uncounted);
    assert_eq!(standin.configuration(), before);
    assert_eq!((standin.starts(), record(&standin)), (1, None));
}

#[tokio::test]
async fn what_was_dumped_of_a_profiler_that_stays_off_or_a_right_that_is_gone_is_shipped() {
    let denied = RouteFault::new(
        "/dump-cluster-profiler",
        RouteAnswer::Status(403),
        Times::Always,
    );
    for fault in [None, Some(denied)] {
        let (standin, place) = slow(true).await;
        let place = place.with("PROFILER_FEATURE_GATE", "require");
        let code = run(&place, async |_signals| {
            dumped(&standin, &place, 3).await;
            match &fault {
                Some(fault) => standin.route_fault(fault.clone()),
                None => standin.set_gate(false),
            }
        });
        assert_eq!(code.await, ExitCode::Incomplete, "{fault:?}");
        let manifest = place.shipped().manifest;
        let mut pods = manifest.pods.iter();
        assert!(pods.any(|pod| pod.state == State::Complete), "{fault:?}");
        let why = if fault.is_some() { "403" } else { "turned off" };
        assert!(manifest.reason.contains(why), "{}", manifest.reason);
        assert_eq!(record(&standin), None);
    }
}

#[tokio::test]
async fn where_nothing_was_dumped_the_pods_keep_it_for_another_attempt() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let code = run(&place, async |_signals| {
        window_is_open(&place).await;
        let answer = RouteAnswer::Status(403);
        standin.route_fault(RouteFault::new(
            "/dump-cluster-profiler",
            answer,
            Times::Always,
        ));
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
    });
    assert_eq!(code.await, ExitCode::NotAllowed);
    assert!(place.manifest().is_none() && place.leftovers().is_empty());
    standin.clear_faults();
    assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Complete);
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn an_api_server_that_stays_away_in_mid_dump_ends_the_run_for_a_retry() {
    let (standin, place) = slow(true).await;
    let (_signals, receiver) = mpsc::channel(1);
    let limits = Limits {
        outage: Duration::from_millis(100),
        ..limits()
    };
    let lost = async {
        dumped(&standin, &place, 3).await;
        let answer = RouteAnswer::Status(503);
        standin.route_fault(RouteFault::new("/pods", answer, Times::Always));
    };
    let run_once = run_with(place.variables(), receiver, limits, configured);
    let (code, ()) = tokio::join!(run_once, lost);
    assert_eq!(code, ExitCode::Retry);
    assert!(standin.profiling().is_empty());
    assert!(!place.archive().exists() && place.leftovers().is_empty());
    standin.clear_faults();
    assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Complete);
    assert_eq!(standin.starts(), 1);
}

/// How the pods are does not matter to a stop. Their window ends with it, whenever the next attempt comes.
#[tokio::test]
async fn pods_that_cannot_be_listed_are_stopped_and_the_end_of_their_window_is_noted() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    crate::lock::killed(&standin, &place).await;
    let away = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new("/pods", away, Times::Always));
    let (_signals, receiver) = mpsc::channel(1);
    let limits = Limits {
        outage: Duration::from_millis(100),
        ..limits()
    };
    let code = run_with(place.variables(), receiver, limits, configured).await;
    assert_eq!(code, ExitCode::Retry);
    assert!(standin.profiling().is_empty());
    let ended = record(&standin).expect("a record")["stopped"].clone();
    assert!(ended.is_string(), "{ended}");
    standin.clear_faults();
    assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Complete);
    let stopped = place.shipped().manifest.window.stop;
    assert_eq!(ended, stopped.to_string());
    assert_eq!((standin.starts(), record(&standin)), (1, None));
}

/// The dump works meanwhile, and would bring no cpu profile.
#[tokio::test]
async fn the_stop_of_a_run_that_is_told_to_goes_before_its_dump() {
    for answer in passing() {
        if answer == RouteAnswer::Status(500) {
            // virt-api's own, which is text, is about a pod.
            continue;
        }
        let standin = standin().await;
        let place = Place::new(&standin)
            .with("PROFILER_SETTLE", "1h")
            .with("PROFILER_GRACE", "10m");
        let code = run(&place, async |signals| {
            window_is_open(&place).await;
            let times = Times::First(MANY);
            standin.route_fault(RouteFault::new(
                "/stop-cluster-profiler",
                answer.clone(),
                times,
            ));
            signals.send(ExitCode::Terminated).await.expect("it runs");
        });
        assert_eq!(code.await, ExitCode::Terminated, "{answer:?}");
        let manifest = place.shipped().manifest;
        let complete = |pod: &&cluster_profiler_job::manifest::Pod| pod.state == State::Complete;
        assert_eq!(
            manifest.pods.iter().filter(complete).count(),
            8,
            "{answer:?}"
        );
        assert!(standin.profiling().is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn told_while_the_api_server_is_away_in_mid_dump_it_says_so() {
    let (standin, place) = slow(true).await;
    let place = place.with("PROFILER_GRACE", "16s");
    let code = run(&place, async |signals| {
        dumped(&standin, &place, 3).await;
        for path in ["/pods", "/dump-cluster-profiler", "/cluster-profiler-job"] {
            let answer = RouteAnswer::Status(503);
            standin.route_fault(RouteFault::new(path, answer, Times::Always));
        }
        signals.send(ExitCode::Terminated).await.expect("it runs");
    });
    assert_eq!(code.await, ExitCode::Terminated);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.exit_code, 143);
    assert!(standin.profiling().is_empty());
}
