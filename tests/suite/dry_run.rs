//! Runs that change nothing, and runs that wait until they can begin.

use standin::{Options, Standin};

use crate::harness::{Place, listing, standin};

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_changes_nothing() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_DRY_RUN", "true");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(standin.starts(), 0);
    assert_eq!(standin.arrived("stop-cluster-profiler"), 0);
    assert!(listing(&place.out()).is_empty());
    let steps = [
        "would start",
        "would end the window",
        "would stop",
        "would dump 8",
        "would write",
    ];
    for step in steps {
        assert!(ended.log.contains(step), "{step}: {}", ended.log);
    }
    assert!(ended.termination.get("uri").is_none());
}

#[tokio::test]
async fn a_dry_run_fails_where_a_run_would() {
    let options = Options {
        gate: false,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin).with("PROFILER_DRY_RUN", "true");
    assert_eq!(place.run().await.code, 3);
}

#[tokio::test]
async fn a_fault_that_passes_before_the_start_is_waited_out() {
    let standin = standin().await;
    let pods = standin.pods();
    let operators: Vec<_> = pods
        .iter()
        .filter(|pod| pod.starts_with("virt-operator-"))
        .collect();
    operators
        .iter()
        .for_each(|pod| standin.set_ready(pod, false));
    let place = Place::new(&standin).with("PROFILER_PREFLIGHT_RETRY", "10m");
    let child = place.spawn();
    standin.wait_until(|state| state.arrived("pods") >= 2).await;
    assert_eq!(standin.starts(), 0);
    operators
        .iter()
        .for_each(|pod| standin.set_ready(pod, true));
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(place.shipped().manifest.pods.len(), 8);
}

#[tokio::test]
async fn a_dry_run_leaves_the_files_of_a_run_beside_it_alone() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    let place = place
        .with("PROFILER_DRY_RUN", "true")
        .with("PROFILER_RUN_ID", "dry");
    assert_eq!(place.run().await.code, 0);
    assert_eq!(place.run_with(&["ready"]).await.code, 0);
    assert!(!place.signal("done").exists());
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    assert_eq!(place.ended(child).await.code, 0);
}
