//! What an attempt shipped is not lost to the next one.

use std::mem::MaybeUninit;
use std::path::Path;
use std::time::Duration;

use cluster_profiler_job::file::write_whole;
use cluster_profiler_job::manifest::{Manifest, State};
use cluster_profiler_job::outcome::ExitCode;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::Signal;
use standin::{Fault, RouteAnswer, RouteFault, Standin, Times};

use crate::harness::{Place, RUN_ID, Shipped, listing, send, standin, until};
use crate::lock::{long_and_restoring, off, record};
use crate::patience::{run, window_is_open};

pub(crate) fn complete(manifest: &Manifest) -> usize {
    let pods = manifest.pods.iter();
    pods.filter(|pod| pod.state == State::Complete).count()
}

/// A run that was told to stop and shipped all pods but one, whose dump fails.
pub(crate) async fn shipped_but_one() -> (Standin, Place) {
    let standin = standin().await;
    standin.pod_fault(&standin.pods()[0], Fault::DumpFails(Times::Always));
    let place = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "10m");
    let code = run(&place, async |signals| {
        window_is_open(&place).await;
        signals.send(ExitCode::Terminated).await.expect("it runs");
    });
    assert_eq!(code.await, ExitCode::Terminated);
    assert_eq!(complete(&place.shipped().manifest), 7);
    assert_eq!(record(&standin).expect("a record")["stage"], "stopped");
    standin.clear_faults();
    (standin, place)
}

fn dumps_fail(standin: &Standin, pods: &[String]) {
    for pod in pods {
        standin.pod_fault(pod, Fault::DumpFails(Times::Always));
    }
}

#[tokio::test]
async fn an_attempt_that_brings_more_replaces_what_was_there() {
    let (standin, place) = shipped_but_one().await;
    assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Complete);
    assert_eq!(complete(&place.shipped().manifest), 8);
    assert_eq!((standin.starts(), record(&standin)), (1, None));
}

#[tokio::test]
async fn an_attempt_that_brings_less_leaves_what_was_there() {
    let (standin, place) = shipped_but_one().await;
    // What was to be said of it then is to be said of it still.
    let warned = place.out().join(format!("profile-{RUN_ID}.json"));
    edit(&warned, |json| {
        json["warnings"] = serde_json::json!(["the clock was set back"])
    });
    let before = place.shipped().manifest;
    dumps_fail(&standin, &standin.pods()[1..]);
    assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Incomplete);
    let after = place.shipped().manifest;
    assert_eq!(complete(&after), 7);
    assert_eq!(after.archive, before.archive);
    assert_eq!(after.warnings, ["the clock was set back"]);
    assert!(place.leftovers().is_empty(), "{:?}", place.leftovers());
    assert_eq!(record(&standin), None);
    // It is there for good now.
    let ended = place.run().await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    assert_eq!(standin.starts(), 1);
}

/// To put the gate back takes minutes where the API server is in trouble, and the next attempt may find fewer pods.
#[tokio::test]
async fn an_attempt_that_dies_putting_the_gate_back_has_shipped() {
    let standin = off().await;
    let before = standin.configuration();
    let place = long_and_restoring(&standin);
    let mut child = place.spawn();
    window_is_open(&place).await;
    let answer = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new(
        "/kubevirts/kubevirt",
        answer,
        Times::Always,
    ));
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    until("a manifest", || place.manifest().is_some()).await;
    child.kill().await.expect("it runs");
    let first = place.shipped().manifest;
    assert_eq!((complete(&first), first.exit_code), (8, 75));
    assert!(first.gate.after, "{:?}", first.gate);
    standin.clear_faults();
    standin.remove_pod(&standin.pods()[0]);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!((standin.configuration(), record(&standin)), (before, None));
    assert_is_up_to_date(&place, &first);
    assert_eq!(standin.starts(), 1);
}

/// The manifest says what the run has come to, and all else that the attempt has said which died.
fn assert_is_up_to_date(place: &Place, first: &Manifest) {
    let last = place.shipped().manifest;
    assert_eq!((last.exit_code, last.gate.after), (0, false), "{last:?}");
    assert!(
        last.reason.starts_with("all 8 pods are complete"),
        "{}",
        last.reason
    );
    let expected = Manifest {
        exit_code: last.exit_code,
        reason: last.reason.clone(),
        gate: last.gate.clone(),
        ..first.clone()
    };
    let json = |manifest: &Manifest| serde_json::to_value(manifest).expect("JSON");
    assert_eq!(json(&last), json(&expected));
}

