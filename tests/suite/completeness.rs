//! What counts as a complete pod, and what share of them is enough.

use std::time::Duration;

use cluster_profiler_job::engine::Native;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::State;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use standin::{Damage, Fault, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::{Ended, Place, standin};

/// A run that lacks a file of one of the two virt-handlers.
async fn half_of_the_handlers(min_complete: &str) -> (Ended, Place) {
    let standin = standin().await;
    let pods = standin.pods();
    let pod = pods
        .iter()
        .find(|pod| pod.starts_with("virt-handler-"))
        .expect("a handler");
    let fault = Damage::MissingFile("heap.pprof".to_owned());
    standin.pod_fault(pod, Fault::Damaged(fault, Times::Always));
    let place = Place::new(&standin).with("PROFILER_MIN_COMPLETE", min_complete);
    (place.run().await, place)
}

#[tokio::test]
async fn a_share_that_is_met_is_enough_and_the_truth_is_told_all_the_same() {
    for enough in ["50%", "100%,virt-handler=50%"] {
        let (ended, place) = half_of_the_handlers(enough).await;
        assert_eq!(ended.code, 0, "{enough}: {}", ended.log);
        let manifest = place.shipped().manifest;
        assert!(
            manifest.reason.contains("1 of 8 pods not complete"),
            "{}",
            manifest.reason
        );
        assert_eq!(
            manifest
                .pods
                .iter()
                .filter(|pod| pod.state == State::Missing)
                .count(),
            1
        );
        assert_eq!(ended.termination["reason"], manifest.reason);
    }
}

#[tokio::test]
async fn a_share_is_of_each_components_pods() {
    for too_much in ["51%", "50%,virt-handler=51%", "virt-api=0%"] {
        let (ended, _) = half_of_the_handlers(too_much).await;
        assert_eq!(ended.code, 5, "{too_much}: {}", ended.log);
    }
}

/// Runs in this process, where the limits are the test's: with `during` in the window.
async fn in_process(standin: &Standin, during: impl FnOnce(&str)) -> (ExitCode, Place) {
    let mut place = Place::new(standin).with("PROFILER_SETTLE", "1h");
    place.set("PROFILER_STOP_FILE", place.path("stop").display());
    let limits = Limits {
        cpu_slack: Duration::ZERO,
        ..Limits::default()
    };
    let (_signals, receiver) = mpsc::channel(1);
    let environment = place.with("PROFILER_SETTLE", "0s");
    let run = run_with(environment.variables(), receiver, limits, |_| {
        Box::new(Native { concurrency: 8 })
    });
    let meddle = async {
        // Time passes in the window, more than the stop takes: ten processes' worth of it.
        for _ in 0..10 {
            assert_eq!(
                environment.run_with(&["ready", "--wait", "1m"]).await.code,
                0
            );
        }
        during(&standin.pods()[0]);
        std::fs::write(environment.path("stop"), "\n").expect("a stop file");
    };
    let (code, ()) = tokio::join!(run, meddle);
    (code, environment)
}

#[tokio::test]
async fn somebody_elses_start_in_mid_window_is_not_passed_off_as_good() {
    let standin = standin().await;
    let (code, place) = in_process(&standin, |_| standin.external_start()).await;
    assert_eq!(code, ExitCode::Incomplete);
    for pod in place.shipped().manifest.pods {
        assert_eq!(pod.state, State::Damaged);
        assert!(
            pod.why
                .as_deref()
                .is_some_and(|why| why.contains("somebody else")),
            "{pod:?}"
        );
        assert_eq!(pod.files.len(), 13, "what there is was shipped");
    }
}

#[tokio::test]
async fn a_pod_whose_container_restarted_in_the_window_is_not_passed_off_as_good() {
    let standin = standin().await;
    let (code, place) = in_process(&standin, |pod| standin.restart(pod)).await;
    assert_eq!(code, ExitCode::Incomplete);
    let shipped = place.shipped();
    let pod = shipped.pod(&standin.pods()[0]);
    assert_ne!(pod.state, State::Complete);
    let why = pod.why.as_deref().unwrap_or_default();
    assert!(why.contains("restarted") || why.contains("lacks"), "{why}");
}
