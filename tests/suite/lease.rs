//! The Lease while a run holds it: renewals that are not answered, outages longer than its life, and a rival.

use std::net::SocketAddr;
use std::time::Duration;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use rustix::net::{getpeername, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, RawPid, pidfd_getfd, pidfd_open};
use serde_json::json;
use standin::{RouteAnswer, RouteFault, Seen, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::{Log, Place, standin};
use crate::lock::{LEASE, record};
use crate::patience::window_is_open;

const STOP: &str = "stop-cluster-profiler";

/// What is logged once the Lease is older than its life.
const TOO_OLD: &str = "until it is, nothing is changed in the cluster";

/// Limits with a Lease that lives for so long, of which a try may take an eighth.
fn limits(life: Duration) -> Limits {
    Limits {
        lease: life,
        lease_renewal: Duration::from_millis(50),
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(50),
        ..Limits::default()
    }
}

/// A run in this process, while something else is done once its window is open.
async fn run(place: &Place, life: Duration, beside: impl AsyncFnOnce()) -> ExitCode {
    let (_signals, receiver) = mpsc::channel(1);
    let run = run_with(place.variables(), receiver, limits(life), configured);
    let beside = async {
        window_is_open(place).await;
        beside().await;
    };
    tokio::join!(run, beside).0
}

fn lease_fault(answer: RouteAnswer, times: Times) -> RouteFault {
    RouteFault::new(format!("/{LEASE}"), answer, times)
}

/// Waits for so many more requests about the Lease.
async fn more(standin: &Standin, requests: usize) {
    let seen = standin.arrived(LEASE);
    standin
        .wait_until(|state| state.arrived(LEASE) >= seen + requests)
        .await;
}

async fn stop(place: &Place) {
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
}

fn take(standin: &Standin) {
    let mut lease = standin.lease(LEASE).expect("a Lease");
    lease["spec"]["holderIdentity"] = json!("other/2");
    standin.set_lease(LEASE, lease);
}

#[tokio::test]
async fn renewals_that_are_not_answered_lose_no_lease() {
    let faults = [
        (RouteAnswer::Hang, 1),
        (RouteAnswer::Hang, 3),
        (RouteAnswer::Hangup, 3),
        (RouteAnswer::Unheard, 3),
        (RouteAnswer::Status(503), 20),
    ];
    for (answer, times) in faults {
        let standin = standin().await;
        let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
        let (log, _logging) = Log::of_this_thread();
        let code = run(&place, Duration::from_secs(6), async || {
            let fault = lease_fault(answer.clone(), Times::First(times));
            standin.route_fault(fault);
            more(&standin, times + 3).await;
            stop(&place).await;
        });
        assert_eq!(code.await, ExitCode::Complete, "{answer:?} {times}");
        assert!(!log.has(TOO_OLD), "{answer:?} {times}");
        assert!(standin.profiling().is_empty());
    }
}

/// Whether it is a write of the Lease whose journal tells of the window's end.
fn tells_of_the_end(request: &Seen) -> bool {
    request.method == "PUT" && request.path.ends_with(LEASE) && request.body.contains("stop_file")
}

#[tokio::test]
async fn a_journal_that_hangs_keeps_no_renewal_waiting() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let code = run(&place, Duration::from_secs(12), async || {
        let hang = lease_fault(RouteAnswer::Hang, Times::First(1));
        standin.route_fault(hang.of_body("stop_file"));
        stop(&place).await;
    });
    assert_eq!(code.await, ExitCode::Complete);
    let requests = standin.requests();
    let mut since = requests
        .iter()
        .skip_while(|request| !tells_of_the_end(request));
    assert_eq!(since.next().expect("a journal").status, None);
    let beside = since.take_while(|request| !tells_of_the_end(request));
    let renewals =
        beside.filter(|request| request.path.ends_with(LEASE) && request.status == Some(200));
    assert!(renewals.count() > 1);
    // The journal was written in the end.
    assert!(
        requests
            .iter()
            .any(|request| tells_of_the_end(request) && request.status == Some(200))
    );
}

