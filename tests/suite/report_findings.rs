//! Findings that are made by hand, for the tests of a report's page.

use std::sync::Arc;

use cluster_profiler_job::component::Component;
use cluster_profiler_job::manifest::Manifest;
use cluster_profiler_job::pprof::{Kind, SampleType};
use cluster_profiler_job::report::{
    Chosen, Findings, Part, PodStacks, PodTop, Profiled, SnapshotTotals, TopRow, Tree, Unread,
};
use cluster_profiler_job::verdict::outliers;
use serde_json::{Value, json};

/// What is to be in the findings.
pub(crate) struct Scene {
    /// How many virt-handlers there are, beside two pods of each other component.
    pub(crate) handlers: usize,
    /// How many of a hundred pods are missing.
    pub(crate) missing_percent: usize,
    /// The modules that functions are of.
    pub(crate) modules: &'static [&'static str],
    /// How many different functions each module has.
    pub(crate) functions: u64,
    /// How many stacks each component has of each profile.
    pub(crate) stacks: u64,
    /// Names that are attacks.
    pub(crate) attacks: bool,
}

/// Names of modules as a KubeVirt has them.
pub(crate) const MODULES: &[&str] = &[
    "kubevirt.io/kubevirt/pkg/virt-handler.(*VirtualMachineController)",
    "kubevirt.io/kubevirt/pkg/virt-controller/watch/vmi.(*Controller)",
    "k8s.io/client-go/tools/cache.(*sharedIndexInformer)",
    "k8s.io/apimachinery/pkg/runtime/serializer/json.(*Serializer)",
    "k8s.io/apimachinery/pkg/util/wait.BackoffUntil",
    "runtime",
    "encoding/json.(*decodeState)",
    "net/http.(*persistConn)",
    "google.golang.org/grpc.(*Server)",
    "github.com/go-openapi/validate.(*schemaPropsValidator)",
];

/// Names that would do harm in a page that believes them.
pub(crate) const ATTACKS: [&str; 6] = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "evil\u{202e}gnp.exe\u{2066}\u{200b}",
    "'; rm -rf / #",
    "</style></title><!--",
];

impl Default for Scene {
    fn default() -> Self {
        Self {
            handlers: 6,
            missing_percent: 0,
            modules: MODULES,
            functions: 40,
            stacks: 400,
            attacks: false,
        }
    }
}

/// The findings of a run that had a baseline and snapshots.
pub(crate) fn findings(scene: &Scene) -> Findings {
    let pods = pods(scene);
    let manifest = manifest(scene, &pods);
    let mut profiles = Vec::new();
    for component in Component::ALL {
        let of = pods.iter().filter(|pod| pod.component == component);
        let of: Vec<_> = of.filter(|pod| !pod.is_missing).collect();
        for (kind, part) in PROFILES {
            profiles.push(profiled(scene, component, kind, part, &of, &pods));
        }
    }
    let unread = scene.attacks.then(|| Unread {
        path: ATTACKS[0].to_owned(),
        why: ATTACKS[1].to_owned(),
    });
    Findings {
        manifest: Arc::new(manifest),
        profiles,
        snapshots: snapshots(),
        comparison: None,
        differences: None,
        unread: unread.into_iter().collect(),
        is_redacted: false,
    }
}

const PROFILES: [(Kind, Part); 8] = [
    (Kind::Allocs, Part::Whole),
    (Kind::Allocs, Part::Delta),
    (Kind::Cpu, Part::Whole),
    (Kind::Goroutine, Part::Whole),
    (Kind::Goroutine, Part::Growth),
    (Kind::Heap, Part::Whole),
    (Kind::Heap, Part::Growth),
    (Kind::Threadcreate, Part::Whole),
];

struct Pod {
    name: String,
    component: Component,
    is_missing: bool,
    /// What it does, in hundredths of what others do.
    load: u64,
}

fn pods(scene: &Scene) -> Vec<Pod> {
    let mut pods = Vec::new();
    for component in Component::ALL {
        let number = if component == Component::VirtHandler {
            scene.handlers
        } else {
            2
        };
        for at in 0..number {
            let mut name = format!("{component}-{:05x}", (at as u64 + 7) * 48_271 % 1_048_576);
            if scene.attacks {
                name.push_str(ATTACKS[at % ATTACKS.len()]);
            }
            let is_odd = component == Component::VirtHandler && at == 3;
            pods.push(Pod {
                name,
                component,
                is_missing: scene.missing_percent > 0 && at % 100 * 7 % 100 < scene.missing_percent,
                load: if is_odd {
                    900
                } else {
                    90 + draw(at as u64) % 25
                },
            });
        }
    }
    pods
}

/// A number that looks like chance and is none.
fn draw(seed: u64) -> u64 {
    let mixed = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 20
}

