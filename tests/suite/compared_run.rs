//! PROFILER_COMPARE: a run that compares itself with the runs before it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bucket::{Answer, Bucket, Fault, State};
use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::{Manifest, RunComparison, Word};
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use rustix::process::Signal;
use serde_json::{Value, json};
use standin::{Damage, Options, Profiles, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::{Ended, Place, RUN_ID, send};
use crate::made_runs::bare_manifest;
use crate::patience::{limits, told_in_its_window};
use crate::s3::{bucket, into};

/// The window of the stand-in's runs in seconds, and of those that are made: a slow machine makes it longer.
const WINDOW: u64 = 2;
const MADE_WINDOW: Duration = Duration::from_millis(2350);

/// What virt-api's pods hold in the runs that are made, in bytes. The stand-in's hold far more.
const STEADY: [u64; 6] = [1000, 1020, 990, 1010, 980, 1000];
const HIGH: u64 = 1 << 40;

const HEADLINE: &str = "regression, confirmed: virt-api live heap x";

/// A cluster of two pods of each component.
pub(crate) async fn nights() -> Standin {
    let options = Options {
        profiles: Profiles::Window,
        ..Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

/// The manifest of a run before, in which virt-api's pods held so much.
fn made(night: usize, live_heap: u64) -> Value {
    let mut manifest = bare_manifest(&id(night));
    let start = jiff::Timestamp::UNIX_EPOCH + Duration::from_hours(8 * night as u64);
    let pods = ["virt-api", "virt-controller", "virt-handler", "virt-operator"].map(|component| {
        let pod = |number| {
            json!({
                "name": format!("{component}-{number}"), "component": component, "uid": "u", "node": "n",
                "image": "i", "restarts": 0, "state": "complete", "files": [],
            })
        };
        [pod(0), pod(1)]
    });
    manifest["compare_key"] = json!("nightly");
    manifest["kubevirt"]["uid"] = json!("one");
    manifest["window"]["start"] = json!(start.to_string());
    manifest["window"]["stop"] = json!((start + MADE_WINDOW).to_string());
    manifest["pods"] = json!(pods.concat());
    manifest["in_window"] = json!({ "virt-api": { "live_heap_bytes":
        { "sum": live_heap, "pods": 2, "largest": live_heap, "largest_pod": "virt-api-0" } } });
    manifest
}

pub(crate) fn id(night: usize) -> String {
    format!("night-{night:03}")
}

/// Puts runs into a directory, by what virt-api's pods held.
pub(crate) fn keep(directory: &Path, heaps: &[u64]) {
    std::fs::create_dir_all(directory).expect("a directory");
    for (night, heap) in heaps.iter().enumerate() {
        let write = |name: &str, content: &str| {
            let path = directory.join(format!("profile-{}{name}", id(night)));
            std::fs::write(&path, content).expect("a file");
            let file = std::fs::File::options().write(true).open(&path);
            let at = SystemTime::UNIX_EPOCH + Duration::from_hours(8 * night as u64 + 1);
            let set = file.expect("the file").set_modified(at);
            set.expect("a time");
        };
        write(".json", &made(night, *heap).to_string());
        write(".tar.gz", "");
    }
}

pub(crate) fn steady_and(new: &[u64]) -> Vec<u64> {
    STEADY.iter().chain(new).copied().collect()
}

/// A run that compares itself.
pub(crate) fn comparing(place: Place) -> Place {
    place
        .with("PROFILER_SETTLE", format!("{WINDOW}s"))
        .with("PROFILER_BASELINE", "true")
        .with("PROFILER_COMPARE_KEY", "nightly")
        .with("PROFILER_COMPARE", "true")
}

fn manifest(directory: &Path) -> Manifest {
    let path = directory.join(format!("profile-{RUN_ID}.json"));
    let json = std::fs::read(path).expect("a manifest");
    serde_json::from_slice(&json).expect("a manifest of the documented form")
}

fn comparison(directory: &Path) -> RunComparison {
    let manifest = manifest(directory);
    assert_eq!(manifest.not_compared, None);
    manifest.comparison.expect("a comparison")
}

/// The run was not compared, for a reason with these words, and is whole.
fn not_compared(directory: &Path, words: &str) {
    let manifest = manifest(directory);
    assert_eq!(manifest.comparison, None);
    let why = manifest.not_compared.unwrap_or_default();
    assert!(why.contains(words), "no {words:?} in {why:?}");
    assert!(directory.join(format!("profile-{RUN_ID}.tar.gz")).exists());
}

/// A place at a directory and one at a bucket, each with these runs before, and the directory of their files.
async fn places(standin: &Standin, heaps: &[u64]) -> [(Place, PathBuf, Option<Bucket>); 2] {
    let bucket = bucket().await;
    let (here, there) = (Place::new(standin), into(&bucket, standin));
    let (out, prefix) = (here.out(), bucket.path("nightly/a"));
    keep(&out, heaps);
    keep(&prefix, heaps);
    [
        (comparing(here), out, None),
        (comparing(there), prefix, Some(bucket)),
    ]
}

fn assert_confirmed(ended: &Ended, code: u8, directory: &Path) {
    assert_eq!(ended.code, i32::from(code), "{}", ended.log);
    let said = comparison(directory);
    assert_eq!(
        (said.verdict, said.confirmed),
        (Some(Word::Regression), true)
    );
    assert!(said.summary.starts_with(HEADLINE), "{}", said.summary);
    assert_eq!((said.earlier_runs, said.changed.len()), (7, 1));
    let heap = &said.changed[0];
    assert_eq!((&*heap.name, heap.confirmed), ("live_heap_bytes", true));
    let reason = ended.termination["reason"].as_str().expect("a reason");
    assert!(reason.starts_with(HEADLINE), "{reason}");
    assert_eq!(ended.termination["verdict"], "regression, confirmed");
    let manifest = manifest(directory);
    assert_eq!((manifest.exit_code, &*manifest.reason), (code, reason));
    assert!(
        ended.log.contains(&format!("compared: {HEADLINE}")),
        "{}",
        ended.log
    );
}

#[tokio::test]
async fn a_regression_that_the_run_before_confirms_is_told_everywhere() {
    let standin = nights().await;
    let [here, there] = places(&standin, &steady_and(&[HIGH])).await;
    for (place, directory, _bucket) in [here, there] {
        let place = place
            .with("POD_NAME", "night")
            .with("POD_NAMESPACE", "cluster-profiler")
            .with("POD_UID", "1234");
        assert_confirmed(&place.run().await, 0, &directory);
        let events = standin.events("cluster-profiler");
        let event = events.last().expect("an Event");
        assert_eq!(
            (&event["reason"], &event["type"]),
            (&json!("Regression"), &json!("Warning"))
        );
        let note = event["note"].as_str().expect("a note");
        assert!(note.starts_with(HEADLINE), "{note}");
        // `diff` says the same of it in the morning.
        let morning = place.run_with(&["diff", "--json"]).await;
        let said: Value = serde_json::from_str(&morning.log).expect("JSON");
        let shown = place.run_with(&["diff"]).await.log;
        assert_eq!((morning.code, &said["confirmed"]), (7, &json!(true)));
        let summary = comparison(&directory).summary;
        assert_eq!(shown.lines().next(), Some(&*summary));
    }
}

#[tokio::test]
async fn a_confirmed_regression_has_an_exit_code_where_that_is_asked_for() {
    let standin = nights().await;
    let [here, there] = places(&standin, &steady_and(&[HIGH])).await;
    for (place, directory, _bucket) in [here, there] {
        let place = place.with("PROFILER_FAIL_ON_REGRESSION", "true");
        let ended = place.run().await;
        assert_confirmed(&ended, 7, &directory);
        assert_eq!(ended.termination["status"], "regression");
        // It is over: another attempt adds nothing.
        let starts = standin.starts();
        let again = place.run().await;
        assert_eq!((again.code, standin.starts()), (7, starts), "{}", again.log);
    }
}

#[tokio::test]
async fn at_first_sight_and_without_a_change_the_run_is_complete() {
    let standin = nights().await;
    let wide: Vec<_> = (0..6).map(|night| 10_u64.pow(1 + 2 * night)).collect();
    for (heaps, verdict, summary) in [
        (
            steady_and(&[1000]),
            "regression, suspected",
            "regression, suspected: virt-api live heap x",
        ),
        (wide, "inconclusive", "no change seen"),
        (
            STEADY[..3].to_vec(),
            "none",
            "no verdict: 3 comparable runs before",
        ),
        (
            Vec::new(),
            "not-comparable",
            "not-comparable: there is no complete run before",
        ),
    ] {
        let place = comparing(Place::new(&standin)).with("PROFILER_FAIL_ON_REGRESSION", "true");
        keep(&place.out(), &heaps);
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let said = comparison(&place.out());
        assert!(said.summary.starts_with(summary), "{}", said.summary);
        assert_eq!((&*said.short(), said.confirmed), (verdict, false));
        assert_eq!(ended.termination["verdict"], verdict);
        let reason = ended.termination["reason"].as_str().expect("a reason");
        let complete = "all 8 pods are complete; ";
        assert!(reason.starts_with(complete), "{reason}");
        assert!(reason.contains(summary), "{reason}");
    }
}

/// Who has another reason to look finds the verdict behind it.
#[tokio::test]
async fn other_exit_codes_come_first() {
    let standin = nights().await;
    let at_risk = |place: Place| {
        let place = place.with("PROFILER_FAIL_ON_REGRESSION", "true");
        keep(&place.out(), &steady_and(&[HIGH]));
        place
    };
    let place = at_risk(comparing(Place::new(&standin)));
    // With a stop file that is set, the window goes on for so long after it.
    let stop = place.path("stop").display().to_string();
    let place = place.with("PROFILER_STOP_FILE", stop);
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    assert_eq!(place.run_with(&["stop", "9"]).await.code, 0);
    assert_confirmed(&place.ended(child).await, 6, &place.out());

    let damage = Damage::MissingFile("heap.pprof".to_owned());
    standin.pod_fault(
        &standin.pods()[0],
        standin::Fault::Damaged(damage, Times::Always),
    );
    let place = at_risk(comparing(Place::new(&standin)));
    let ended = place.run().await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    not_compared(&place.out(), "7 of 8 pods are complete");
}

#[tokio::test]
async fn a_comparison_that_takes_too_long_is_left() {
    let standin = nights().await;
    let place = comparing(Place::new(&standin));
    keep(&place.out(), &steady_and(&[HIGH]));
    // Whoever opens it waits for one that writes.
    let pipe = place.out().join("profile-night-003.json");
    std::fs::remove_file(&pipe).expect("it is there");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let (_signals, receiver) = mpsc::channel(1);
    let limits = Limits {
        compare: Duration::from_millis(100),
        ..limits()
    };
    let code = run_with(place.variables(), receiver, limits, configured).await;
    drop(std::fs::File::options().write(true).open(&pipe));
    assert_eq!(code, ExitCode::Complete);
    not_compared(&place.out(), "longer than 100ms");
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_is_not_compared() {
    let standin = nights().await;
    let place = comparing(Place::new(&standin))
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "10m");
    keep(&place.out(), &steady_and(&[HIGH]));
    let ended = told_in_its_window(&place).await;
    not_compared(&place.out(), "told to stop");
    assert!(ended.log.contains("not compared"), "{}", ended.log);
    // While it reads the runs before.
    let bucket = bucket().await;
    keep(&bucket.path("nightly/a"), &steady_and(&[HIGH]));
    bucket.fault(Fault::always("GET", "night-003.json", Answer::Hangs));
    let place = comparing(into(&bucket, &standin)).with("PROFILER_GRACE", "10m");
    let child = place.spawn();
    let reads = |state: &State| {
        let mut seen = state.seen.iter();
        seen.any(|seen| seen.method == "GET" && seen.target.contains("night-003.json"))
    };
    bucket.wait_until(reads).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    // Nothing was lacking when it was told.
    assert_eq!(ended.code, 0, "{}", ended.log);
    not_compared(&bucket.path("nightly/a"), "told to stop");
}

#[tokio::test]
async fn a_destination_that_cannot_be_read_costs_the_comparison_alone() {
    let standin = nights().await;
    for (method, target) in [("GET", "list-type=2"), ("GET", "night-003.json")] {
        let bucket = bucket().await;
        keep(&bucket.path("nightly/a"), &steady_and(&[HIGH]));
        bucket.fault(Fault::always(
            method,
            target,
            Answer::Refused(503, "SlowDown"),
        ));
        let place = comparing(into(&bucket, &standin)).with("AWS_MAX_ATTEMPTS", 1);
        let ended = place
            .with("PROFILER_FAIL_ON_REGRESSION", "true")
            .run()
            .await;
        assert_eq!(ended.code, 0, "{target}: {}", ended.log);
        not_compared(&bucket.path("nightly/a"), "503");
    }
}