/// It writes its manifest itself when it has put the gate back.
#[tokio::test]
async fn the_manifest_of_an_attempt_that_still_puts_the_gate_back_is_left_to_it() {
    let standin = off().await;
    let place = long_and_restoring(&standin);
    let child = place.spawn_short_lease();
    window_is_open(&place).await;
    let answer = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new(
        "/kubevirts/kubevirt",
        answer,
        Times::Always,
    ));
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    until("a manifest", || place.manifest().is_some()).await;
    let ended = place.ended(place.spawn_short_lease()).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("already there"), "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert_eq!((manifest.exit_code, manifest.gate.after), (75, true));
    standin.clear_faults();
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert_eq!((manifest.exit_code, manifest.gate.after), (0, false));
}

/// Another run, or `undo`, has put back what it had changed.
#[tokio::test]
async fn the_manifest_of_a_dead_attempt_is_brought_up_to_date_whoever_put_the_gate_back() {
    let standin = off().await;
    let before = standin.configuration();
    let place = long_and_restoring(&standin);
    let mut child = place.spawn_short_lease();
    window_is_open(&place).await;
    let answer = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new(
        "/kubevirts/kubevirt",
        answer,
        Times::Always,
    ));
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    until("a manifest", || place.manifest().is_some()).await;
    child.kill().await.expect("it runs");
    let first = place.shipped().manifest;
    standin.clear_faults();
    let undone = place.run_with(&["undo"]).await;
    assert_eq!(undone.code, 0, "{}", undone.log);
    assert_eq!((standin.configuration(), record(&standin)), (before, None));
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_is_up_to_date(&place, &first);
    assert_eq!(standin.starts(), 1);
}

/// What is there cannot become better by this attempt, and so it is final, as it is where an attempt brings less:
/// repeated, the Job would end without a result though there is one.
#[tokio::test]
async fn an_attempt_that_brings_nothing_leaves_what_was_there_for_good() {
    let all_fail = |standin: &Standin| dumps_fail(standin, &standin.pods());
    let all_are_gone = |standin: &Standin| {
        for pod in standin.pods() {
            standin.replace(&pod);
        }
    };
    for break_all in [all_fail, all_are_gone] {
        let (standin, place) = shipped_but_one().await;
        let before = place.shipped().manifest;
        break_all(&standin);
        assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Incomplete);
        let after = place.shipped().manifest;
        assert_eq!(complete(&after), 7);
        assert_eq!(after.archive, before.archive);
        assert_eq!(after.exit_code, 5);
        assert!(place.leftovers().is_empty(), "{:?}", place.leftovers());
        assert_eq!(record(&standin), None);
        // No other attempt dumps again.
        let dumps = standin.arrived("dump-cluster-profiler");
        assert_eq!(place.run().await.code, 5);
        assert_eq!(standin.arrived("dump-cluster-profiler"), dumps);
        assert_eq!(standin.starts(), 1);
    }
}

/// An archive that is enough, by PROFILER_MIN_COMPLETE, ends the run well.
#[tokio::test]
async fn an_attempt_that_brings_nothing_ends_as_what_was_there_is_due_to() {
    let (standin, place) = shipped_but_one().await;
    dumps_fail(&standin, &standin.pods());
    let place = place.with("PROFILER_MIN_COMPLETE", "50%");
    assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Complete);
    assert_eq!(complete(&place.shipped().manifest), 7);
}

/// The pods have it still, and the next attempt may fetch it.
#[tokio::test]
async fn an_attempt_without_an_earlier_archive_that_brings_nothing_is_repeated() {
    let standin = standin().await;
    dumps_fail(&standin, &standin.pods());
    let place = Place::new(&standin);
    assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Retry);
    assert_eq!(place.manifest().map(|manifest| manifest.exit_code), None);
}

fn edit(manifest: &Path, edit: impl FnOnce(&mut serde_json::Value)) {
    let json = std::fs::read(manifest).expect("a manifest");
    let mut json = serde_json::from_slice(&json).expect("JSON");
    edit(&mut json);
    std::fs::write(manifest, json.to_string()).expect("a file");
}

