//! Upstream's program as the engine, played by `tests/programs/scripted_profiler.rs`: what it
//! delivers is shipped as it is, and what it does not is fetched natively.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use bucket::{Answer, Fault as BucketFault};
use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::{Sha256, State};
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use standin::{Damage, Fault, Options, Profiles, RouteAnswer, RouteFault, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::{Ended, Place, Shipped, example, file_name, listing, send, until};
use crate::lock::{LEASE, record};
use crate::proto_reader::timeless;
use crate::s3::{bucket, into};

async fn standin(options: Options) -> Standin {
    Standin::start(options).await.expect("a stand-in")
}

/// Fourteen pods: eight of them handlers, which are several pages.
async fn fourteen() -> Standin {
    let pods = 14;
    standin(Options {
        pods,
        ..Options::default()
    })
    .await
}

/// A place for a run with the program, which fails as `script` says.
pub(crate) fn place(standin: &Standin, script: &str) -> Place {
    let place = Place::new(standin)
        .with("PROFILER_ENGINE", "cluster-profiler")
        .with("PROFILER_PROGRAM", example("scripted-profiler").display());
    std::fs::write(place.path("script"), script).expect("a script");
    place
}

/// What the program was called with, call after call.
pub(crate) fn calls(place: &Place) -> Vec<Value> {
    let calls = std::fs::read_to_string(place.path("calls")).unwrap_or_default();
    let parse = |line| serde_json::from_str(line).expect("a line of JSON");
    calls.lines().map(parse).collect()
}

/// Asserts that nothing of the program is left: no process, no directory.
fn assert_gone(place: &Place) {
    for call in calls(place) {
        let pid = call["pid"].as_i64().expect("a pid");
        let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
        assert!(test_kill_process(pid).is_err(), "{pid:?} still runs");
    }
    let mut left = listing(&place.path("tmp"));
    left.retain(|path| file_name(path).starts_with("cluster-profiler-dump-"));
    assert!(left.is_empty(), "{left:?}");
}

/// How many pods the native engine dumped: its pages have one pod.
fn fetched_natively(standin: &Standin) -> usize {
    let native = |seen: &&standin::Seen| seen.body.contains(r#""pageSize":1}"#);
    standin.requests().iter().filter(native).count()
}

/// A manifest without what differs from run to run.
fn essence(shipped: &Shipped) -> Value {
    let begin = format!("{:.0}", shipped.manifest.window.start);
    let manifest = serde_json::to_string(&shipped.manifest).expect("JSON");
    let manifest = manifest.replace(&begin, "its begin");
    let mut manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    let fields = manifest.as_object_mut().expect("an object");
    for name in ["engine", "window", "archive", "phases", "peak_memory_bytes"] {
        fields.remove(name).expect(name);
    }
    for pod in fields["pods"].as_array_mut().expect("pods") {
        let pod = pod.as_object_mut().expect("a pod");
        pod.remove("engine");
        pod.remove("dumped_at").expect("a time");
        // Held against the archive they are already, and the archives against each other.
        for file in pod["files"].as_array_mut().expect("files") {
            *file = file["path"].take();
        }
    }
    manifest
}

/// Asserts that both runs shipped the same files of the same pods, but for those that end so.
fn assert_same(one: &Shipped, other: &Shipped, but_for: &str) {
    let names = |shipped: &Shipped| shipped.files.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(one), names(other));
    for (path, content) in &one.files {
        let other = &other.files[path];
        let same = if path.ends_with(".pprof") {
            timeless(content) == timeless(other)
        } else {
            content == other
        };
        assert!(same || path.ends_with(but_for), "{path} differs");
    }
    assert_eq!(essence(one), essence(other));
}

/// A run with the program, which ends complete and with the archive that the native engine makes;
/// only the cpu profile says when it was taken. And how many pods were fetched natively in it.
async fn as_native(standin: &Standin, script: &str) -> (Ended, usize) {
    let native = Place::new(standin);
    assert_eq!(native.run().await.code, 0);
    let before = fetched_natively(standin);
    let place = place(standin, script);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{script}: {}", ended.log);
    assert_same(&native.shipped(), &place.shipped(), "/cpu.pprof");
    assert_gone(&place);
    (ended, fetched_natively(standin) - before)
}

fn assert_said(ended: &Ended, what: &str) {
    assert!(ended.log.contains(what), "no {what:?} in:\n{}", ended.log);
}

#[tokio::test]
async fn both_engines_give_the_same_archive() {
    let options = Options {
        pods: 14,
        unrelated: 25,
        launchers: 3,
        ..Options::default()
    };
    let standin = standin(options).await;
    let (ended, native) = as_native(&standin, "").await;
    assert_eq!(native, 0, "{}", ended.log);
    assert!(!ended.log.contains("WARN"), "{}", ended.log);
    assert_said(&ended, "SUCCESS: Dumped PProf 8 results");
    assert!(ended.log.lines().count() < 20, "{}", ended.log);
}

#[tokio::test]
async fn both_engines_give_the_same_but_for_its_time() {
    let options = Options {
        pods: 14,
        stamp_cpu: false,
        ..Options::default()
    };
    let standin = standin(options).await;
    let (native, program) = (Place::new(&standin), place(&standin, ""));
    // The cpu profiles are older than the window, and both say so.
    assert_eq!(native.run().await.code, 5);
    assert_eq!(program.run().await.code, 5);
    let (native, program) = (native.shipped(), program.shipped());
    assert_eq!(native.files.len(), 14 * 13 + 1);
    assert_same(&native, &program, " nothing");
    let as_served = |path: &str| path.contains("/original/") || path.ends_with("/cpu.pprof");
    let files = |shipped: &Shipped| -> Vec<_> {
        let pods = shipped.manifest.pods.iter();
        let mut files: Vec<_> = pods.flat_map(|pod| pod.files.clone()).collect();
        for file in files.iter_mut().filter(|file| !as_served(&file.path)) {
            (file.bytes, file.sha256) = (0, Sha256([0; 32]));
        }
        files
    };
    assert_eq!(files(&native), files(&program));
}

#[tokio::test]
async fn both_engines_tell_of_the_same_pods_that_do_not_count() {
    let standin = fourteen().await;
    let unready = standin.pods().pop().expect("a pod");
    standin.set_ready(&unready, false);
    let (_, native) = as_native(&standin, "").await;
    assert_eq!(native, 0);
    let place = place(&standin, "");
    assert_eq!(place.run().await.code, 0);
    assert_eq!(place.shipped().manifest.uncounted[0].name, unready);
}

#[tokio::test]
async fn the_program_is_called_as_documented() {
    let standin = fourteen().await;
    let place = place(&standin, "").with("PROFILER_PAGE_SIZE", 3);
    assert_eq!(place.run().await.code, 0);
    let calls = calls(&place);
    let components = [
        "virt-controller",
        "virt-api",
        "virt-operator",
        "virt-handler",
    ];
    assert_eq!(calls.len(), components.len());
    for (call, component) in calls.iter().zip(components) {
        let arguments: Vec<_> = call["arguments"]
            .as_array()
            .expect("a list")
            .iter()
            .collect();
        let directory = arguments[3].as_str().expect("a path");
        let tmp = place.path("tmp").display().to_string();
        assert!(directory.starts_with(&tmp), "{directory}");
        assert!(directory.ends_with(&format!("/{component}")), "{directory}");
        let selector = format!("kubevirt.io={component}");
        let expected = [
            "--cmd",
            "dump",
            "--output-dir",
            directory,
            "--page-size",
            "3",
            "--l",
            &selector,
        ];
        assert_eq!(arguments, expected);
        let kubeconfig = place.path("kubeconfig").display().to_string();
        assert_eq!(call["kubeconfig"], kubeconfig);
    }
}

#[tokio::test]
async fn the_pods_of_a_page_are_read_at_once_up_to_the_cores() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let standin = standin(Options {
        pods: 8,
        profiles: Profiles::Large,
        ..Options::default()
    })
    .await;
    for (concurrency, at_least) in [(8, cores.min(2)), (1, 1)] {
        let place = place(&standin, "")
            .with("PROFILER_PAGE_SIZE", 4)
            .with("PROFILER_CONCURRENCY", concurrency);
        let child = place.spawn();
        let tasks = format!("/proc/{}/task", child.id().expect("an id"));
        let ended = tokio::spawn(async move { place.ended(child).await });
        let mut most = 0;
        while !ended.is_finished() {
            let names = std::fs::read_dir(&tasks).into_iter().flatten().flatten();
            let names =
                names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
            most = most.max(names.filter(|name| name == "landing\n").count());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ended = ended.await.expect("an end");
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert!(most >= at_least, "{most} of {cores}");
        assert!(most <= cores.min(concurrency), "{most} of {cores}");
    }
}

#[tokio::test]
async fn a_narrowed_run_calls_it_for_the_chosen_components_alone() {
    let standin = fourteen().await;
    let place = place(&standin, "").with("PROFILER_COMPONENTS", "virt-handler,virt-api");
    assert_eq!(place.run().await.code, 0);
    assert_eq!(calls(&place).len(), 2);
    assert_eq!(place.shipped().manifest.pods.len(), 10);
}

#[tokio::test]
async fn what_it_does_not_deliver_is_fetched_natively() {
    // Of the handlers, four were written when it ended; the other components are one page each.
    for (script, rest, said) in [
        (
            "exit-after:4",
            4..=4,
            "ended with exit status: 1: 2026/01/02",
        ),
        ("success-after:4", 4..=4, "4 of 8 pods are not there whole"),
        // Two whole ones stood beside the half one: they count if they were seen before it.
        ("half-pod", 6..=8, "no space left on device"),
    ] {
        let (ended, native) = as_native(&fourteen().await, script).await;
        assert!(rest.contains(&native), "{script}: {native}: {}", ended.log);
        assert_said(&ended, "cluster-profiler fell short");
        assert_said(&ended, said);
        assert_said(&ended, "fetching the rest natively");
    }
}

#[tokio::test]
async fn pods_without_all_their_files_are_fetched_natively() {
    for script in ["lacking:mutex.pprof", "link:heap.pprof"] {
        let (ended, native) = as_native(&fourteen().await, script).await;
        assert_eq!(native, 14, "{script}: {}", ended.log);
        assert_said(&ended, "8 of 8 pods are not there whole");
    }
}

#[tokio::test]
async fn a_pod_is_not_taken_before_it_is_whole() {
    let (ended, native) = as_native(&fourteen().await, "early").await;
    assert_eq!(native, 0, "{}", ended.log);
}

#[tokio::test]
async fn noise_does_no_harm() {
    let (ended, native) = as_native(&fourteen().await, "garbage").await;
    assert_eq!(native, 0, "{}", ended.log);
    assert!(ended.log.len() < 100_000, "{} bytes", ended.log.len());
}

#[tokio::test]
async fn names_that_nobody_asked_for_are_refused() {
    for (script, name) in [
        ("extra-dir:virt-handler-else", "virt-handler-else"),
        ("extra-link:etc", "etc"),
        ("extra-file:notes", "notes"),
    ] {
        let standin = standin(Options::default()).await;
        let place = place(&standin, script);
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{script}: {}", ended.log);
        let shipped = place.shipped();
        let refused = &shipped.manifest.refused;
        assert!(refused.iter().all(|refused| refused.name == name));
        let pages: Vec<_> = refused.iter().map(|refused| &refused.page_of).collect();
        let components = [
            "virt-controller",
            "virt-api",
            "virt-operator",
            "virt-handler",
        ];
        assert_eq!(pages, components, "{script}");
        assert_eq!(fetched_natively(&standin), 0, "{script}: {}", ended.log);
        assert_gone(&place);
    }
}

#[tokio::test]
async fn file_names_that_are_no_profile_are_refused() {
    let standin = standin(Options::default()).await;
    let pod = standin.pods().pop().expect("a pod");
    let damage = Damage::ExtraFiles(vec!["core".to_owned()]);
    standin.pod_fault(&pod, Fault::Damaged(damage, Times::Always));
    let place = place(&standin, "");
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    let refused = &shipped.manifest.refused;
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].name.as_str(), &refused[0].page_of),
        ("core", &pod)
    );
    assert_eq!(fetched_natively(&standin), 0);
}

