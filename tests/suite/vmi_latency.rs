//! How fast virtual machine instances came up in the window, held against what the stand-in did.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_profiler_job::manifest::{CountedFrom, EndedBy, Manifest, VmiLatencies};
use rustix::process::Signal;
use standin::{
    Denied, Fate, Options, RouteAnswer, RouteFault, Seen, Standin, Times, VmCreation, VmScript,
    WatchEnd,
};

use cluster_profiler_job::outcome::ExitCode;

use crate::harness::{Ended, Place, send, standin};
use crate::lock::{killed, run as resumed};

/// A place whose run follows instances, and whose window a stop file ends.
fn following(standin: &Standin) -> Place {
    let place = Place::new(standin).with("PROFILER_VMI_LATENCY", "true");
    std::fs::create_dir(place.path("signal")).expect("a directory");
    let stop_file = place.path("signal/stop");
    place
        .with("PROFILER_STOP_FILE", stop_file.display())
        .with("PROFILER_SETTLE", "0s")
}

/// Runs, does something once all pods profile, and ends the window by the stop file.
async fn run(standin: &Standin, place: &Place, workload: impl Future<Output = ()>) -> Ended {
    let child = place.spawn();
    let opened = place.signal("ready");
    while !opened.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    workload.await;
    std::fs::write(place.path("signal/stop"), "0").expect("a stop file");
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(standin.profiling().is_empty());
    ended
}

fn manifest(place: &Place) -> Manifest {
    place.shipped().manifest
}

fn latencies(place: &Place) -> VmiLatencies {
    manifest(place).vmi_latencies.expect("latencies")
}

/// The quantiles by name: count, P50, P95, P99, min, max, avg. Computed as a person would: sorted, and counted off.
type Quantiles = BTreeMap<String, [u64; 7]>;

/// What is told, in the same form.
fn told(latencies: &VmiLatencies) -> Quantiles {
    let quantiles = latencies.quantiles_milliseconds.iter();
    quantiles
        .map(|q| {
            (
                q.name.clone(),
                [q.count, q.p50, q.p95, q.p99, q.min, q.max, q.avg],
            )
        })
        .collect()
}

/// What has to be told, from the stand-in's own log: objects have whole seconds.
fn expected(log: &[VmCreation], start: u64) -> Quantiles {
    let mut values: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for vm in log {
        let machine = vm.vm_created.map(|at| at / 1000).filter(|at| *at >= start);
        let created = vm.created / 1000;
        let zero = machine.unwrap_or(created);
        let mut add = |name: String, at: u64| {
            values
                .entry(name)
                .or_default()
                .push((at / 1000 - zero) * 1000);
        };
        for (phase, at) in &vm.phases {
            if vm.fate != Fate::HasNoTimes && *phase != "Failed" {
                add(format!("VMI{phase}"), *at);
            }
        }
        if machine.is_some() {
            add("VMICreated".to_owned(), vm.created);
            if let Some(at) = vm.ready {
                add("VMReady".to_owned(), at);
            }
        }
    }
    let sum_up = |mut values: Vec<u64>| {
        values.sort();
        let n = values.len();
        let rank = |percent: f64| {
            let at_least = (percent / 100.0 * n as f64).ceil() as usize;
            values[at_least - 1]
        };
        let avg = values.iter().sum::<u64>() / n as u64;
        [
            n as u64,
            rank(50.0),
            rank(95.0),
            rank(99.0),
            values[0],
            values[n - 1],
            avg,
        ]
    };
    values
        .into_iter()
        .map(|(name, of)| (name, sum_up(of)))
        .collect()
}

