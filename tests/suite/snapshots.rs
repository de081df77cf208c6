//! Dumps within the window.

use std::path::PathBuf;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::State;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::pprof::proto;
use cluster_profiler_job::run::run_with;
use rustix::process::Signal;
use standin::{Fault, Standin, Times};
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::harness::{Place, listing, send, standin, until};

fn with_snapshots(standin: &Standin) -> Place {
    Place::new(standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_SNAPSHOT_EVERY", "1s")
}

/// What is left of snapshots in the temporary directory.
fn left(place: &Place) -> Vec<PathBuf> {
    let is_snapshot = |path: &PathBuf| path.display().to_string().contains("-snapshots-");
    let there = listing(&place.path("tmp")).into_iter();
    there.filter(is_snapshot).collect()
}

/// The records of the snapshots that have come to their end.
fn taken(place: &Place) -> usize {
    let directories = left(place).into_iter().flat_map(|all| listing(&all));
    let records = directories.filter_map(|one| std::fs::read(one.join("snapshot.json")).ok());
    let is_whole = |json: &Vec<u8>| {
        let record: serde_json::Value = serde_json::from_slice(json).expect("a record");
        !record["pods"].is_null()
    };
    records.filter(is_whole).count()
}

/// A run that has taken so many.
async fn taken_by(place: &Place, child: &mut Child, wanted: usize) {
    while taken(place) < wanted {
        let ended = child.try_wait().expect("a child");
        assert!(ended.is_none(), "it ended before that");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn each_pod_has_the_kinds_that_are_asked_for_at_each_time() {
    for (kinds, expected) in [
        (None, ["goroutine.pprof", "heap.pprof"]),
        (
            Some("allocs,threadcreate"),
            ["allocs.pprof", "threadcreate.pprof"],
        ),
    ] {
        let standin = standin().await;
        let mut place = with_snapshots(&standin);
        if let Some(kinds) = kinds {
            place.set("PROFILER_SNAPSHOT_KINDS", kinds);
        }
        let mut child = place.spawn();
        taken_by(&place, &mut child, 2).await;
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
        let ended = place.ended(child).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let shipped = place.shipped();
        let whole: Vec<_> = shipped
            .manifest
            .snapshots
            .iter()
            .filter(|of| of.pods.is_some())
            .collect();
        assert!(whole.len() >= 2, "{whole:?}");
        for snapshot in &whole {
            assert_eq!(snapshot.pods, Some(8));
            // On a busy machine one may be late, which is noted, too.
            let why = snapshot.why.as_deref().unwrap_or("due meanwhile");
            assert!(why.contains("due meanwhile"), "{why}");
            for pod in &shipped.manifest.pods {
                let below = format!(
                    "profile-test-run/{}/snapshots/{}/",
                    pod.pod.name, snapshot.name
                );
                let files = pod
                    .snapshots
                    .iter()
                    .filter_map(|file| file.path.strip_prefix(&below));
                assert_eq!(files.collect::<Vec<_>>(), expected);
            }
        }
        for file in shipped.manifest.pods.iter().flat_map(|pod| &pod.snapshots) {
            let summary = proto::summary(&shipped.files[&file.path][..]).expect("a profile");
            assert_eq!(file.samples, Some(summary.samples));
            let window = &shipped.manifest.window;
            let time = i128::from(summary.time_nanos);
            // Profiles bear whole seconds.
            assert!(time >= window.start.as_nanosecond() - 1_000_000_000);
            assert!(time <= window.stop.as_nanosecond());
        }
        assert_eq!(left(&place), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn a_snapshot_that_lasts_ends_with_the_window() {
    let standin = standin().await;
    let place = with_snapshots(&standin);
    let child = place.spawn();
    place.until_ready().await;
    for pod in standin.pods() {
        standin.pod_fault(&pod, Fault::DumpFails(Times::Always));
    }
    let before = standin.arrived("dump-cluster-profiler");
    standin
        .wait_until(move |state| state.arrived("dump-cluster-profiler") > before + 3)
        .await;
    standin.clear_faults();
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert!(!manifest.snapshots.is_empty());
    assert!(manifest.pods.iter().all(|pod| pod.state == State::Complete));
}

#[tokio::test]
async fn a_pod_that_cannot_be_dumped_is_noted_and_no_fault() {
    let standin = standin().await;
    let pod = standin.pods().remove(3);
    let place = with_snapshots(&standin);
    let mut child = place.spawn();
    place.until_ready().await;
    standin.set_ready(&pod, false);
    taken_by(&place, &mut child, 1).await;
    standin.set_ready(&pod, true);
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    let first = manifest.snapshots.first().expect("a snapshot");
    assert_eq!(first.pods, Some(7));
    let why = first.why.as_deref().expect("a reason");
    assert!(why.contains(&pod), "{why}");
}

#[tokio::test]
async fn a_pod_that_is_gone_at_the_end_has_what_it_had_within_the_window() {
    let standin = standin().await;
    let place = with_snapshots(&standin);
    let mut child = place.spawn();
    taken_by(&place, &mut child, 1).await;
    let pod = standin.pods().remove(0);
    standin.remove_pod(&pod);
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    let shipped = place.shipped();
    let gone = shipped.pod(&pod);
    assert_eq!(gone.state, State::Missing);
    assert!(gone.files.is_empty() && gone.snapshots.len() >= 2);
}

#[tokio::test]
async fn the_next_attempt_ships_what_one_that_was_killed_had_taken() {
    let standin = standin().await;
    let place = with_snapshots(&standin);
    let mut child = place.spawn_short_lease();
    taken_by(&place, &mut child, 1).await;
    child.kill().await.expect("it is killed");
    let ended = place.ended(place.spawn_short_lease()).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert!(!manifest.snapshots.is_empty());
    assert!(manifest.pods.iter().all(|pod| pod.snapshots.len() >= 2));
    assert_eq!(left(&place), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_an_earlier_window_left_is_not_shipped() {
    let standin = standin().await;
    let place = with_snapshots(&standin).with("PROFILER_SETTLE", "50ms");
    let old = place.path("tmp/cluster-profiler-snapshots-profile-test-run/001-1s");
    std::fs::create_dir_all(old.join(standin.pods().remove(0))).expect("a directory");
    assert_eq!(place.run().await.code, 0);
    assert!(place.shipped().manifest.snapshots.is_empty());
    assert_eq!(left(&place), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_profile_that_cannot_be_read_is_left_out_and_costs_nothing_else() {
    let standin = standin().await;
    let place = with_snapshots(&standin);
    let mut child = place.spawn();
    taken_by(&place, &mut child, 1).await;
    let pod = standin.pods().remove(0);
    let first = listing(&left(&place).remove(0));
    let first = first.iter().min().expect("a snapshot");
    std::fs::write(first.join(&pod).join("heap.pprof"), "cut").expect("a file");
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    let warnings = shipped.manifest.warnings.join("\n");
    assert!(
        warnings.contains("snapshots are left out") && warnings.contains(&pod),
        "{warnings}"
    );
    let taken = shipped.manifest.pods.iter().map(|pod| pod.snapshots.len());
    assert_eq!(taken.clone().min(), taken.max().map(|most| most - 1));
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_kept_is_the_last_and_says_so() {
    let standin = standin().await;
    let place = with_snapshots(&standin);
    let pod = standin.pods().remove(0);
    let child = place.spawn();
    place.until_ready().await;
    // A file stands where the pod's directory is to be.
    let all = place.path("tmp/cluster-profiler-snapshots-profile-test-run/001-1s");
    std::fs::create_dir_all(&all).expect("a directory");
    std::fs::write(all.join(&pod), "in the way").expect("a file");
    while whys(&place).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.snapshots.len(), 1);
    assert_eq!(manifest.snapshots[0].pods, None);
    assert!(manifest.pods.iter().all(|pod| pod.snapshots.is_empty()));
}

/// Why snapshots lack something, of those that came to their end.
fn whys(place: &Place) -> Vec<String> {
    let directories = left(place).into_iter().flat_map(|all| listing(&all));
    let records = directories.filter_map(|one| std::fs::read(one.join("snapshot.json")).ok());
    let whys = records.filter_map(|json| {
        let record: serde_json::Value = serde_json::from_slice(&json).ok()?;
        Some(record["why"].as_str()?.to_owned())
    });
    whys.filter(|why| why.contains("could not be kept"))
        .collect()
}

/// An attempt that finds no snapshots says so where one that died may have had some.
#[tokio::test]
async fn snapshots_that_are_lost_are_warned_of() {
    for every in ["1s", "1h"] {
        let standin = standin().await;
        let place = with_snapshots(&standin).with("PROFILER_SNAPSHOT_EVERY", every);
        let mut child = place.spawn_short_lease();
        place.until_ready().await;
        if every == "1s" {
            taken_by(&place, &mut child, 1).await;
        }
        child.kill().await.expect("it is killed");
        for directory in left(&place) {
            std::fs::remove_dir_all(directory).expect("it is removed");
        }
        let ended = place.ended(place.spawn_short_lease()).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let warnings = place.shipped().manifest.warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("there are no snapshots"),
            "{warnings:?}"
        );
    }
}

#[tokio::test]
async fn none_is_missed_of_a_window_that_was_too_short_for_any() {
    let standin = standin().await;
    standin.pod_fault(&standin.pods()[0], Fault::DumpFails(Times::Always));
    let place = with_snapshots(&standin)
        .with("PROFILER_SNAPSHOT_EVERY", "1h")
        .with("PROFILER_GRACE", "10m");
    let child = place.spawn();
    place.until_ready().await;
    send(&child, Signal::TERM);
    assert_eq!(place.ended(child).await.code, 143);
    standin.clear_faults();
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(place.shipped().manifest.warnings, Vec::<String>::new());
}

/// A run in this process that takes so many snapshots at the most, ended once that many records are whole.
#[tokio::test]
async fn the_last_that_may_be_taken_says_so() {
    let standin = standin().await;
    let place = with_snapshots(&standin);
    let limits = Limits {
        snapshots: 2,
        ..Limits::default()
    };
    let (_signals, receiver) = mpsc::channel(1);
    let run = run_with(place.variables(), receiver, limits, configured);
    let ends = async {
        until("two snapshots", || taken(&place) == 2).await;
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
    };
    assert_eq!(tokio::join!(run, ends).0, ExitCode::Complete);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.snapshots.len(), 2);
    let whys = manifest.snapshots.iter().map(|of| of.why.as_deref());
    let is_last = whys.map(|why| {
        why.unwrap_or_default()
            .contains("it is the last: 2 are the most")
    });
    assert_eq!(is_last.collect::<Vec<_>>(), [false, true]);
}

/// One that takes longer than the time between two leaves some out, and its record says how many.
#[tokio::test]
async fn those_that_were_due_meanwhile_are_counted_in_the_record_of_a_late_one() {
    let standin = standin().await;
    let place = with_snapshots(&standin);
    let child = place.spawn();
    place.until_ready().await;
    for pod in standin.pods() {
        standin.pod_fault(&pod, Fault::Slow(std::time::Duration::from_secs(3)));
    }
    until("a late one", || taken(&place) == 1).await;
    standin.clear_faults();
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    let why = manifest.snapshots[0].why.as_deref().unwrap_or_default();
    assert!(why.contains("due meanwhile were not taken"), "{why:?}");
}

/// The directories of a run beside its archive, as one that was killed leaves them.
fn leave(place: &Place, run_id: &str) -> [PathBuf; 2] {
    ["baseline", "snapshots"].map(|what| {
        let name = format!("tmp/cluster-profiler-{what}-profile-{run_id}");
        std::fs::create_dir_all(place.path(&name).join("001-1s")).expect("a directory");
        place.path(&name)
    })
}

#[tokio::test]
async fn a_run_that_is_there_already_removes_what_an_attempt_left_beside_its_archive() {
    let standin = standin().await;
    let place = with_snapshots(&standin).with("PROFILER_SETTLE", "50ms");
    assert_eq!(place.run().await.code, 0);
    let directories = leave(&place, "test-run");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("already there"), "{}", ended.log);
    assert!(directories.iter().all(|directory| !directory.exists()));
}

#[tokio::test]
async fn a_run_that_discards_anothers_window_removes_what_that_left_in_the_same_directory() {
    let standin = standin().await;
    let mut place = with_snapshots(&standin);
    let mut child = place.spawn_short_lease();
    taken_by(&place, &mut child, 1).await;
    child.kill().await.expect("it is killed");
    leave(&place, "test-run");
    // One that nobody has discarded yet.
    let others = leave(&place, "third");
    place.set("PROFILER_RUN_ID", "another");
    place.set("PROFILER_SETTLE", "50ms");
    let ended = place.ended(place.spawn_short_lease()).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let there = listing(&place.path("tmp")).into_iter();
    let there = there.filter(|path| path.display().to_string().contains("cluster-profiler-"));
    let mut there: Vec<_> = there
        .filter(|path| path.to_string_lossy().contains("-profile-"))
        .collect();
    there.sort();
    assert_eq!(there, others);
}

/// A run's id and a pod's name that leave room for each other, but for no snapshot's path.
#[tokio::test]
async fn a_path_that_a_snapshot_would_have_is_proved_before_anything_is_changed() {
    let standin = standin().await;
    let pod = format!("virt-handler-{}", "x".repeat(55));
    standin.add_pod(&pod, Some("virt-handler"));
    let run_id = "r".repeat(100);
    let place = Place::new(&standin).with("PROFILER_RUN_ID", &run_id);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let starts = standin.starts();
    let place = Place::new(&standin)
        .with("PROFILER_RUN_ID", &run_id)
        .with("PROFILER_SNAPSHOT_EVERY", "1h");
    let ended = place.run().await;
    assert_ne!(ended.code, 0);
    let reason = ended.termination["reason"].to_string();
    assert!(reason.contains("snapshots/"), "{reason}");
    assert_eq!(standin.starts(), starts);
}