#[tokio::test]
async fn a_pod_that_always_fails_is_alone_in_missing() {
    let standin = fourteen().await;
    let pods = standin.pods();
    let mut handlers = pods.iter().filter(|pod| pod.starts_with("virt-handler-"));
    let pod = handlers.nth(3).expect("a handler");
    standin.pod_fault(pod, Fault::DumpFails(Times::Always));
    let place = place(&standin, "");
    let ended = place.run().await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    for other in &place.shipped().manifest.pods {
        let complete = other.state == State::Complete;
        assert_eq!(complete, other.pod.name != *pod, "{}", other.pod.name);
    }
    assert_said(&ended, "cluster-profiler fell short");
}

#[tokio::test]
async fn a_pod_that_came_in_the_window_takes_no_other_down() {
    let standin = fourteen().await;
    let pod = standin.pods().pop().expect("a pod");
    standin.set_ready(&pod, false);
    let place = place(&standin, "").with("PROFILER_SETTLE", "1s");
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 13)
        .await;
    standin.set_ready(&pod, true);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.pods.len(), 13);
    assert_eq!(manifest.uncounted[0].name, pod);
    assert!(manifest.refused.is_empty(), "{:?}", manifest.refused);
}

#[tokio::test]
async fn a_pod_that_does_not_count_is_not_refused_though_it_was_dumped() {
    let standin = fourteen().await;
    // It has data: from this run, which reaches it.
    assert_eq!(place(&standin, "").run().await.code, 0);
    let pod = standin.pods().pop().expect("a pod");
    standin.set_ready(&pod, false);
    let place = place(&standin, "").with("PROFILER_SETTLE", "1s");
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 13)
        .await;
    standin.set_ready(&pod, true);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!ended.log.contains("fell short"), "{}", ended.log);
    assert_said(&ended, "SUCCESS: Dumped PProf 8 results");
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.pods.len(), 13);
    assert_eq!(manifest.uncounted[0].name, pod);
    assert!(manifest.refused.is_empty(), "{:?}", manifest.refused);
}

