//! The baseline: what each pod did in the window, in the archive and in the manifest.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;

use cluster_profiler_job::archive::{Baseline, Before, Spool};
use cluster_profiler_job::component::Component;
use cluster_profiler_job::manifest::{ExpectedPod, Pod, State, WindowNumbers};
use cluster_profiler_job::pprof::ProfileReader;
use rustix::process::Signal;
use standin::{Fault, Options, Profiles, Standin, Times};

use crate::goldens::golden;
use crate::google_pprof::{Said, raw, read};
use crate::harness::{Place, Shipped, listing, send};
use crate::profile_difference::{DIFFERENCES, columns, name};

/// A cluster whose processes did in the window what that of the goldens did.
async fn standin() -> Standin {
    let options = Options {
        profiles: Profiles::Window,
        ..Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

fn with_baseline(standin: &Standin) -> Place {
    Place::new(standin).with("PROFILER_BASELINE", "true")
}

/// What is left of baselines in the temporary directory.
fn left(place: &Place) -> Vec<PathBuf> {
    let is_baseline = |path: &PathBuf| path.display().to_string().contains("-baseline-");
    let there = listing(&place.path("tmp")).into_iter();
    there.filter(is_baseline).collect()
}

/// One of the numbers of `runtime.MemStats` at the end of a golden text.
fn stat(when: &str, name: &str) -> u64 {
    let text = String::from_utf8(golden(&format!("window/{when}/heap.txt"))).expect("UTF-8");
    let line = format!("# {name} = ");
    let number = text.lines().find_map(|text| text.strip_prefix(&line));
    number.expect("the number").parse().expect("a number")
}

/// The samples' values. Frames that a compiler inlined are locations of their own in a text, so stacks are told by
/// their values.
fn values(said: &Said) -> Vec<Vec<i64>> {
    let mut values: Vec<_> = said.samples.values().cloned().collect();
    values.sort();
    values
}

/// Holds a pod's differences against what pprof says of the two moments.
fn assert_as_pprof_says(shipped: &Shipped, pod: &str) {
    let numbers = numbers(shipped, pod);
    for (kind, from, names) in DIFFERENCES {
        let oracle = columns(raw(&format!("window/{}", name(kind))), from, names);
        let folder = if names[0].contains("growth") {
            "growth"
        } else {
            "delta"
        };
        let path = format!("profile-test-run/{pod}/{folder}/{}", kind.file_name());
        let Some(file) = shipped.files.get(&path) else {
            assert!(oracle.samples.is_empty(), "{path}");
            continue;
        };
        let mut profile = ProfileReader::open(Cursor::new(file)).expect("a profile");
        let header = profile.header();
        let began = numbers.baseline_at.expect("a time").as_nanosecond();
        assert_eq!(i128::from(header.time_nanos), began);
        let seconds = header.duration_nanos as f64 / 1e9;
        assert!((seconds - numbers.seconds.expect("an interval")).abs() < 1e-6);
        let said = read(&mut profile);
        assert_eq!(said.types, oracle.types, "{path}");
        // Go's text has the goroutine that writes it, at another moment than its profile.
        if folder == "delta" || !path.contains("goroutine") {
            assert_eq!(values(&said), values(&oracle), "{path}");
        }
    }
}

fn numbers<'a>(shipped: &'a Shipped, pod: &str) -> &'a WindowNumbers {
    let numbers = shipped.pod(pod).in_window.as_ref();
    numbers.expect("the numbers of the window")
}