fn profiled(
    scene: &Scene,
    component: Component,
    kind: Kind,
    part: Part,
    pods: &[&Pod],
    all: &[Pod],
) -> Profiled {
    let merged = tree(scene, component, kind, part, 100 * pods.len() as u64);
    let totals: Vec<_> = pods
        .iter()
        .map(|pod| {
            let total = merged.totals()[0];
            vec![total / pods.len() as i64 * pod.load as i64 / 100]
        })
        .collect();
    let values: Vec<_> = totals.iter().map(|total| total[0]).collect();
    let odd = outliers(&values);
    let is_told = part == Part::Whole && matches!(kind, Kind::Cpu | Kind::Goroutine | Kind::Heap);
    let (chosen, others): (Vec<_>, Vec<_>) = pods
        .iter()
        .enumerate()
        .partition(|(at, _)| odd[*at] || *at < 20);
    let told = others.into_iter().filter(|_| is_told);
    let of_all = merged.top(0, 10);
    let of_pods = chosen.into_iter().map(|(at, pod)| {
        let tree = tree(scene, component, kind, part, pod.load);
        PodStacks {
            pod: pod.name.clone(),
            why: if odd[at] {
                Chosen::Outlier
            } else {
                Chosen::Largest
            },
            top: tree.top(0, 50),
            tree,
        }
    });
    Profiled {
        component,
        kind,
        part,
        pods: pods.iter().map(|pod| pod.name.clone()).collect(),
        expected: all.iter().filter(|pod| pod.component == component).count(),
        shown: 0,
        of_pods: of_pods.collect(),
        tops: told.map(|(_, pod)| pod_top(pod, &of_all)).collect(),
        top: vec![merged.top(0, 50)],
        totals,
        merged,
    }
}

/// Functions of a pod: those of all pods together, with values of its own.
fn pod_top(pod: &Pod, of_all: &[TopRow]) -> PodTop {
    let rows = of_all.iter().zip(0_u64..).map(|(row, at)| {
        let noise = draw(pod.load * 131 + pod.name.len() as u64 + at) as i64 % 1_000;
        let of_pod = |value: i64| value / 20_000 * (pod.load as i64 * 10 + noise) / 100;
        TopRow {
            name: row.name.clone(),
            own: of_pod(row.own),
            cumulative: of_pod(row.cumulative),
        }
    });
    PodTop {
        pod: pod.name.clone(),
        rows: rows.collect(),
    }
}

/// A tree of calls whose shape depends on the profile, and whose values on the load.
pub(crate) fn tree(scene: &Scene, component: Component, kind: Kind, part: Part, load: u64) -> Tree {
    let (name, unit, of_one) = match kind {
        Kind::Cpu => ("cpu", "nanoseconds", 10_000_000),
        Kind::Goroutine | Kind::Threadcreate => ("goroutine", "count", 1),
        Kind::Allocs => ("alloc_space", "bytes", 524_288),
        Kind::Heap => ("inuse_space", "bytes", 65_536),
        Kind::Block | Kind::Mutex => ("delay", "nanoseconds", 1_000),
    };
    let mut tree = Tree::new(vec![SampleType {
        name: name.to_owned(),
        unit: unit.to_owned(),
    }]);
    let seed = (component as u64) << 40 | (kind as u64) << 32;
    for stack in 0..scene.stacks {
        let depth = 3 + draw(seed + stack) % 14;
        let names: Vec<_> = (0..depth)
            .map(|at| function(scene, draw(seed + at * 131 + stack % (2 + at * at))))
            .collect();
        let weight = 1 + draw(seed + stack * 977) % 1_000 / (1 + stack % 60);
        let mut value = (weight * load / 100 * of_one) as i64;
        if part == Part::Growth {
            value = value / 8 * if draw(stack).is_multiple_of(3) { -1 } else { 1 };
        }
        tree.add(names.iter().map(String::as_str), &[value]);
    }
    tree
}

fn function(scene: &Scene, draw: u64) -> String {
    if scene.attacks && draw.is_multiple_of(5) {
        let attack = ATTACKS[(draw / 5) as usize % ATTACKS.len()];
        return if draw.is_multiple_of(3) {
            format!("{attack}{}", "A".repeat(4096))
        } else {
            format!("kubevirt.io/kubevirt/pkg/{attack}.run")
        };
    }
    const VERBS: [&str; 8] = [
        "reconcile",
        "execute",
        "Watch",
        "decode",
        "processNextWorkItem",
        "handleEvent",
        "mallocgc",
        "Encode",
    ];
    let module = scene.modules[(draw % scene.modules.len() as u64) as usize];
    let number = draw / 16 % scene.functions;
    let verb = VERBS[(number % 8) as usize];
    format!("{module}.{verb}{}", number / 8)
}

fn snapshots() -> Vec<SnapshotTotals> {
    let mut totals = Vec::new();
    for at in 1..=4_i64 {
        for component in Component::ALL {
            for (kind, name, unit, value) in [
                (
                    Kind::Heap,
                    "inuse_space",
                    "bytes",
                    (90 + 12 * at) * 1_048_576,
                ),
                (Kind::Goroutine, "goroutine", "count", 400 + 30 * (at % 3)),
            ] {
                totals.push(SnapshotTotals {
                    snapshot: format!("{at:03}-{}s", at * 180),
                    component,
                    kind,
                    pods: 2,
                    types: vec![SampleType {
                        name: name.to_owned(),
                        unit: unit.to_owned(),
                    }],
                    totals: vec![value],
                });
            }
        }
    }
    totals
}