/// It is not overwritten, for nobody knows what it is worth, and what is dumped is not thrown away for it. Of one
/// without a window only the counts can be read, which say that it has more.
#[tokio::test]
async fn what_is_dumped_goes_beside_an_earlier_manifest_that_cannot_be_understood() {
    type Damage = fn(&mut serde_json::Value);
    let cut: Damage = |json| *json = serde_json::json!({});
    let without_window: Damage = |json| json["window"] = serde_json::Value::Null;
    let of_another_run: Damage = |json| json["run_id"] = "another".into();
    let of_another_cluster: Damage = |json| json["kubevirt"]["uid"] = "another".into();
    let of_more_pods_than_there_are: Damage = |json| {
        let pod = json["pods"][0].clone();
        json["pods"] = vec![pod; 117].into();
    };
    for damage in [
        cut,
        without_window,
        of_another_run,
        of_another_cluster,
        of_more_pods_than_there_are,
    ] {
        let (standin, place) = shipped_but_one().await;
        let manifest = place.out().join(format!("profile-{RUN_ID}.json"));
        edit(&manifest, damage);
        let read =
            || [&manifest, &place.archive()].map(|file| std::fs::read(file).expect("a file"));
        let before = read();
        dumps_fail(&standin, &standin.pods()[1..]);
        assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Incomplete);
        assert!(read() == before, "what was there stays as it is");
        let file = |ending| {
            place
                .out()
                .join(format!("profile-{RUN_ID}.beside.{ending}"))
        };
        let json = std::fs::read(file("json")).expect("a manifest");
        let archive = std::fs::read(file("tar.gz")).expect("an archive");
        let beside = serde_json::from_slice(&json).expect("a manifest");
        let beside = Shipped::held_against(beside, &archive).manifest;
        assert_eq!((complete(&beside), beside.exit_code), (1, 5));
        assert_eq!(beside.run_id, format!("{RUN_ID}.beside"));
        assert!(beside.warnings[0].contains(RUN_ID), "{:?}", beside.warnings);
        assert!(place.leftovers().is_empty(), "{:?}", place.leftovers());
        assert_eq!(record(&standin), None);
        let listed = place.run_with(&["ls"]).await.log;
        assert!(listed.contains(&format!("{RUN_ID}.beside")), "{listed}");
        assert_eq!(standin.starts(), 1);
    }
}

/// The run that lies beside what cannot be understood is there, too.
#[tokio::test]
async fn what_was_shipped_beside_it_is_found_by_the_next_attempt() {
    let (standin, place) = shipped_but_one().await;
    let manifest = place.out().join(format!("profile-{RUN_ID}.json"));
    edit(&manifest, |json| *json = serde_json::json!({}));
    assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Complete);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("already there"), "{}", ended.log);
    assert_eq!(standin.starts(), 1);
}

/// Waits, from now on, until somebody has read a file.
fn read_of(file: &Path) -> impl FnOnce() + Send + 'static {
    let watch = inotify::init(CreateFlags::CLOEXEC).expect("a watch");
    inotify::add_watch(&watch, file, WatchFlags::CLOSE_NOWRITE).expect("a watch");
    move || {
        let mut event = [MaybeUninit::uninit(); 512];
        let mut events = inotify::Reader::new(watch, &mut event);
        events.next().expect("an event");
    }
}

/// Nor does one odd read of a directory, as a file system over the network may give: the manifest is empty once.
#[tokio::test]
async fn one_odd_read_of_a_directory_does_not_hide_an_earlier_archive() {
    let (standin, place) = shipped_but_one().await;
    let manifest = place.out().join(format!("profile-{RUN_ID}.json"));
    let before = std::fs::read(place.archive()).expect("an archive");
    let unavailable = RouteAnswer::Status(503);
    // What is asked once this attempt has the Lease, and before it looks at what is there.
    standin.route_fault(RouteFault::new("/pods", unavailable, Times::Always));
    let lists = standin.arrived("pods");
    let child = place.spawn();
    standin
        .wait_until(|state| state.arrived("pods") > lists)
        .await;
    let kept = std::fs::read(&manifest).expect("a manifest");
    std::fs::write(&manifest, "{}").expect("a file");
    let read_once = tokio::task::spawn_blocking(read_of(&manifest));
    standin.clear_faults();
    dumps_fail(&standin, &standin.pods()[1..]);
    read_once.await.expect("it was read");
    write_whole(&manifest, &kept).expect("a file");
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    assert_eq!(complete(&place.shipped().manifest), 7);
    assert!(std::fs::read(place.archive()).expect("an archive") == before);
    let files = listing(&place.out());
    assert_eq!(files.len(), 2, "{files:?}");
}