/// The differences of a pod that are in the archive.
fn differences(shipped: &Shipped, pod: &str) -> Vec<String> {
    let files = shipped.pod(pod).files.iter().map(|file| &file.path);
    let below = files.filter_map(|path| path.strip_prefix(&format!("profile-test-run/{pod}/")));
    below
        .filter(|path| path.starts_with("delta/") || path.starts_with("growth/"))
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test]
async fn each_pod_has_what_pprof_says_of_its_two_dumps() {
    for engine in ["native", "cluster-profiler"] {
        let standin = standin().await;
        let place = with_baseline(&standin)
            .with("PROFILER_ENGINE", engine)
            .with("PROFILER_PROGRAM", "/bin/false");
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{engine}: {}", ended.log);
        let shipped = place.shipped();
        assert_eq!(shipped.manifest.pods.len(), 8);
        for pod in &shipped.manifest.pods {
            let numbers = numbers(&shipped, &pod.pod.name);
            assert_as_pprof_says(&shipped, &pod.pod.name);
            let grown = |name| Some(stat("after", name) - stat("before", name));
            assert_eq!(numbers.allocated_bytes, grown("TotalAlloc"));
            assert_eq!(numbers.allocated_objects, grown("Mallocs"));
            assert_eq!(numbers.gc_cycles, grown("NumGC"));
            assert_eq!(numbers.negative_samples, 0);
            assert!(numbers.cpu_nanoseconds.is_some_and(|cpu| cpu > 0));
            assert!(numbers.goroutines_before.is_some() && numbers.goroutines.is_some());
            let grew = numbers.live_heap_bytes.zip(numbers.live_heap_bytes_before);
            let oracle = raw("window/heap").totals();
            assert_eq!(
                grew.map(|(after, before)| after - before),
                oracle.last().copied()
            );
            assert!(!numbers.restarted && numbers.no_baseline.is_none());
            assert!(pod.mem_stats.get("PauseNs").is_none());
        }
        assert_eq!(left(&place), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn a_component_has_the_sum_of_its_pods_and_the_largest() {
    let standin = standin().await;
    let place = with_baseline(&standin);
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    let mut sums = BTreeMap::<Component, (i64, u64)>::new();
    for pod in &shipped.manifest.pods {
        let bytes = numbers(&shipped, &pod.pod.name).allocated_bytes;
        let sum = sums.entry(pod.pod.component).or_default();
        sum.0 += i64::try_from(bytes.expect("bytes")).expect("few");
        sum.1 += 1;
    }
    assert_eq!(shipped.manifest.in_window.len(), 4);
    for (component, numbers) in &shipped.manifest.in_window {
        let amount = &numbers.amounts["allocated_bytes"];
        let (sum, pods) = sums[component];
        assert_eq!((amount.sum, amount.pods), (sum, pods), "{component}");
        assert_eq!(amount.largest * pods.cast_signed(), sum, "{component}");
        assert!(amount.largest_pod.starts_with(component.name()));
    }
}

#[tokio::test]
async fn without_a_baseline_there_are_no_differences_but_what_each_pod_holds() {
    let standin = standin().await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    for pod in standin.pods() {
        assert_eq!(differences(&shipped, &pod), Vec::<String>::new());
        let numbers = numbers(&shipped, &pod);
        assert_eq!(numbers.allocated_bytes, None);
        assert_eq!(numbers.no_baseline, None);
        assert!(numbers.live_heap_bytes.is_some_and(|bytes| bytes > 0));
        assert!(numbers.goroutines.is_some_and(|count| count > 0));
    }
}

#[tokio::test]
async fn virt_api_which_serves_all_dumps_is_dumped_last_before_and_first_after() {
    let standin = standin().await;
    let place = with_baseline(&standin).with("PROFILER_CONCURRENCY", 1);
    assert_eq!(place.run().await.code, 0);
    let pods = place.shipped().manifest.pods;
    let (api, others): (Vec<&Pod>, Vec<&Pod>) = pods
        .iter()
        .partition(|pod| pod.pod.component == Component::VirtApi);
    for api in &api {
        for other in &others {
            assert!(api.dumped_at < other.dumped_at);
            let at = |pod: &Pod| {
                pod.in_window
                    .as_ref()
                    .and_then(|numbers| numbers.baseline_at)
            };
            assert!(at(api) > at(other));
        }
    }
}

#[tokio::test]
async fn a_pod_that_restarted_in_the_window_has_what_its_new_process_did() {
    let standin = standin().await;
    let place = with_baseline(&standin).with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    // From here on the run knows whom it has started.
    place.until_ready().await;
    let pod = standin.pods().remove(0);
    standin.restart(&pod);
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    assert_eq!(place.ended(child).await.code, 5);
    let shipped = place.shipped();
    let restarted = numbers(&shipped, &pod);
    assert!(restarted.restarted);
    // The stand-in's new process is as the old one was at first.
    assert_eq!(
        restarted.allocated_bytes,
        Some(stat("before", "TotalAlloc"))
    );
    let differences = differences(&shipped, &pod);
    assert!(
        differences.contains(&"delta/allocs.pprof".to_owned()),
        "{differences:?}"
    );
    assert!(
        differences.iter().all(|path| path.starts_with("delta/")),
        "{differences:?}"
    );
    let others = standin.pods().into_iter().filter(|other| *other != pod);
    for other in others {
        assert!(!numbers(&shipped, &other).restarted);
        assert_as_pprof_says(&shipped, &other);
    }
}

#[tokio::test]
async fn pods_whose_baseline_fails_are_no_fault_of_the_run() {
    let standin = standin().await;
    let failing: Vec<_> = standin.pods().into_iter().step_by(2).collect();
    for pod in &failing {
        standin.pod_fault(pod, Fault::DumpFails(Times::Always));
    }
    let place = with_baseline(&standin).with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    standin.clear_faults();
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    for pod in standin.pods() {
        assert_eq!(shipped.pod(&pod).state, State::Complete);
        let numbers = numbers(&shipped, &pod);
        if !failing.contains(&pod) {
            assert_as_pprof_says(&shipped, &pod);
            continue;
        }
        let why = numbers.no_baseline.as_deref().expect("a reason");
        assert!(why.contains("500"), "{why}");
        assert_eq!(numbers.allocated_bytes, None);
        assert_eq!(differences(&shipped, &pod), Vec::<String>::new());
    }
}

/// A run whose baseline lasts for ever, and which has begun it.
async fn in_baseline(standin: &Standin) -> (Place, tokio::process::Child) {
    for pod in standin.pods() {
        standin.pod_fault(&pod, Fault::DumpFails(Times::Always));
    }
    let place = with_baseline(standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
    let child = place.spawn_short_lease();
    standin
        .wait_until(|state| state.arrived("dump-cluster-profiler") > 3)
        .await;
    (place, child)
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_in_its_baseline_has_changed_nothing() {
    let standin = standin().await;
    standin.set_gate(false);
    let before = standin.configuration();
    let (place, child) = in_baseline(&standin).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert_eq!(standin.starts(), 0);
    assert_eq!(standin.configuration(), before);
    assert!(place.manifest().is_none() && !place.archive().exists());
    assert_eq!(left(&place), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_run_that_is_killed_in_its_baseline_begins_again() {
    let standin = standin().await;
    standin.set_gate(false);
    let before = standin.configuration();
    let (place, mut child) = in_baseline(&standin).await;
    child.kill().await.expect("it is killed");
    standin.clear_faults();
    let ended = place.ended(place.spawn_short_lease()).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    for pod in standin.pods() {
        assert_as_pprof_says(&shipped, &pod);
    }
    assert_eq!(standin.configuration(), before);
    assert_eq!(left(&place), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn an_attempt_after_one_that_was_killed_has_its_baseline_if_it_is_still_there() {
    for is_there in [true, false] {
        let standin = standin().await;
        let place = with_baseline(&standin).with("PROFILER_SETTLE", "1h");
        let mut child = place.spawn_short_lease();
        standin
            .wait_until(|state| state.profiling().len() == 8)
            .await;
        child.kill().await.expect("it is killed");
        if !is_there {
            std::fs::remove_dir_all(place.path("tmp")).expect("it goes");
            std::fs::create_dir(place.path("tmp")).expect("a directory");
        }
        let ended = place.ended(place.spawn_short_lease()).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let shipped = place.shipped();
        let warnings = shipped.manifest.warnings.join("\n");
        for pod in standin.pods() {
            if is_there {
                assert_as_pprof_says(&shipped, &pod);
                continue;
            }
            let why = numbers(&shipped, &pod).no_baseline.as_deref();
            assert!(why.expect("a reason").contains("is gone"), "{why:?}");
        }
        assert_eq!(
            warnings.contains("there is no baseline"),
            !is_there,
            "{warnings}"
        );
        assert_eq!(left(&place), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn a_baseline_without_a_place_costs_the_run_nothing() {
    let standin = standin().await;
    let place = with_baseline(&standin);
    let taken = place.path("tmp/cluster-profiler-baseline-profile-test-run");
    std::fs::write(&taken, "in the way").expect("a file");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert!(
        manifest.warnings.join("").contains("there is no baseline"),
        "{manifest:?}"
    );
}

#[test]
fn a_pod_that_came_after_the_baseline_has_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let spool = Spool::new("run".to_owned(), directory.path().to_owned(), true);
    let baseline = Baseline::begin(&spool).expect("a baseline");
    let later = ExpectedPod::gone("virt-api-1", "uid").expect("a pod");
    let Before::Missing(why) = baseline.of(&later) else {
        panic!("it has none");
    };
    assert!(why.contains("came after"), "{why}");
}