fn manifest(scene: &Scene, pods: &[Pod]) -> Manifest {
    let hash = "5f".repeat(32);
    let missing = pods.iter().filter(|pod| pod.is_missing).count();
    let label = if scene.attacks {
        ATTACKS[0]
    } else {
        "release-4.20"
    };
    let manifest = json!({
        "schema_version": 1,
        "run_id": if scene.attacks { ATTACKS[1] } else { "20261128t215100z-4f2a9c" },
        "labels": { "branch": label, "workload": "density-100" },
        "program_version": "0.1.0",
        "engine": "native",
        "kubevirt": {
            "namespace": "openshift-cnv", "name": "kubevirt-kubevirt-hyperconverged",
            "uid": "0f7c7a34-0a51-4c0e-9d57-5be3f3c1f0aa", "version": "v1.8.4",
        },
        "components": Component::ALL,
        "gate": { "before": true, "after": true },
        "originals_kept": true,
        "window": { "start": "2026-11-28T21:51:00Z", "stop": "2026-11-28T22:06:00Z", "ended_by": "stop_file" },
        "pods": pods.iter().map(pod).collect::<Vec<_>>(),
        "empty_kinds": {
            "block.pprof": "the component samples no waits, as a stock KubeVirt does not, or nothing waited: its text does not say which",
            "mutex.pprof": "the component samples no contended mutexes: its mutex profile fraction is 0, as a stock KubeVirt leaves it",
        },
        "snapshots": (1..=4).map(|at| json!({
            "name": format!("{at:03}-{}s", at * 180), "at": format!("2026-11-28T21:{:02}:00Z", 51 + at * 2),
            "offset_seconds": at * 180, "pods": pods.len(),
        })).collect::<Vec<_>>(),
        "unstopped": [], "uncounted": [], "refused": [],
        "cluster_file": { "path": "cluster.json", "bytes": 812, "sha256": hash },
        "archive": { "uri": "s3://profiles/nightly/profile.tar.gz", "bytes": 48_211_334, "sha256": hash },
        "phases": [],
        "vmi_latencies": {
            "counted_from": "virtual_machine", "created": 100, "owned": 100, "running": 97, "not_running": 3,
            "failed": 1, "deleted": 0, "negative": 0, "resolution_milliseconds": 1000,
            "quantiles_milliseconds": [
                { "quantileName": "VMIScheduled", "count": 99, "P50": 9000, "P95": 14000, "P99": 21000, "min": 4000, "max": 23000, "avg": 9800 },
                { "quantileName": "VMIRunning", "count": 97, "P50": 14000, "P95": 26000, "P99": 41000, "min": 8000, "max": 44000, "avg": 15900 },
            ],
        },
        "surroundings": {
            "at_start": { "leaders": leaders(pods, 0) },
            "at_stop": { "leaders": leaders(pods, 1) },
        },
        "warnings": if scene.attacks { vec![ATTACKS[2]] } else { vec![] },
        "workload_exit_code": 0,
        "peak_memory_bytes": 32_000_000,
        "exit_code": if missing > 0 { 5 } else { 0 },
        "reason": if missing > 0 { format!("{missing} pods are missing") } else { "all pods are complete".to_owned() },
    });
    serde_json::from_value(manifest).expect("a manifest")
}

/// Leaders: of virt-controller always the first pod, of virt-operator this one.
fn leaders(pods: &[Pod], operator: usize) -> Value {
    let of = |component: Component, at: usize| {
        let mut pods = pods.iter().filter(|pod| pod.component == component);
        pods.nth(at).map(|pod| &pod.name)
    };
    json!({
        "virt-controller": of(Component::VirtController, 0),
        "virt-operator": of(Component::VirtOperator, operator),
    })
}

fn pod(pod: &Pod) -> Value {
    let load = pod.load;
    let name = &pod.name;
    let mut value = json!({
        "name": name, "component": pod.component, "uid": format!("uid-{name}"),
        "node": format!("worker-{}", draw(name.len() as u64 + load) % 90), "image": "quay.io/kubevirt/x", "restarts": 0,
        "container": { "limits": { "cpu": "2", "memory": "1200Mi" }, "requests": { "cpu": "100m", "memory": "300Mi" } },
        "state": if pod.is_missing { "missing" } else { "complete" },
        "files": [],
    });
    if pod.is_missing {
        value["why"] = json!("virt-api does not reach it: connection refused, in 4 tries");
    } else {
        value["in_window"] = json!({
            "seconds": 904.0, "allocated_bytes": load * 60_000_000, "cpu_nanoseconds": load * 400_000_000,
            "live_heap_bytes_before": load * 800_000, "live_heap_bytes": load * 900_000,
            "goroutines_before": load * 3, "goroutines": load * 3 + 20,
        });
    }
    value
}