#[tokio::test]
async fn an_attempt_that_is_killed_in_mid_dump_leaves_what_was_there() {
    let (standin, place) = shipped_but_one().await;
    let before = standin.arrived("dump-cluster-profiler");
    let slow = Duration::from_secs(3);
    for pod in standin.pods() {
        standin.pod_fault(&pod, Fault::Slow(slow));
    }
    let mut child = place.spawn_short_lease();
    standin
        .wait_until(|state| state.arrived("dump-cluster-profiler") >= before + 3)
        .await;
    child.kill().await.expect("it runs");
    assert_eq!(complete(&place.shipped().manifest), 7);
}

/// With the exit code that it would have had without the signal.
#[tokio::test]
async fn a_run_that_was_told_to_stop_and_shipped_everything_is_over() {
    for (workload, code) in [(None, 0), (Some("3\n"), 6)] {
        let standin = standin().await;
        let place = Place::new(&standin)
            .with("PROFILER_SETTLE", "1h")
            .with("PROFILER_GRACE", "10m");
        let child = place.spawn();
        window_is_open(&place).await;
        for pod in standin.pods() {
            standin.pod_fault(&pod, Fault::Slow(Duration::from_secs(1)));
        }
        if let Some(exit_code) = workload {
            std::fs::write(place.signal("stop"), exit_code).expect("a stop file");
            standin
                .wait_until(|state| state.arrived("stop-cluster-profiler") >= 1)
                .await;
        }
        send(&child, Signal::TERM);
        let ended = place.ended(child).await;
        assert_eq!(ended.code, 143, "{}", ended.log);
        assert_eq!(complete(&place.shipped().manifest), 8);
        assert_eq!(record(&standin), None);
        let ended = place.run().await;
        assert_eq!(ended.code, code, "{}", ended.log);
        assert!(ended.log.contains("already there"), "{}", ended.log);
        assert_eq!(standin.starts(), 1);
    }
}

/// It died after its manifest, and before it could take its record away and put the gate back.
#[tokio::test]
async fn what_such_a_run_left_in_the_cluster_is_undone_by_its_next_attempt() {
    let standin = off().await;
    let before = standin.configuration();
    let place = long_and_restoring(&standin).with("PROFILER_GRACE", "10m");
    let mut child = place.spawn_short_lease();
    window_is_open(&place).await;
    let unavailable = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new(
        "/kubevirts/kubevirt",
        unavailable,
        Times::Always,
    ));
    send(&child, Signal::TERM);
    until("a manifest", || place.manifest().is_some()).await;
    child
        .kill()
        .await
        .expect("it still tries to put the gate back");
    let first = place.manifest().expect("a manifest");
    assert_eq!(first.exit_code, 143);
    standin.clear_faults();
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    // Nothing is dumped once more, for nothing could be better.
    assert!(ended.log.contains("already there"), "{}", ended.log);
    assert_eq!(standin.configuration(), before);
    assert_eq!((standin.starts(), record(&standin)), (1, None));
    assert_is_up_to_date(&place, &first);
}

/// Of as many complete pods, what only the window could bring is worth more than what is left of a pod that is not.
#[tokio::test]
async fn an_archive_with_deltas_stays_where_the_next_attempt_has_none() {
    for baseline_is_lost in [true, false] {
        let standin = standin().await;
        let pod = standin.pods().remove(0);
        standin.pod_fault(&pod, Fault::DumpFails(Times::Always));
        let place = Place::new(&standin)
            .with("PROFILER_BASELINE", "true")
            .with("PROFILER_SETTLE", "1h")
            .with("PROFILER_GRACE", "10m");
        let code = run(&place, async |signals| {
            window_is_open(&place).await;
            signals.send(ExitCode::Terminated).await.expect("it runs");
        });
        assert_eq!(code.await, ExitCode::Terminated);
        let before = place.shipped().manifest;
        let has_delta = |of: &Manifest| of.pods.iter().any(|pod| pod.in_window.is_some());
        assert_eq!((complete(&before), has_delta(&before)), (7, true));
        standin.clear_faults();
        // Of this one there is something now, though not all.
        standin.restart(&pod);
        if baseline_is_lost {
            let baseline = place.path("tmp/cluster-profiler-baseline-profile-test-run");
            std::fs::remove_dir_all(baseline).expect("it was left for this attempt");
        }
        assert_eq!(run(&place, async |_signals| {}).await, ExitCode::Incomplete);
        let shipped = place.shipped();
        let files = shipped.pod(&pod).files.len();
        let after = shipped.manifest;
        assert_eq!((complete(&after), has_delta(&after)), (7, true));
        assert_eq!(after.archive == before.archive, baseline_is_lost);
        assert_eq!(files == 0, baseline_is_lost);
        assert!(place.leftovers().is_empty(), "{:?}", place.leftovers());
    }
}
