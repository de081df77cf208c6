//! The quantities of a run that are compared.

use bytesize::ByteSize;

use crate::component::Component;
use crate::destination::{RunNumbers, Sum, WindowSums};
use crate::manifest::ClusterState;

/// The least scatter that is believed of numbers that are exact.
const EXACT: f64 = 0.005;

/// The least scatter that is believed of processor time, which is sampled.
const SAMPLED: f64 = 0.01;

/// So many virtual machine instances have to be created for a number by VMI.
const FEWEST_VMIS: u64 = 10;

/// A number of a run: of a component's pods together, or of the run's virtual machine instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    LiveHeap,
    Allocated,
    Cpu,
    RunningP50,
    AllocatedObjects,
    Goroutines,
    CpuByVmi,
    AllocatedByVmi,
    LeaderHeap,
    LeaderCpu,
    RunningP95,
    ReadyP50,
}

/// A quantity, of a component where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) component: Option<Component>,
    pub(super) quantity: Quantity,
}

impl Number {
    /// Every number, those that are tested first.
    pub(super) fn all() -> Vec<Self> {
        use Quantity::{
            Allocated, AllocatedByVmi, AllocatedObjects, Cpu, CpuByVmi, Goroutines, LeaderCpu,
            LeaderHeap, LiveHeap, ReadyP50, RunningP50, RunningP95,
        };
        let of_components = |quantities: &'static [Quantity]| {
            Component::ALL.into_iter().flat_map(|component| {
                quantities.iter().map(move |quantity| Self {
                    component: Some(component),
                    quantity: *quantity,
                })
            })
        };
        let of_vmis = |quantity| Self {
            component: None,
            quantity,
        };
        of_components(&[LiveHeap, Allocated, Cpu])
            .chain([of_vmis(RunningP50)])
            .chain(of_components(&[
                AllocatedObjects,
                Goroutines,
                CpuByVmi,
                AllocatedByVmi,
                LeaderHeap,
                LeaderCpu,
            ]))
            .chain([RunningP95, ReadyP50].map(of_vmis))
            .collect()
    }

    /// The number of a run; `None` if it has none, or not of all pods.
    pub(super) fn of(self, run: &RunNumbers) -> Option<f64> {
        let Some(component) = self.component else {
            return latency(run, self.quantity);
        };
        let sums = run.in_window.get(&component)?;
        let whole = |sum: &Option<Sum>| {
            let sum = sum.as_ref()?;
            (sum.pods == run.pods.expected_of(component)).then_some(sum.sum as f64)
        };
        let since_baseline = |sum: &Option<Sum>| whole(sum).filter(|_| sums.restarted == 0);
        let leaders = |sum| whole(sum).and_then(|_| of_leader(run, component, sum));
        let by_second = |value: f64| value / seconds(run);
        let by_vmi = |value: f64| Some(value / created(run)?);
        let cpu = || since_baseline(&sums.cpu_nanoseconds).map(|value| value / 1e9);
        match self.quantity {
            Quantity::LiveHeap => whole(&sums.live_heap_bytes),
            Quantity::Goroutines => whole(&sums.goroutines),
            Quantity::Allocated => since_baseline(&allocated(sums)).map(by_second),
            Quantity::AllocatedObjects => since_baseline(&sums.allocated_objects).map(by_second),
            Quantity::Cpu => cpu().map(by_second),
            Quantity::CpuByVmi => cpu().and_then(by_vmi),
            Quantity::AllocatedByVmi => since_baseline(&allocated(sums)).and_then(by_vmi),
            Quantity::LeaderHeap => leaders(&sums.live_heap_bytes),
            Quantity::LeaderCpu => leaders(&sums.cpu_nanoseconds)
                .filter(|_| sums.restarted == 0)
                .map(|value| by_second(value / 1e9)),
            Quantity::RunningP50 | Quantity::RunningP95 | Quantity::ReadyP50 => None,
        }
    }

    /// The least relative scatter that is believed of a value of this run.
    pub(super) fn resolution(self, run: &RunNumbers, value: f64) -> f64 {
        match self.quantity {
            Quantity::Cpu | Quantity::CpuByVmi | Quantity::LeaderCpu => SAMPLED,
            Quantity::RunningP50 | Quantity::RunningP95 | Quantity::ReadyP50 => {
                let latencies = run.vmi_latencies.as_ref();
                let step = latencies.map_or(0, |latencies| latencies.resolution_milliseconds);
                (f64::from(step) / 2.0 / value).max(EXACT)
            }
            Quantity::LiveHeap
            | Quantity::Allocated
            | Quantity::AllocatedObjects
            | Quantity::Goroutines
            | Quantity::AllocatedByVmi
            | Quantity::LeaderHeap => EXACT,
        }
    }
}

