//! How instances are followed: lists whose tokens go stale, watches that break, and where they go on from.

use std::time::Duration;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::EndedBy;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use rustix::process::Signal;
use standin::{Fate, RouteAnswer, RouteFault, Seen, Times, VmScript, WatchEnd};
use tokio::sync::mpsc;

use crate::harness::{Place, send, standin};
use crate::vmi_latency::{compare, following, latencies, manifest, mixed, run};

const INSTANCES: &str = "virtualmachineinstances";

/// A value in a request's query.
fn asked<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    let mut pairs = seen
        .query
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The second page is held until the first page's instances are gone, and its token is stale.
#[tokio::test]
async fn a_list_that_begins_anew_forgets_what_its_first_pages_had() {
    let standin = standin().await;
    for (prefix, count) in [("a", 150), ("b", 150)] {
        let script = VmScript {
            count,
            prefix: prefix.to_owned(),
            speed: 1_000_000,
            ..VmScript::default()
        };
        standin.create_vms(script).await;
    }
    let place = Place::new(&standin)
        .with("PROFILER_UNTIL_VMIS_RUNNING", 200)
        .with("PROFILER_SETTLE", "0s")
        .with("PROFILER_MAX_WINDOW", "2s");
    // The first is of preflight.
    let held = RouteFault::new(
        "/virtualmachineinstances",
        RouteAnswer::Hang,
        Times::Only(3),
    );
    standin.route_fault(held);
    let limits = Limits {
        call: Duration::from_secs(5),
        ..Limits::default()
    };
    let (_signals, receiver) = mpsc::channel(1);
    let attempt = run_with(place.variables(), receiver, limits, configured);
    let between = async {
        standin
            .wait_until(|state| state.arrived(INSTANCES) == 3)
            .await;
        standin.delete_instances("a-");
        standin.expire_tokens();
    };
    assert_eq!(tokio::join!(attempt, between).0, ExitCode::Complete);
    let requests = standin.requests();
    let is_first = |seen: &&Seen| {
        seen.path.ends_with(INSTANCES)
            && asked(seen, "limit") == Some("200")
            && asked(seen, "continue").is_none()
    };
    let lists = requests.iter().filter(is_first).count();
    assert_eq!(lists, 3, "twice before the window, and after it");
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.window.ended_by, EndedBy::MaxWindow);
    let latencies = manifest.vmi_latencies.expect("latencies");
    assert_eq!((latencies.created, latencies.deleted), (0, 0));
}

#[tokio::test]
async fn a_watch_goes_on_from_the_last_bookmark() {
    let standin = standin().await;
    standin.end_watch(0, WatchEnd::Bookmark);
    let place = Place::new(&standin)
        .with("PROFILER_VMI_LATENCY", "true")
        .with("PROFILER_SETTLE", "1h");
    let watches = |requests: &[Seen]| -> Vec<i64> {
        let of_instances = requests
            .iter()
            .filter(|seen| seen.path.ends_with(INSTANCES));
        let watches = of_instances.filter(|seen| asked(seen, "watch") == Some("true"));
        let revisions = watches.filter_map(|seen| asked(seen, "resourceVersion"));
        revisions
            .map(|revision| revision.parse().expect("a number"))
            .collect()
    };
    let child = place.spawn();
    place.until_ready().await;
    standin
        .wait_until(|state| watches(state.requests()).len() >= 2)
        .await;
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let revisions = watches(&standin.requests());
    assert!(revisions[1] > revisions[0], "{revisions:?}");
    let latencies = place.shipped().manifest.vmi_latencies.expect("latencies");
    assert_eq!(latencies.missed, Vec::<String>::new());
}

/// The API server answers a list of no metadata with null.
#[tokio::test]
async fn a_cluster_without_any_is_followed_like_others() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_VMI_LATENCY", "true");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!ended.log.contains("again"), "{}", ended.log);
    let latencies = place.shipped().manifest.vmi_latencies.expect("latencies");
    assert_eq!((latencies.created, latencies.missed.len()), (0, 0));
}

/// The requests for instances that are watches, and those that are LISTs from the beginning.
fn watches_and_lists(requests: &[Seen]) -> (usize, usize) {
    let of_instances = |path: &str| path.ends_with("/virtualmachineinstances");
    let queries = requests.iter().filter(|seen| of_instances(&seen.path));
    let queries: Vec<_> = queries.map(|seen| seen.query.as_str()).collect();
    let watches = queries.iter().filter(|query| query.contains("watch=true"));
    let lists = queries
        .iter()
        .filter(|query| query.contains("limit=200") && !query.contains("continue="));
    (watches.count(), lists.count())
}