#[tokio::test]
async fn a_program_that_is_none_is_told_of_and_done_without() {
    let standin = fourteen().await;
    let text = Place::empty();
    std::fs::write(text.path("program"), "no program").expect("a file");
    for (program, why) in [
        (PathBuf::from("/nonexistent"), "No such file"),
        (text.path("program"), "Permission denied"),
    ] {
        let place = place(&standin, "").with("PROFILER_PROGRAM", program.display());
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert_said(&ended, why);
        assert_said(&ended, &program.display().to_string());
        assert_eq!(ended.log.matches("it cannot be run").count(), 1);
        assert_eq!(place.shipped().manifest.pods.len(), 14);
        assert_gone(&place);
    }
}

#[tokio::test]
async fn a_hang_is_ended() {
    for script in ["hang-after:2", "chatter-after:2"] {
        let standin = fourteen().await;
        let place = place(&standin, script);
        let limits = Limits {
            call: Duration::from_secs(1),
            idle: Duration::from_secs(1),
            ..Limits::default()
        };
        let (_signals, receiver) = mpsc::channel(1);
        // This process has no KUBECONFIG of its own that the program could find.
        let code = run_with(place.variables(), receiver, limits, configured).await;
        assert_eq!(code, ExitCode::Complete, "{script}");
        assert_eq!(calls(&place).len(), 1, "it was called again");
        assert_eq!(fetched_natively(&standin), 12, "{script}");
        assert_eq!(place.shipped().manifest.pods.len(), 14);
        assert_gone(&place);
    }
}