/// Holds what is told against the stand-in's log of what was created in the window.
fn compare(manifest: &Manifest, log: &[VmCreation]) {
    let latencies = manifest.vmi_latencies.as_ref().expect("latencies");
    let start = manifest.window.start.as_second() as u64;
    assert_eq!(told(latencies), expected(log, start));
    let count = |what: fn(&VmCreation) -> bool| log.iter().filter(|vm| what(vm)).count() as u64;
    let runs = |vm: &VmCreation| vm.phases.iter().any(|(phase, _)| *phase == "Running");
    let fails = |vm: &VmCreation| vm.phases.iter().any(|(phase, _)| *phase == "Failed");
    assert_eq!(latencies.created, log.len() as u64);
    assert_eq!(latencies.running, count(runs));
    assert_eq!(latencies.not_running, latencies.created - latencies.running);
    assert_eq!(latencies.failed, count(fails));
    assert_eq!(latencies.deleted, count(|vm| vm.deleted));
    assert_eq!(latencies.negative, 0);
    assert_eq!(latencies.resolution_milliseconds, 1000);
}

/// The requests for instances that are watches, and those that are LISTs from the beginning.
fn watches_and_lists(requests: &[Seen]) -> (usize, usize) {
    let of_instances = |path: &str| path.ends_with("/virtualmachineinstances");
    let queries = requests.iter().filter(|seen| of_instances(&seen.path));
    let queries: Vec<_> = queries.map(|seen| seen.query.as_str()).collect();
    let watches = queries.iter().filter(|query| query.contains("watch=true"));
    let lists = queries
        .iter()
        .filter(|query| query.contains("limit=200") && !query.contains("continue="));
    (watches.count(), lists.count())
}

/// Some of every fate.
fn mixed(number: usize) -> Fate {
    match number % 20 {
        3 => Fate::Fails,
        7 => Fate::IsDeleted,
        11 => Fate::IsDeletedEarly,
        13 => Fate::NeverRuns,
        17 => Fate::SkipsScheduled,
        19 => Fate::HasNoTimes,
        _ => Fate::Runs,
    }
}

#[tokio::test]
async fn counts_and_quantiles_equal_those_of_what_was_created() {
    let standin = standin().await;
    let place = following(&standin);
    let script = VmScript {
        count: 200,
        every: Duration::from_millis(2),
        fate: mixed,
        ..VmScript::default()
    };
    run(&standin, &place, standin.create_vms(script)).await;
    let manifest = manifest(&place);
    compare(&manifest, &standin.vm_log());
    let latencies = latencies(&place);
    assert_eq!(latencies.missed, Vec::<String>::new());
    assert!(latencies.watched);
    assert_eq!(latencies.counted_from, CountedFrom::VirtualMachine);
    assert!(latencies.owned > 0, "{latencies:?}");
    assert_eq!(manifest.window.ended_by, EndedBy::StopFile);
}

#[tokio::test]
async fn quantiles_of_few_are_those_of_the_nearest_rank() {
    for count in [1, 2, 7, 20] {
        let standin = standin().await;
        let place = following(&standin);
        let script = VmScript {
            count,
            seed: 7 + count as u64,
            ..VmScript::default()
        };
        run(&standin, &place, standin.create_vms(script)).await;
        compare(&manifest(&place), &standin.vm_log());
    }
}

#[tokio::test]
async fn ten_thousand_at_a_rate_are_counted_in_bounded_memory() {
    let standin = standin().await;
    let place = following(&standin);
    let script = VmScript {
        count: 10_000,
        every: Duration::from_micros(400),
        speed: 10_000,
        fate: mixed,
        ..VmScript::default()
    };
    run(&standin, &place, standin.create_vms(script)).await;
    let manifest = manifest(&place);
    compare(&manifest, &standin.vm_log());
    let without = Place::new(&standin);
    assert_eq!(without.run().await.code, 0);
    let peak = |manifest: &Manifest| manifest.peak_memory_bytes.expect("Linux tells it");
    let (with, without) = (peak(&manifest), peak(&without.shipped().manifest));
    assert!(
        with < without + (8 << 20),
        "{with} bytes, and {without} without"
    );
}