#[tokio::test]
async fn a_watch_that_breaks_goes_on_where_it_was() {
    for end in [WatchEnd::Cut, WatchEnd::Over] {
        let standin = standin().await;
        for events in [1, 20, 60] {
            standin.end_watch(events, end);
        }
        let place = following(&standin);
        let script = VmScript {
            count: 60,
            every: Duration::from_millis(5),
            fate: mixed,
            ..VmScript::default()
        };
        let workload = async {
            standin.create_vms(script).await;
            standin
                .wait_until(|state| watches_and_lists(state.requests()).0 >= 4)
                .await;
        };
        run(&standin, &place, workload).await;
        compare(&manifest(&place), &standin.vm_log());
        assert_eq!(latencies(&place).missed, Vec::<String>::new(), "{end:?}");
        let (watches, lists) = watches_and_lists(&standin.requests());
        assert!(watches >= 4, "{watches} watches, {end:?}");
        assert_eq!(lists, 2, "before the window, and after it: {end:?}");
    }
}

#[tokio::test]
async fn a_watch_that_is_too_far_behind_lists_anew_and_says_so() {
    for end in [WatchEnd::Gone, WatchEnd::GoneAtOnce] {
        let standin = standin().await;
        standin.end_watch(20, end);
        let place = following(&standin);
        let script = VmScript {
            count: 40,
            every: Duration::from_millis(5),
            ..VmScript::default()
        };
        let workload = async {
            standin.create_vms(script).await;
            standin
                .wait_until(|state| watches_and_lists(state.requests()).0 >= 2)
                .await;
        };
        run(&standin, &place, workload).await;
        compare(&manifest(&place), &standin.vm_log());
        let missed = latencies(&place).missed;
        assert_eq!(missed.len(), 1, "{missed:?}");
        assert!(missed[0].contains("410"), "{missed:?}");
        assert_eq!(watches_and_lists(&standin.requests()).1, 3, "{end:?}");
    }
}

#[tokio::test]
async fn a_watch_that_fails_is_no_fault_of_the_run() {
    let standin = standin().await;
    standin.end_watch(1, WatchEnd::Cut);
    let place = following(&standin);
    let child = place.spawn();
    place.until_ready().await;
    let fault = RouteFault::new(
        "/virtualmachineinstances",
        RouteAnswer::Status(503),
        Times::Always,
    );
    standin.route_fault(fault);
    standin.create_vms(VmScript::default()).await;
    let refused =
        |seen: &Seen| seen.path.ends_with("/virtualmachineinstances") && seen.status == Some(503);
    standin
        .wait_until(|state| state.requests().iter().any(refused))
        .await;
    std::fs::write(place.path("signal/stop"), "0").expect("a stop file");
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let missed = latencies(&place).missed;
    assert!(
        missed
            .iter()
            .any(|it| it.contains("broken when the window ended")),
        "{missed:?}"
    );
    assert!(
        missed
            .iter()
            .any(|it| it.contains("LIST after the window failed")),
        "{missed:?}"
    );
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_waits_for_no_list() {
    let standin = standin().await;
    let place = following(&standin).with("PROFILER_MAX_WINDOW", "1h");
    let child = place.spawn();
    place.until_ready().await;
    let script = VmScript {
        count: 20,
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    let hang = RouteFault::new("/virtualmachineinstances", RouteAnswer::Hang, Times::Always);
    standin.route_fault(hang);
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    let latencies = latencies(&place);
    assert!(
        latencies.missed[0].contains("told to stop"),
        "{latencies:?}"
    );
}

#[tokio::test]
async fn a_watch_that_is_behind_when_the_window_ends_is_read_to_its_end() {
    let standin = standin().await;
    let place = following(&standin);
    let child = place.spawn();
    place.until_ready().await;
    send(&child, Signal::STOP);
    let script = VmScript {
        count: 2000,
        speed: 100_000,
        fate: |_| Fate::IsDeletedEarly,
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    std::fs::write(place.path("signal/stop"), "0").expect("a stop file");
    send(&child, Signal::CONT);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    compare(&manifest(&place), &standin.vm_log());
}