#[tokio::test]
async fn told_to_stop_it_leaves_nothing_behind() {
    let standin = fourteen().await;
    // The dump's share of it is one second.
    let place = place(&standin, "hang-after:2").with("PROFILER_GRACE", "16s");
    let child = place.spawn();
    standin
        .wait_until(|state| state.arrived("dump-cluster-profiler") >= 2)
        .await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert_eq!(calls(&place).len(), 1);
    assert_gone(&place);
}

/// A kill for want of memory takes the runner with the program.
#[tokio::test]
async fn an_attempt_after_one_that_was_killed_in_the_programs_dump_is_native() {
    let standin = fourteen().await;
    let place = place(&standin, "hang-after:2");
    let mut child = place.spawn_short_lease();
    until("a call of the program", || !calls(&place).is_empty()).await;
    child.kill().await.expect("it runs");
    let pid = calls(&place)[0]["pid"]
        .as_i64()
        .and_then(|pid| Pid::from_raw(pid as i32));
    kill_process(pid.expect("a pid"), Signal::KILL).expect("it hangs");
    assert_eq!(
        record(&standin).expect("a record")["dumping"],
        "cluster-profiler"
    );
    let ended = place.ended(place.spawn_short_lease()).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_said(&ended, "the native engine dumps instead");
    assert_eq!(calls(&place).len(), 1, "it was called again");
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.engine, "native");
    assert!(
        manifest.warnings[0].contains("the cluster-profiler engine was dumping"),
        "{:?}",
        manifest.warnings
    );
    assert!(
        manifest
            .pods
            .iter()
            .all(|pod| pod.engine.as_deref() == Some("native"))
    );
    assert_eq!((standin.starts(), record(&standin)), (1, None));
}

/// The runner lives when the program dies alone, or ends the run for another cause: nothing is held against it.
#[tokio::test]
async fn an_attempt_after_one_that_outlived_the_programs_dump_is_the_programs() {
    let (standin, bucket) = (fourteen().await, bucket().await);
    let place = into(&bucket, &standin)
        .with("PROFILER_ENGINE", "cluster-profiler")
        .with("PROFILER_PROGRAM", example("scripted-profiler").display());
    let denied = Answer::Refused(403, "AccessDenied");
    bucket.fault(BucketFault::always("PUT", ".tar.gz", denied));
    let ended = place.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    assert!(!calls(&place).is_empty());
    let left = record(&standin).expect("a record");
    assert_eq!(left["stage"], "stopped");
    assert_eq!(left.get("dumping"), None);
}

/// What cannot be noted is not begun.
#[tokio::test]
async fn the_program_is_not_called_where_that_cannot_be_noted() {
    let standin = fourteen().await;
    let place = place(&standin, "").with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    place.until_ready().await;
    let refused = RouteAnswer::Status(503);
    standin.route_fault(RouteFault::new(LEASE, refused, Times::Always));
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let dumps = standin.arrived("dump-cluster-profiler");
    standin
        .wait_until(|state| state.arrived("dump-cluster-profiler") > dumps)
        .await;
    standin.clear_faults();
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_said(&ended, "it could not be noted in the Lease");
    assert!(calls(&place).is_empty());
    assert_eq!(place.shipped().manifest.engine, "native");
}