#[tokio::test]
async fn a_lease_that_nobody_took_is_renewed_after_its_life_and_nothing_is_written_before() {
    for answer in [RouteAnswer::Hang, RouteAnswer::Status(503)] {
        let standin = standin().await;
        let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
        let (log, _logging) = Log::of_this_thread();
        let code = run(&place, Duration::from_secs(2), async || {
            standin.route_fault(lease_fault(answer.clone(), Times::Always));
            log.until(TOO_OLD).await;
            stop(&place).await;
            log.until("the journal of this run").await;
            more(&standin, 5).await;
            assert_eq!(standin.arrived(STOP), 0, "{answer:?}");
            standin.clear_faults();
        });
        assert_eq!(code.await, ExitCode::Complete, "{answer:?}");
        log.until("renewed again").await;
        assert!(standin.profiling().is_empty());
    }
}

#[tokio::test]
async fn a_run_that_lost_its_lease_removes_its_ready_file_and_sends_no_stop() {
    for outage in [
        None,
        Some(RouteAnswer::Hang),
        Some(RouteAnswer::Status(503)),
    ] {
        let standin = standin().await;
        let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
        let (log, _logging) = Log::of_this_thread();
        let code = run(&place, Duration::from_secs(2), async || {
            if let Some(answer) = outage.clone() {
                standin.route_fault(lease_fault(answer, Times::Always));
                log.until(TOO_OLD).await;
            }
            take(&standin);
            standin.clear_faults();
        });
        assert_eq!(code.await, ExitCode::Retry, "{outage:?}");
        assert!(!place.signal("ready").exists(), "{outage:?}");
        assert_eq!(standin.arrived(STOP), 0, "{outage:?}");
        assert_eq!(standin.profiling().len(), 8, "they are the other's");
        let lease = standin.lease(LEASE).expect("a Lease");
        assert_eq!(lease["spec"]["holderIdentity"], "other/2");
    }
}

#[tokio::test]
async fn a_lease_is_given_up_however_often_that_fails_in_its_life() {
    for answer in [RouteAnswer::Status(503), RouteAnswer::Hangup] {
        let standin = standin().await;
        let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
        let code = run(&place, Duration::from_secs(60), async || {
            // A Lease that is given up has no journal.
            let fault = lease_fault(answer.clone(), Times::First(30));
            standin.route_fault(fault.of_body("\"annotations\":{}"));
            stop(&place).await;
        });
        assert_eq!(code.await, ExitCode::Complete, "{answer:?}");
        let lease = standin.lease(LEASE).expect("a Lease");
        assert_eq!(lease["spec"].get("holderIdentity"), None, "{answer:?}");
        assert_eq!(record(&standin), None, "{answer:?}");
    }
}

#[tokio::test]
async fn a_lease_that_was_taken_by_a_try_without_an_answer_is_this_runs() {
    for answer in [RouteAnswer::Unheard, RouteAnswer::Hang] {
        let standin = standin().await;
        let first = RouteFault::new("/leases", answer.clone(), Times::First(1));
        standin.route_fault(first);
        let place = Place::new(&standin).with("PROFILER_LOCK_WAIT", "0s");
        let (_signals, receiver) = mpsc::channel(1);
        let limits = limits(Duration::from_secs(8));
        let run = run_with(place.variables(), receiver, limits, configured);
        assert_eq!(run.await, ExitCode::Complete, "{answer:?}");
    }
}

#[tokio::test]
async fn the_sockets_notice_an_api_server_that_is_gone_without_a_word() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    let server = standin.url().trim_start_matches("https://");
    let server: SocketAddr = server.parse().expect("an address");
    let id = child.id().expect("it runs");
    let pid = Pid::from_raw(id as RawPid).expect("a process");
    let process = pidfd_open(pid, PidfdFlags::empty()).expect("a process");
    let mut seen = 0;
    for entry in std::fs::read_dir(format!("/proc/{id}/fd")).expect("its files") {
        let name = entry.expect("a file").file_name();
        let number = name.to_string_lossy().parse().expect("a number");
        let Ok(file) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else {
            continue;
        };
        let peer = getpeername(&file).ok().flatten();
        if peer.and_then(|peer| SocketAddr::try_from(peer).ok()) != Some(server) {
            continue;
        }
        seen += 1;
        assert!(sockopt::socket_keepalive(&file).expect("an option"));
        let idle = sockopt::tcp_keepidle(&file).expect("an option");
        assert!(idle < Duration::from_secs(60), "{idle:?}");
        let unacknowledged = sockopt::tcp_user_timeout(&file).expect("an option");
        assert!((1..60_000).contains(&unacknowledged), "{unacknowledged}");
    }
    assert!(seen > 0, "no socket leads to the API server");
    stop(&place).await;
    assert_eq!(place.ended(child).await.code, 0);
}