impl Quantity {
    /// Whether it belongs to the family that is tested. The others are shown without a verdict.
    pub(super) fn is_tested(self) -> bool {
        match self {
            Self::LiveHeap | Self::Allocated | Self::Cpu | Self::RunningP50 => true,
            Self::AllocatedObjects
            | Self::Goroutines
            | Self::CpuByVmi
            | Self::AllocatedByVmi
            | Self::LeaderHeap
            | Self::LeaderCpu
            | Self::RunningP95
            | Self::ReadyP50 => false,
        }
    }

    /// Its name in JSON, with its unit. Latencies have kube-burner's names.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LiveHeap => "live_heap_bytes",
            Self::Allocated => "allocated_bytes_per_second",
            Self::Cpu => "cpu_cores",
            Self::RunningP50 => "VMIRunning_P50_milliseconds",
            Self::AllocatedObjects => "allocated_objects_per_second",
            Self::Goroutines => "goroutines",
            Self::CpuByVmi => "cpu_seconds_per_vmi",
            Self::AllocatedByVmi => "allocated_bytes_per_vmi",
            Self::LeaderHeap => "leader_live_heap_bytes",
            Self::LeaderCpu => "leader_cpu_cores",
            Self::RunningP95 => "VMIRunning_P95_milliseconds",
            Self::ReadyP50 => "VMReady_P50_milliseconds",
        }
    }
}

/// A number by its name in JSON, for people: what it is, and its value.
pub fn shown_name(name: &str) -> String {
    let units = ["_milliseconds", "_nanoseconds", "_bytes"];
    let mut short = units.iter().filter_map(|unit| name.strip_suffix(unit));
    let name = short.next().unwrap_or(name);
    name.replace('_', " ")
        .replace("per second", "/s")
        .replace("per vmi", "/VMI")
}

/// A value of the number with this name, for people.
pub fn shown_value(name: &str, value: f64) -> String {
    if name.contains("bytes") {
        return ByteSize::b(value as u64).display().iec().to_string();
    }
    if name.ends_with("_milliseconds") {
        return format!("{:.1} s", value / 1e3);
    }
    if name.ends_with("_nanoseconds") {
        return format!("{:.2} s", value / 1e9);
    }
    if name.contains("cpu") {
        return format!("{value:.4}");
    }
    format!("{value:.0}")
}

/// Bytes that were allocated, without those of KubeVirt's profiler, which serves and makes the dumps.
fn allocated(sums: &WindowSums) -> Option<Sum> {
    let all = sums.allocated_bytes.clone()?;
    let own = sums
        .profiler_allocated_bytes
        .as_ref()
        .map_or(0, |own| own.sum.max(0));
    let sum = all.sum.saturating_sub(own);
    Some(Sum { sum, ..all })
}

/// What the pod has that led its component for the whole window, of a component that elects a leader. It is known where that
/// pod has the most, which is nearly always: the others stand by.
fn of_leader(run: &RunNumbers, component: Component, sum: &Option<Sum>) -> Option<f64> {
    let surroundings = run.surroundings.as_ref()?;
    let leader = |state: &Option<ClusterState>| state.as_ref()?.leaders.get(&component).cloned();
    let leader = [
        leader(&surroundings.at_start),
        leader(&surroundings.at_stop),
    ];
    let sum = sum.as_ref()?;
    let is_it = leader.iter().flatten().all(|name| *name == sum.largest_pod);
    let is_known = leader.iter().any(Option::is_some);
    (is_it && is_known).then_some(sum.largest as f64)
}

/// How long the window was.
pub(super) fn seconds(run: &RunNumbers) -> f64 {
    run.window
        .stop
        .duration_since(run.window.start)
        .as_secs_f64()
}

fn created(run: &RunNumbers) -> Option<f64> {
    let created = run.vmi_latencies.as_ref()?.created;
    (created >= FEWEST_VMIS).then_some(created as f64)
}

fn latency(run: &RunNumbers, quantity: Quantity) -> Option<f64> {
    let quantiles = &run.vmi_latencies.as_ref()?.quantiles_milliseconds;
    let of = |name| quantiles.iter().find(|quantiles| quantiles.name == name);
    let milliseconds = match quantity {
        Quantity::RunningP50 => of("VMIRunning")?.p50,
        Quantity::RunningP95 => of("VMIRunning")?.p95,
        Quantity::ReadyP50 => of("VMReady")?.p50,
        Quantity::LiveHeap
        | Quantity::Allocated
        | Quantity::Cpu
        | Quantity::AllocatedObjects
        | Quantity::Goroutines
        | Quantity::CpuByVmi
        | Quantity::AllocatedByVmi
        | Quantity::LeaderHeap
        | Quantity::LeaderCpu => return None,
    };
    Some(milliseconds as f64)
}
