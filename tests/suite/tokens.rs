//! Continue tokens that age, and pages without a pod.

use std::time::Duration;

use cluster_profiler_job::manifest::State;
use standin::{Fault, Options, Standin};

use crate::harness::Place;

/// A stand-in whose pods take a little, so that there is a middle of the dump.
async fn unhurried(pods: usize) -> Standin {
    let latency = Duration::from_millis(100);
    let options = Options {
        pods,
        pod_latency: latency,
        ..Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

#[tokio::test]
async fn tokens_that_go_stale_in_mid_dump_are_exchanged() {
    let standin = unhurried(40).await;
    let place = Place::new(&standin).with("PROFILER_CONCURRENCY", 4);
    let child = place.spawn();
    for dumps in [10, 20, 30] {
        standin
            .wait_until(|state| state.arrived("dump-cluster-profiler") >= dumps)
            .await;
        standin.expire_tokens();
    }
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(place.shipped().manifest.pods.len(), 40);
    let answered = |status: u16| {
        standin
            .requests()
            .iter()
            .filter(|seen| seen.status == Some(status))
            .count()
    };
    assert!(
        answered(410) > 0,
        "no LIST met a stale token: the test shows nothing"
    );
}

#[tokio::test]
async fn a_token_that_is_stale_at_virt_api_alone_is_exchanged_too() {
    let standin = unhurried(12).await;
    let pods = standin.pods();
    let slow = pods
        .iter()
        .find(|pod| pod.starts_with("virt-handler-"))
        .expect("a handler");
    standin.pod_fault(slow, Fault::DumpFails(standin::Times::First(1)));
    let place = Place::new(&standin).with("PROFILER_CONCURRENCY", 2);
    let child = place.spawn();
    // The pod's first try fails; its second comes after a pause, with a token that is stale then.
    standin
        .wait_until(|state| state.requests().iter().any(|seen| seen.status == Some(500)))
        .await;
    standin.expire_tokens();
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let stale = |seen: &standin::Seen| {
        seen.path.ends_with("/dump-cluster-profiler")
            && seen.status == Some(400)
            && !seen.body.is_empty()
    };
    assert!(
        standin.requests().iter().any(stale),
        "no dump met a stale token"
    );
}

#[tokio::test]
async fn a_pod_that_is_not_ready_in_mid_list_hides_no_other() {
    let standin = unhurried(12).await;
    let pods = standin.pods();
    let handlers: Vec<_> = pods
        .iter()
        .filter(|pod| pod.starts_with("virt-handler-"))
        .collect();
    let unready = handlers[handlers.len() / 2];
    let place = Place::new(&standin).with("PROFILER_CONCURRENCY", 1);
    let child = place.spawn();
    standin
        .wait_until(|state| state.arrived("dump-cluster-profiler") >= 3)
        .await;
    standin.set_ready(unready, false);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    let shipped = place.shipped();
    for pod in &shipped.manifest.pods {
        assert_eq!(
            pod.state == State::Complete,
            pod.pod.name != *unready,
            "{}",
            pod.pod.name
        );
    }
    let why = shipped.pod(unready).why.as_deref().unwrap_or_default();
    assert!(why.contains("not Ready"), "{why}");
    assert!(
        standin
            .requests()
            .iter()
            .any(|seen| seen.status == Some(204))
    );
}

#[tokio::test]
async fn a_pod_that_is_ready_again_is_dumped_after_all() {
    let standin = unhurried(12).await;
    let pods = standin.pods();
    let handler = pods
        .iter()
        .find(|pod| pod.starts_with("virt-handler-"))
        .expect("a handler");
    let place = Place::new(&standin).with("PROFILER_CONCURRENCY", 1);
    let child = place.spawn();
    standin
        .wait_until(|state| state.arrived("dump-cluster-profiler") >= 3)
        .await;
    standin.set_ready(handler, false);
    standin
        .wait_until(|state| state.requests().iter().any(|seen| seen.status == Some(204)))
        .await;
    standin.set_ready(handler, true);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
}