#[tokio::test]
async fn a_watch_that_breaks_goes_on_where_it_was() {
    for end in [WatchEnd::Cut, WatchEnd::Over] {
        let standin = standin().await;
        for events in [1, 20, 60] {
            standin.end_watch(events, end);
        }
        let place = following(&standin);
        let script = VmScript {
            count: 60,
            every: Duration::from_millis(5),
            fate: mixed,
            ..VmScript::default()
        };
        let workload = async {
            standin.create_vms(script).await;
            standin
                .wait_until(|state| watches_and_lists(state.requests()).0 >= 4)
                .await;
        };
        run(&standin, &place, workload).await;
        compare(&manifest(&place), &standin.vm_log());
        assert_eq!(latencies(&place).missed, Vec::<String>::new(), "{end:?}");
        let (watches, lists) = watches_and_lists(&standin.requests());
        assert!(watches >= 4, "{watches} watches, {end:?}");
        assert_eq!(lists, 2, "before the window, and after it: {end:?}");
    }
}

#[tokio::test]
async fn a_watch_that_is_too_far_behind_lists_anew_and_says_so() {
    for end in [WatchEnd::Gone, WatchEnd::GoneAtOnce] {
        let standin = standin().await;
        standin.end_watch(20, end);
        let place = following(&standin);
        let script = VmScript {
            count: 40,
            every: Duration::from_millis(5),
            ..VmScript::default()
        };
        let workload = async {
            standin.create_vms(script).await;
            standin
                .wait_until(|state| watches_and_lists(state.requests()).0 >= 2)
                .await;
        };
        run(&standin, &place, workload).await;
        compare(&manifest(&place), &standin.vm_log());
        let missed = latencies(&place).missed;
        assert_eq!(missed.len(), 1, "{missed:?}");
        assert!(missed[0].contains("410"), "{missed:?}");
        assert_eq!(watches_and_lists(&standin.requests()).1, 3, "{end:?}");
    }
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_and_nothing_is_changed() {
    for verb in ["list", "watch"] {
        let options = Options {
            denied: vec![Denied::new(verb, "virtualmachineinstances")],
            ..Options::default()
        };
        let standin = Standin::start(options).await.expect("a stand-in");
        let place = following(&standin).with("PROFILER_VMI_NAMESPACE", "vms");
        let ended = place.run().await;
        assert_eq!(ended.code, 3, "{}", ended.log);
        let reason = ended.termination["reason"].to_string();
        for word in [
            "virtualmachineinstances",
            verb,
            "kubevirt.io",
            "namespace vms",
        ] {
            assert!(reason.contains(word), "{word}: {reason}");
        }
        assert_eq!(standin.starts(), 0);
        assert!(standin.lease("cluster-profiler-job").is_none());
    }
}

#[tokio::test]
async fn without_the_right_to_virtual_machines_latencies_count_from_the_instance() {
    let options = Options {
        denied: vec![
            Denied::new("list", "virtualmachines"),
            Denied::new("watch", "virtualmachines"),
        ],
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = following(&standin);
    let script = VmScript {
        count: 20,
        ..VmScript::default()
    };
    run(&standin, &place, standin.create_vms(script)).await;
    let latencies = latencies(&place);
    assert_eq!(latencies.counted_from, CountedFrom::VirtualMachineInstance);
    assert_eq!(latencies.owned, 0);
    let mut log = standin.vm_log();
    log.iter_mut().for_each(|vm| vm.vm_created = None);
    assert_eq!(told(&latencies), expected(&log, 0));
    assert!(latencies.missed[0].contains("VMReady"), "{latencies:?}");
}

/// A place whose window settles at once when so many instances of the scripts' label are Running.
fn until_running(standin: &Standin, wanted: usize) -> Place {
    Place::new(standin)
        .with("PROFILER_UNTIL_VMIS_RUNNING", wanted)
        .with("PROFILER_VMI_NAMESPACE", "vms")
        .with("PROFILER_VMI_SELECTOR", "kube-burner-job=density")
        .with("PROFILER_SETTLE", "0s")
}

/// Instances that run, but of another namespace or label.
fn others() -> [VmScript; 2] {
    let of = |prefix: &str| VmScript {
        count: 30,
        prefix: prefix.to_owned(),
        speed: 100_000,
        ..VmScript::default()
    };
    [
        VmScript {
            namespace: "elsewhere".to_owned(),
            ..of("far")
        },
        VmScript {
            label: ("kube-burner-job".to_owned(), "churn".to_owned()),
            ..of("other")
        },
    ]
}

async fn is_open(place: &Place) {
    place.until_ready().await;
}

#[tokio::test]
async fn as_many_running_as_it_waits_for_end_the_window() {
    let standin = standin().await;
    let place = until_running(&standin, 20);
    let mut child = place.spawn();
    is_open(&place).await;
    for script in others() {
        standin.create_vms(script).await;
    }
    let script = VmScript {
        count: 25,
        fate: |number| {
            if number < 6 {
                Fate::NeverRuns
            } else {
                Fate::Runs
            }
        },
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    let early = tokio::time::timeout(Duration::from_millis(500), child.wait()).await;
    assert!(early.is_err(), "it ended with 19 of 20");
    let last = VmScript {
        count: 1,
        prefix: "last".to_owned(),
        ..VmScript::default()
    };
    standin.create_vms(last).await;
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("20 VMIs are Running"), "{}", ended.log);
    let manifest = manifest(&place);
    assert_eq!(manifest.window.ended_by, EndedBy::VmisRunning);
    let mut log = standin.vm_log();
    log.retain(|vm| vm.name.starts_with("vm-") || vm.name.starts_with("last-"));
    assert_eq!(log.len(), 26);
    compare(&manifest, &log);
}

#[tokio::test]
async fn max_window_ends_one_that_waits_for_more_than_ever_run() {
    let standin = standin().await;
    let place = until_running(&standin, 4).with("PROFILER_MAX_WINDOW", "3s");
    let child = place.spawn();
    is_open(&place).await;
    let script = VmScript {
        count: 3,
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = manifest(&place);
    assert_eq!(manifest.window.ended_by, EndedBy::MaxWindow);
    compare(&manifest, &standin.vm_log());
}

#[tokio::test]
async fn a_stop_file_ends_one_that_waits_for_instances() {
    let standin = standin().await;
    let place = until_running(&standin, 4);
    let child = place.spawn();
    is_open(&place).await;
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    assert_eq!(place.ended(child).await.code, 0);
    assert_eq!(manifest(&place).window.ended_by, EndedBy::StopFile);
}

#[tokio::test]
async fn instances_that_run_before_the_start_settle_it_at_once_and_are_not_counted() {
    let standin = standin().await;
    let script = VmScript {
        count: 20,
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    let place = until_running(&standin, 20);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("Running before start is sent"),
        "{}",
        ended.log
    );
    let manifest = manifest(&place);
    assert_eq!(manifest.window.ended_by, EndedBy::VmisRunning);
    let latencies = manifest.vmi_latencies.expect("latencies");
    assert_eq!((latencies.created, latencies.running), (0, 0));
    assert!(latencies.quantiles_milliseconds.is_empty());
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_waits_for_no_list() {
    let standin = standin().await;
    let place = following(&standin).with("PROFILER_MAX_WINDOW", "1h");
    let child = place.spawn();
    is_open(&place).await;
    let script = VmScript {
        count: 20,
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    let hang = RouteFault::new("/virtualmachineinstances", RouteAnswer::Hang, Times::Always);
    standin.route_fault(hang);
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    let latencies = latencies(&place);
    assert!(
        latencies.missed[0].contains("told to stop"),
        "{latencies:?}"
    );
}

#[tokio::test]
async fn a_watch_that_fails_is_no_fault_of_the_run() {
    let standin = standin().await;
    standin.end_watch(1, WatchEnd::Cut);
    let place = following(&standin);
    let child = place.spawn();
    is_open(&place).await;
    let fault = RouteFault::new(
        "/virtualmachineinstances",
        RouteAnswer::Status(503),
        Times::Always,
    );
    standin.route_fault(fault);
    standin.create_vms(VmScript::default()).await;
    let refused =
        |seen: &Seen| seen.path.ends_with("/virtualmachineinstances") && seen.status == Some(503);
    standin
        .wait_until(|state| state.requests().iter().any(refused))
        .await;
    std::fs::write(place.path("signal/stop"), "0").expect("a stop file");
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let missed = latencies(&place).missed;
    assert!(
        missed
            .iter()
            .any(|it| it.contains("broken when the window ended")),
        "{missed:?}"
    );
    assert!(
        missed
            .iter()
            .any(|it| it.contains("LIST after the window failed")),
        "{missed:?}"
    );
}

#[tokio::test]
async fn a_resumed_attempt_lists_and_says_what_it_may_have_missed() {
    let standin = standin().await;
    let place = Place::new(&standin)
        .with("PROFILER_VMI_LATENCY", "true")
        .with("PROFILER_SETTLE", "1h");
    let script = VmScript {
        count: 20,
        ..VmScript::default()
    };
    killed(&standin, &place).await;
    standin.create_vms(script).await;
    assert_eq!(resumed(&place).await, ExitCode::Complete);
    let manifest = manifest(&place);
    assert_eq!(manifest.window.ended_by, EndedBy::Died);
    assert!(!latencies(&place).watched);
    compare(&manifest, &standin.vm_log());
    let missed = latencies(&place).missed;
    assert!(
        missed[0].contains("the attempt that opened the window died"),
        "{missed:?}"
    );
}

#[tokio::test]
async fn a_selector_that_is_none_is_told_before_anything_is_changed() {
    let standin = standin().await;
    let place = following(&standin).with("PROFILER_VMI_SELECTOR", "a within (b)");
    let ended = place.run().await;
    assert_eq!(ended.code, 2, "{}", ended.log);
    let reason = ended.termination["reason"].to_string();
    assert!(reason.contains("PROFILER_VMI_SELECTOR"), "{reason}");
    assert_eq!(standin.starts(), 0);
}

#[tokio::test]
async fn without_the_setting_nothing_but_their_number_is_asked() {
    let standin = standin().await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    assert_eq!(standin.arrived("virtualmachines"), 0);
    let of_instances = |seen: &Seen| seen.path.ends_with("/virtualmachineinstances");
    let mut queries = standin.requests();
    queries.retain(of_instances);
    assert_eq!(queries.len(), 2);
    assert!(queries.iter().all(|seen| seen.query.ends_with("limit=1")));
    assert_eq!(manifest(&place).vmi_latencies, None);
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_wait_for() {
    let standin = standin().await;
    let place = until_running(&standin, 20).with("PROFILER_DRY_RUN", "true");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    for words in ["follow the VMIs of vms", "0s after 20 VMIs are Running"] {
        assert!(ended.log.contains(words), "{words}: {}", ended.log);
    }
    assert_eq!(standin.starts(), 0);
}

#[tokio::test]
async fn a_watch_that_is_behind_when_the_window_ends_is_read_to_its_end() {
    let standin = standin().await;
    let place = following(&standin);
    let child = place.spawn();
    is_open(&place).await;
    send(&child, Signal::STOP);
    let script = VmScript {
        count: 2000,
        speed: 100_000,
        fate: |_| Fate::IsDeletedEarly,
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    std::fs::write(place.path("signal/stop"), "0").expect("a stop file");
    send(&child, Signal::CONT);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    compare(&manifest(&place), &standin.vm_log());
}
