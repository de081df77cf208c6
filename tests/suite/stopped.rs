//! Once start was sent, stop is sent, whatever happens next.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use standin::{Fault, Options, RouteAnswer, RouteFault, Standin, Times};
use tokio::process::Child;

use crate::harness::Place;

async fn standin() -> Standin {
    Standin::start(Options::default())
        .await
        .expect("a stand-in")
}

fn send(child: &Child, signal: Signal) {
    let pid = child
        .id()
        .and_then(|pid| Pid::from_raw(pid as i32))
        .expect("a running process");
    kill_process(pid, signal).expect("the signal is sent");
}

#[tokio::test]
async fn a_start_that_fails_at_one_pod_is_stopped_at_the_others() {
    let standin = standin().await;
    standin.pod_fault(&standin.pods()[0], Fault::StartFails(Times::Always));
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    assert!(standin.starts() > 0);
    assert!(standin.profiling().is_empty());
    assert!(place.manifest().is_none());
}

#[tokio::test]
async fn a_stop_that_fails_is_sent_until_it_is_answered() {
    let standin = standin().await;
    // More often than the work itself tries: the supervisor's undo goes on.
    standin.pod_fault(&standin.pods()[0], Fault::StopFails(Times::First(6)));
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    assert!(standin.profiling().is_empty());
}

#[tokio::test]
async fn a_signal_in_the_window_stops_profiling() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let standin = standin().await;
        let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
        let child = place.spawn();
        standin
            .wait_until(|state| state.profiling().len() == 8)
            .await;
        send(&child, signal);
        let ended = place.ended(child).await;
        assert_eq!(ended.code, code, "{}", ended.log);
        assert!(standin.profiling().is_empty());
        assert_eq!(ended.termination["exit_code"], code);
    }
}

#[tokio::test]
async fn a_signal_in_the_dump_leaves_no_archive_under_its_final_name() {
    let options = Options {
        pod_latency: Duration::from_secs(4),
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin);
    let child = place.spawn();
    standin
        .wait_until(|state| state.arrived("dump-cluster-profiler") >= 2)
        .await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert!(!place.archive().exists());
    assert!(place.manifest().is_none());
}

#[tokio::test]
async fn an_api_server_lost_in_mid_dump_ends_the_run_for_a_retry() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1s");
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    standin.route_fault(RouteFault::new(
        "/pods",
        RouteAnswer::Status(503),
        Times::Always,
    ));
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    assert!(standin.profiling().is_empty());
    assert!(!place.archive().exists());
    assert!(place.leftovers().is_empty(), "{:?}", place.leftovers());
}
