//! What a run that was told to stop does not wait for: its archive and its manifest come first.

use std::time::Duration;

use bucket::{Answer, Fault as BucketFault};
use cluster_profiler_job::cluster::connect::connect;
use cluster_profiler_job::cluster::pods;
use cluster_profiler_job::cluster::stop_confirmation::StopConfirmation;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::State;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::proxy::Proxies;
use rustix::process::Signal;
use standin::{RouteAnswer, RouteFault, Times};

use crate::harness::{Place, RUN_ID, send, standin, until};
use crate::lock::{killed, long_and_restoring, off, record};
use crate::patience::{run, window_is_open};
use crate::s3::{assert_shipped, at, bucket, into};

/// A list of unfinished uploads that is never answered, and a fallback that never says what it has.
#[tokio::test]
async fn for_what_only_tidies_up_or_may_be_known() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = into(&bucket, &standin)
        .with("PROFILER_FALLBACK", "s3://profiles/fallback")
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "25s");
    let child = place.spawn();
    window_is_open(&place).await;
    for (method, hangs) in [
        ("GET", "?uploads"),
        ("GET", "fallback/"),
        ("HEAD", "fallback/"),
    ] {
        bucket.fault(BucketFault::always(method, hangs, Answer::Hangs));
    }
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert_shipped(&bucket);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("all 8 pods are complete"), "{reason}");
}

/// Nothing is written to the Lease any more, which no answer says.
#[tokio::test]
async fn for_what_is_noted_of_the_stop() {
    let standin = off().await;
    let place = long_and_restoring(&standin).with("PROFILER_GRACE", "25s");
    let child = place.spawn();
    window_is_open(&place).await;
    let lease = format!("/leases/{}", crate::lock::LEASE);
    standin.route_fault(RouteFault::new(lease, RouteAnswer::Hang, Times::Always));
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert!(standin.profiling().is_empty());
    let pods = place.shipped().manifest.pods;
    assert!(pods.iter().all(|pod| pod.state == State::Complete));
}

/// The Lease tells which pods an attempt left; the API server does not tell how they are.
#[tokio::test]
async fn for_the_pods_that_a_dead_attempt_left() {
    let standin = off().await;
    let place = long_and_restoring(&standin).with("PROFILER_GRACE", "3s");
    killed(&standin, &place).await;
    let code = run(&place, async |signals| {
        let lists = standin.arrived("pods");
        standin.route_fault(RouteFault::new(
            "/pods",
            RouteAnswer::Status(503),
            Times::Always,
        ));
        let listed = |state: &standin::State| state.arrived("pods") > lists + 3;
        standin.wait_until(listed).await;
        signals.send(ExitCode::Terminated).await.expect("it runs");
    });
    assert_eq!(code.await, ExitCode::Terminated);
    // How the pods are does not matter to a stop, and there may be no other attempt.
    assert!(standin.profiling().is_empty());
    let left = record(&standin).expect("a record");
    assert_eq!(
        (&left["run_id"], &left["stage"]),
        (&RUN_ID.into(), &"started".into())
    );
    standin.clear_faults();
    assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Complete);
    let manifest = place.shipped().manifest;
    assert!(manifest.pods.iter().all(|pod| pod.state == State::Complete));
    assert_eq!((standin.starts(), record(&standin)), (1, None));
}

/// A bucket that takes nothing takes no time of the gate: neither where the archive is sent, nor where its manifest is.
#[tokio::test]
async fn for_a_destination_longer_than_the_gate_needs() {
    for ending in ["tar.gz", ".json"] {
        let (standin, bucket) = (off().await, bucket().await);
        let before = standin.configuration();
        bucket.fault(BucketFault::always("PUT", ending, Answer::Hangs));
        let place = at(&bucket, long_and_restoring(&standin)).with("PROFILER_GRACE", "12s");
        let child = place.spawn();
        window_is_open(&place).await;
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
        let is_sent = |seen: &bucket::Seen| {
            seen.method == "PUT"
                && seen
                    .target
                    .contains(&format!("test-run.{}", ending.trim_start_matches('.')))
        };
        until("what is sent", || bucket.seen().iter().any(is_sent)).await;
        send(&child, Signal::TERM);
        let ended = place.ended(child).await;
        assert_eq!(ended.code, 143, "{ending}: {}", ended.log);
        assert_eq!(standin.configuration(), before, "{ending}: {}", ended.log);
        assert_eq!(bucket.uploads(), 0, "{ending}");
    }
}

/// By a clock that goes on by itself where nothing is done: an API server that never answers takes a stop no longer
/// than the time that was given, and one call more.
#[tokio::test]
async fn for_a_stop_longer_than_its_time() {
    let standin = standin().await;
    let place = Place::new(&standin);
    let limits = Limits::default();
    let (kubeconfig, proxies) = ([place.path("kubeconfig")], Proxies::default());
    let connection = connect(&kubeconfig, &proxies, limits.clone());
    let connection = connection.await.expect("a connection");
    let started = pods::list(&connection, "kubevirt").await.expect("pods");
    let started = started.into_iter().map(|pod| pod.pod).collect();
    // One that was not reached yet is listed before and after each stop.
    standin.set_ready(&standin.pods()[0], false);
    let mut confirmation = StopConfirmation::new(connection, "kubevirt".to_owned(), started);
    confirmation.attempt().await;
    assert!(confirmation.has_reached_pods() && !confirmation.is_confirmed());
    for path in ["/pods", "/stop-cluster-profiler"] {
        standin.route_fault(RouteFault::new(path, RouteAnswer::Hang, Times::Always));
    }
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    let wait = Duration::from_secs(10);
    confirmation.until(begin + wait).await;
    assert!(begin.elapsed() >= wait);
    assert!(begin.elapsed() <= wait + limits.call + Duration::from_secs(1));
}

/// The next try has another socket: each call of the stop, of putting the gate back and of the Lease is swallowed
/// once, as by a server that has gone hard.
#[tokio::test]
async fn for_an_answer_that_never_comes() {
    let swallowed = [
        "/stop-cluster-profiler",
        "/namespaces/kubevirt/pods",
        "/kubevirts/kubevirt",
        "/leases/cluster-profiler-job",
    ];
    let runs = swallowed.map(async |path| {
        let standin = off().await;
        let before = standin.configuration();
        let place = long_and_restoring(&standin).with("PROFILER_GRACE", "32s");
        let code = run(&place, async |signals| {
            window_is_open(&place).await;
            let hangs = RouteFault::new(path, RouteAnswer::Hang, Times::First(1));
            standin.route_fault(hangs);
            signals.send(ExitCode::Terminated).await.expect("it runs");
        });
        assert_eq!(code.await, ExitCode::Terminated, "{path}");
        let pods = place.shipped().manifest.pods;
        let complete = pods.iter().filter(|pod| pod.state == State::Complete);
        assert_eq!(complete.count(), 8, "{path}");
        assert!(standin.profiling().is_empty(), "{path}");
        assert_eq!(standin.configuration(), before, "{path}");
        let left = record(&standin);
        assert!(left.is_none(), "{path}: {left:?}");
    });
    futures::future::join_all(runs).await;
}
