//! How fast virtual machine instances came up in the window, held against what the stand-in did.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_profiler_job::manifest::{CountedFrom, EndedBy, Manifest, VmiLatencies};
use cluster_profiler_job::outcome::ExitCode;
use standin::{Denied, Fate, Options, Seen, Standin, VmCreation, VmScript};

use crate::harness::{Ended, Place, standin};
use crate::lock::{killed, run as resumed};

/// A place whose run follows instances, and whose window a stop file ends.
pub(crate) fn following(standin: &Standin) -> Place {
    let place = Place::new(standin).with("PROFILER_VMI_LATENCY", "true");
    std::fs::create_dir(place.path("signal")).expect("a directory");
    let stop_file = place.path("signal/stop");
    place
        .with("PROFILER_STOP_FILE", stop_file.display())
        .with("PROFILER_SETTLE", "0s")
}

/// Runs, does something once all pods profile, and ends the window by the stop file.
pub(crate) async fn run(
    standin: &Standin,
    place: &Place,
    workload: impl Future<Output = ()>,
) -> Ended {
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

pub(crate) fn manifest(place: &Place) -> Manifest {
    place.shipped().manifest
}

pub(crate) fn latencies(place: &Place) -> VmiLatencies {
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
pub(crate) fn compare(manifest: &Manifest, log: &[VmCreation]) {
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

/// Some of every fate.
pub(crate) fn mixed(number: usize) -> Fate {
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
