//! How instances are followed: lists whose tokens go stale, and the revisions that watches go on from.

use std::time::Duration;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::EndedBy;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use standin::{RouteAnswer, RouteFault, Seen, Times, VmScript, WatchEnd};
use tokio::sync::mpsc;

use crate::harness::{Place, standin};

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
    let run = run_with(place.variables(), receiver, limits, configured);
    let between = async {
        standin
            .wait_until(|state| state.arrived(INSTANCES) == 3)
            .await;
        standin.delete_instances("a-");
        standin.expire_tokens();
    };
    assert_eq!(tokio::join!(run, between).0, ExitCode::Complete);
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
