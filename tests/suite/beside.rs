//! Processes beside a run: `stop` and `ready`.

use cluster_profiler_job::manifest::EndedBy;

use crate::harness::{Place, standin};

#[tokio::test]
async fn stop_ends_a_window_that_has_time_and_ready_waits_for_it_to_open() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let waiting = place.spawn_with(&["ready", "--wait", "10m"]);
    let run = place.spawn();
    let ready = place.ended(waiting).await;
    assert_eq!(ready.code, 0, "{}", ready.log);
    assert_eq!(standin.profiling().len(), 8);
    assert_eq!(place.run_with(&["ready"]).await.code, 0);
    let stop = place.run_with(&["stop"]).await;
    assert_eq!(stop.code, 0, "{}", stop.log);
    let ended = place.ended(run).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.window.ended_by, EndedBy::StopFile);
    assert_eq!(manifest.workload_exit_code, None);
    assert!(!place.signal("ready").exists());
    let ready = place.run_with(&["ready"]).await;
    assert_eq!(ready.code, 1);
    assert!(ready.log.contains("not on"), "{}", ready.log);
}

#[tokio::test]
async fn stop_brings_the_workloads_exit_code() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let run = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "10m"]).await.code, 0);
    assert_eq!(place.run_with(&["stop", "42"]).await.code, 0);
    assert_eq!(place.ended(run).await.code, 6);
    assert_eq!(place.shipped().manifest.workload_exit_code, Some(42));
}

#[tokio::test]
async fn stop_without_a_run_says_so() {
    let place = Place::empty();
    let stop = place.run_with(&["stop"]).await;
    assert_eq!(stop.code, 1);
    assert!(stop.log.contains("is a run going on here"), "{}", stop.log);
}

#[tokio::test]
async fn an_exit_code_that_is_none_is_a_usage_error() {
    assert_eq!(Place::empty().run_with(&["stop", "256"]).await.code, 2);
}

#[tokio::test]
async fn ready_gives_up_when_its_time_is_over() {
    let ready = Place::empty().run_with(&["ready", "--wait", "300ms"]).await;
    assert_eq!(ready.code, 1);
}

#[tokio::test]
async fn ready_gives_up_when_the_run_is_over() {
    let place = Place::empty();
    // It fails at once, and leaves a done file.
    assert_eq!(place.run().await.code, 2);
    assert!(place.signal("done").exists());
    let ready = place.run_with(&["ready", "--wait", "1h"]).await;
    assert_eq!(ready.code, 1);
    assert!(ready.log.contains("the run is over") && ready.log.contains("PROFILER_DESTINATION"));
}

#[tokio::test]
async fn faults_of_other_variables_do_not_keep_stop_from_its_file() {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let run = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "10m"]).await.code, 0);
    let place = place.with("PROFILER_SETTLE", "nonsense");
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    assert_eq!(place.ended(run).await.code, 0);
    let place = place.with("PROFILER_STOP_FILE", "relative");
    let stop = place.run_with(&["stop"]).await;
    assert_eq!(stop.code, 2);
    assert!(stop.log.contains("PROFILER_STOP_FILE"), "{}", stop.log);
}
