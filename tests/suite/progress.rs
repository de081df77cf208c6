//! A run that takes long says how far it is.

use std::time::Duration;

use cluster_profiler_job::engine::Native;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use standin::{Options, Standin};
use tokio::sync::mpsc;

use crate::harness::{Log, Place, standin};

#[tokio::test]
async fn lines_tell_phase_pods_and_bytes_while_it_works() {
    let (log, _logging) = Log::of_this_thread();
    let options = Options {
        pod_latency: Duration::from_millis(400),
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin).with("PROFILER_RUN_ID", "progress");
    let limits = Limits {
        progress: Duration::from_millis(100),
        ..Limits::default()
    };
    let (_signals, receiver) = mpsc::channel(1);
    let code = run_with(place.variables(), receiver, limits, |_| {
        Box::new(Native { concurrency: 1 })
    })
    .await;
    assert_eq!(code, ExitCode::Complete);
    let lines = log.lines();
    let some = lines.iter().find(|line| {
        let done = line["pods_done"].as_u64().unwrap_or_default();
        line["phase"] == "dump" && (1..8).contains(&done)
    });
    let some = some.expect("a line from the middle of the dump");
    assert_eq!(some["pods_expected"], 8);
    assert!(
        some["bytes"].as_u64().is_some_and(|bytes| bytes > 100_000),
        "{some}"
    );
}

#[tokio::test]
async fn the_log_of_a_good_run_fits_a_screen() {
    let standin = standin().await;
    let ended = Place::new(&standin).run().await;
    assert!(ended.log.lines().count() <= 24, "{}", ended.log);
}
