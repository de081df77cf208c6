//! What real pods did in a window: against a baseline, and in between; and what surrounded them.

use cluster_profiler_job::component::Component;
use cluster_profiler_job::manifest::EndedBy;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::engines::{top, unpacked};
use crate::place::Place;
use crate::setup::Rig;

/// Every pod's delta is of the window, and `go tool pprof` opens it, its growth and its snapshots.
pub(crate) fn baseline_and_snapshots(rig: &Rig) {
    rig.turn(true);
    // A pod that only ever saw a stop cannot be dumped before its next start.
    Place::new(rig).run().with(0);
    let place = Place::new(rig)
        .with("COMPONENTS", "virt-api,virt-operator")
        .with("BASELINE", true)
        .with("SNAPSHOT_EVERY", "2s")
        .with("SETTLE", "1h");
    let mut run = place.spawn();
    run.says("a snapshot was taken");
    place.stop_window();
    let ended = run.end().with(0);
    let manifest = place.manifest().expect("a manifest");
    let unpacked = unpacked(&place);
    for pod in &manifest.pods {
        let numbers = pod.in_window.as_ref().expect("numbers");
        assert_eq!(numbers.no_baseline, None, "{}", ended.log);
        assert_eq!(numbers.not_compared, Vec::<String>::new());
        assert_eq!(numbers.negative_samples, 0);
        let allocated = numbers.allocated_bytes.expect("bytes");
        let ever = &pod.mem_stats["TotalAlloc"];
        assert!(allocated > 0, "the dump itself allocates");
        assert!(
            serde_json::json!(ever).as_u64().expect("a number") > allocated,
            "it allocated before the window, too"
        );
        assert!(numbers.profiler_allocated_bytes.expect("bytes") > 0);
        assert!(numbers.seconds.expect("an interval") >= 2.0);
        let directory = unpacked.join(&pod.pod.name);
        let delta = directory.join("delta/allocs.pprof");
        let rows = top(&delta, &["-sample_index=alloc_space"]);
        assert!(
            rows.contains("Type: alloc_space") && rows.contains("Duration: "),
            "{rows}"
        );
        assert!(rows.contains("pprof"), "the dump writes texts: {rows}");
        let growth = directory.join("growth/heap.pprof");
        if growth.exists() {
            assert!(top(&growth, &[]).contains("inuse_space_growth"));
        }
        assert!(!pod.snapshots.is_empty(), "{}", ended.log);
        for file in &pod.snapshots {
            let path = place.path("out").join(&file.path);
            assert!(top(&path, &[]).contains("Type: "));
        }
    }
    rig.turn(false);
}

/// A virtual machine instance as virt-controller and virt-handler leave it that comes up within four seconds; or one
/// that is not there yet.
fn instance(name: &str, runs: bool) -> Value {
    let now = Timestamp::now();
    let phases = ["Pending", "Scheduling", "Scheduled", "Running"];
    let reached = if runs { &phases[..] } else { &phases[..2] };
    let at = |after: usize| format!("{:.0}", now + (1 + after as i64).seconds());
    let transitions: Vec<_> = reached
        .iter()
        .enumerate()
        .map(|(after, phase)| json!({ "phase": phase, "phaseTransitionTimestamp": at(after) }))
        .collect();
    json!({
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": { "name": name, "namespace": "default", "labels": { "workload": "rig" } },
        "spec": { "domain": { "devices": {} } },
        "status": { "phase": reached.last(), "phaseTransitionTimestamps": transitions },
    })
}

/// A node as its kubelet registers it.
fn node(name: &str) -> Value {
    let allocatable = json!({ "cpu": "7910m", "memory": "31896880Ki", "pods": "250" });
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name },
        "status": { "allocatable": allocatable, "capacity": allocatable },
    })
}

fn apply(rig: &Rig, objects: impl IntoIterator<Item = Value>) {
    let objects: Vec<_> = objects.into_iter().collect();
    rig.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string());
}

/// They are created by the CustomResourceDefinition of the real KubeVirt, and followed with the rights of `deploy/`.
pub(crate) fn vmis(rig: &Rig) {
    let leader = "virt-operator-58bd6f9c7-x9hkd";
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": "virt-operator", "namespace": rig.namespace },
        "spec": { "holderIdentity": leader, "leaseDurationSeconds": 15 },
    });
    apply(rig, ["node01", "node02", "node03"].map(node));
    apply(rig, [lease, instance("before", true)]);
    let place = Place::restoring(rig)
        .with("VMI_LATENCY", true)
        .with("UNTIL_VMIS_RUNNING", 4)
        .with("VMI_SELECTOR", "workload=rig")
        .with("SETTLE", "0s");
    let mut run = place.spawn();
    run.says("profiling is on");
    apply(rig, [instance("stuck", false)]);
    apply(
        rig,
        ["one", "two", "three"].map(|name| instance(name, true)),
    );
    let ended = run.end().with(0);
    let manifest = place.manifest().expect("a manifest");
    assert_eq!(manifest.window.ended_by, EndedBy::VmisRunning);
    let latencies = manifest.vmi_latencies.expect("latencies");
    assert_eq!(latencies.missed, Vec::<String>::new(), "{}", ended.log);
    let counts = [
        latencies.created,
        latencies.running,
        latencies.not_running,
        latencies.failed,
    ];
    assert_eq!(counts, [4, 3, 1, 0]);
    assert!(latencies.watched);
    let running = latencies.quantiles_milliseconds.iter();
    let mut running = running.filter(|quantiles| quantiles.name == "VMIRunning");
    let running = running.next().expect("quantiles");
    // Four seconds after it was made, and the server's second is the same or the next.
    assert_eq!(running.count, 3);
    assert!((3000..=5000).contains(&running.min) && (3000..=5000).contains(&running.max));
    let surroundings = manifest.surroundings.expect("what surrounded the run");
    assert_eq!(surroundings.unknown, Vec::<String>::new());
    for (state, instances) in [(surroundings.at_start, 1), (surroundings.at_stop, 5)] {
        let state = state.expect("a state");
        assert_eq!(state.nodes, Some(3));
        assert_eq!(state.virtual_machine_instances, Some(instances));
        assert_eq!(state.leaders[&Component::VirtOperator], leader);
    }
    assert_eq!(surroundings.nodes.len(), 1);
    assert_eq!(
        surroundings.nodes["node02"].allocatable.memory,
        "31896880Ki"
    );
    rig.kubectl(&["delete", "vmi", "--namespace=default", "--all"]);
    rig.kubectl(&["delete", "node", "--all"]);
    rig.kubectl(&[
        "delete",
        "lease",
        "--namespace",
        &rig.namespace,
        "virt-operator",
    ]);
}
