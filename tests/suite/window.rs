//! What ends a window, and what is told while it is open.

use std::time::Duration;

use cluster_profiler_job::config::WindowConfig;
use cluster_profiler_job::manifest::EndedBy;
use cluster_profiler_job::window::{self, WindowEnd};
use standin::{RouteAnswer, RouteFault, Standin, Times};

use crate::harness::{self, Place, send, standin};

/// A place whose window waits for a stop file of the user's.
fn waiting(standin: &Standin) -> Place {
    let mut place = Place::new(standin);
    std::fs::create_dir(place.path("signal")).expect("a directory");
    place.set("PROFILER_STOP_FILE", place.path("signal/stop").display());
    place.with("PROFILER_SETTLE", "0s")
}

async fn all_profile(standin: &Standin) {
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
}

/// Runs with a stop file of this content, written as a workload's shell does.
async fn stopped_with(content: &str) -> (harness::Ended, Place) {
    let standin = standin().await;
    let place = waiting(&standin);
    let child = place.spawn();
    all_profile(&standin).await;
    std::fs::write(place.path("signal/stop"), content).expect("a stop file");
    let ended = place.ended(child).await;
    assert!(standin.profiling().is_empty());
    (ended, place)
}

#[tokio::test]
async fn a_stop_file_ends_it_with_the_workloads_exit_code() {
    for (content, told, code) in [("0\n", Some(0), 0), ("3\n", Some(3), 6), ("", None, 0)] {
        let (ended, place) = stopped_with(content).await;
        assert_eq!(ended.code, code, "{content:?}: {}", ended.log);
        let manifest = place.shipped().manifest;
        assert_eq!(manifest.window.ended_by, EndedBy::StopFile);
        assert_eq!(manifest.workload_exit_code, told);
        assert_eq!(i32::from(manifest.exit_code), code);
    }
}

#[tokio::test]
async fn a_stop_file_of_something_else_ends_it_too_and_is_warned_of() {
    for content in ["256", "-1", "failed", "\u{1F4A5}"] {
        let (ended, place) = stopped_with(content).await;
        assert_eq!(ended.code, 0, "{content:?}: {}", ended.log);
        assert_eq!(place.shipped().manifest.workload_exit_code, None);
        assert!(ended.log.contains("holds no exit code"), "{}", ended.log);
    }
}

#[tokio::test]
async fn settle_begins_with_a_stop_file_that_was_set() {
    let standin = standin().await;
    let place = waiting(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_MAX_WINDOW", "2h");
    let mut child = place.spawn();
    all_profile(&standin).await;
    std::fs::write(place.path("signal/stop"), "0").expect("a stop file");
    // It is seen, and the window stays open: the only other end is the signal.
    let early = tokio::time::timeout(Duration::from_secs(1), child.wait()).await;
    assert!(early.is_err(), "the window ended with the stop file");
    send(&child, rustix::process::Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.window.ended_by, EndedBy::Signal);
    assert_eq!(manifest.workload_exit_code, Some(0));
}

#[tokio::test]
async fn a_short_settle_after_the_stop_file_ends_it() {
    let standin = standin().await;
    let place = waiting(&standin).with("PROFILER_SETTLE", "300ms");
    let child = place.spawn();
    all_profile(&standin).await;
    std::fs::write(place.path("signal/stop"), "0").expect("a stop file");
    assert_eq!(place.ended(child).await.code, 0);
    assert_eq!(place.shipped().manifest.window.ended_by, EndedBy::StopFile);
}

#[tokio::test]
async fn the_longest_time_ends_a_window_whose_stop_file_never_comes() {
    let standin = standin().await;
    let place = waiting(&standin).with("PROFILER_MAX_WINDOW", "300ms");
    assert_eq!(place.run().await.code, 0);
    assert_eq!(place.shipped().manifest.window.ended_by, EndedBy::MaxWindow);
}

/// A window of two seconds at most, whose stop file is written after one, between two looks at it,
/// with time that passes as it is waited for.
async fn in_paused_time(settle_ms: u64, content: [&'static str; 2]) -> WindowEnd {
    let place = Place::empty();
    let path = place.path("stop");
    let config = WindowConfig {
        settle: Duration::from_millis(settle_ms),
        settle_after_stop_file: true,
        until_vmis_running: None,
        max: Duration::from_secs(2),
    };
    let writer = async {
        for (wait, content) in [1100, 300].into_iter().zip(content) {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            std::fs::write(&path, content).expect("a stop file");
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = window::wait_for_end(&config, &path, std::future::pending(), std::future::pending()) => ended,
        () = writer => unreachable!("it never ends"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_time_cuts_a_settle_that_began_late() {
    let cut = in_paused_time(1500, ["7", "7"]).await;
    assert_eq!(
        (cut.by, cut.workload_exit_code),
        (EndedBy::MaxWindow, Some(7))
    );
    let whole = in_paused_time(200, ["7", "7"]).await;
    assert_eq!(
        (whole.by, whole.workload_exit_code),
        (EndedBy::StopFile, Some(7))
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_stop_file_is_looked_at_once_more() {
    let ended = in_paused_time(0, ["", "9"]).await;
    assert_eq!(
        (ended.by, ended.workload_exit_code),
        (EndedBy::StopFile, Some(9))
    );
}

#[tokio::test]
async fn a_stop_file_that_is_no_file_ends_it_and_blocks_nothing() {
    let standin = standin().await;
    let place = waiting(&standin);
    let child = place.spawn();
    all_profile(&standin).await;
    std::fs::create_dir(place.path("signal/stop")).expect("a directory");
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("cannot be read"), "{}", ended.log);
}

#[tokio::test]
async fn a_stop_file_from_before_the_window_ends_it_at_once() {
    let standin = standin().await;
    let fault = RouteFault::new("/kubevirts", RouteAnswer::Status(503), Times::First(1));
    standin.route_fault(fault);
    let place = waiting(&standin);
    let child = place.spawn();
    standin
        .wait_until(|state| state.arrived("kubevirts") == 1)
        .await;
    std::fs::write(place.path("signal/stop"), "0").expect("a stop file");
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(place.shipped().manifest.window.ended_by, EndedBy::StopFile);
}

#[tokio::test]
async fn a_stop_file_from_before_the_run_is_removed_and_warned_of() {
    let standin = standin().await;
    let place = waiting(&standin).with("PROFILER_MAX_WINDOW", "600ms");
    std::fs::write(place.path("signal/stop"), "1").expect("a stop file");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("removed a file from before this run"),
        "{}",
        ended.log
    );
    assert_eq!(place.shipped().manifest.window.ended_by, EndedBy::MaxWindow);
    assert!(!place.path("signal/stop").exists());
}

#[tokio::test]
async fn an_incomplete_archive_is_told_before_a_failed_workload() {
    let standin = standin().await;
    let fault = standin::Damage::MissingFile("heap.pprof".to_owned());
    let fault = standin::Fault::Damaged(fault, Times::Always);
    standin.pod_fault(&standin.pods()[0], fault);
    let place = waiting(&standin);
    let child = place.spawn();
    all_profile(&standin).await;
    std::fs::write(place.path("signal/stop"), "1").expect("a stop file");
    assert_eq!(place.ended(child).await.code, 5);
    assert_eq!(place.shipped().manifest.workload_exit_code, Some(1));
}
