//! What pods used and held, in numbers that can be compared.

use hashbrown::HashMap;

use crate::component::Component;
use crate::manifest::{Lead, Manifest, Pod};
use crate::pprof::Kind;
use crate::report::findings::{Findings, Part, Profiled};
use crate::report::units;
use crate::verdict::{median, outliers};

/// What is compared between pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    /// Processor time in the window.
    Cpu,
    /// What was allocated in a second.
    Allocated,
    /// Memory in use after a garbage collection.
    LiveHeap,
    /// Goroutines at the dump.
    Goroutines,
}

impl Metric {
    /// Every one.
    pub(super) const ALL: [Self; 4] =
        [Self::Cpu, Self::Allocated, Self::LiveHeap, Self::Goroutines];

    /// What it is called.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Allocated => "Allocated a second",
            Self::LiveHeap => "Live heap",
            Self::Goroutines => "Goroutines",
        }
    }

    /// The unit of an axis.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "cores",
            Self::Allocated => "a second",
            Self::LiveHeap => "in use after a collection",
            Self::Goroutines => "at the dump",
        }
    }

    /// What pods do with it, in a sentence.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Cpu => "uses",
            Self::Allocated => "allocates",
            Self::LiveHeap => "holds",
            Self::Goroutines => "has",
        }
    }

    /// What it is of, in a sentence.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Cpu => "the processor time",
            Self::Allocated => "the bytes a second",
            Self::LiveHeap => "the memory",
            Self::Goroutines => "the goroutines",
        }
    }

    /// The kind whose flame graph explains it.
    pub(super) fn explained_by(self) -> Kind {
        match self {
            Self::Cpu => Kind::Cpu,
            Self::Allocated => Kind::Allocs,
            Self::LiveHeap => Kind::Heap,
            Self::Goroutines => Kind::Goroutine,
        }
    }

    /// A value with its unit. Processor time is in millionths of a core.
    pub(super) fn show(self, value: i64) -> String {
        match self {
            Self::Cpu => format!("{} cores", units::three_digits(value as f64 / 1e6)),
            Self::Allocated => format!("{}/s", units::bytes(value as f64)),
            Self::LiveHeap => units::bytes(value as f64),
            Self::Goroutines => units::count(value),
        }
    }
}

/// The numbers of a component's pods.
pub(super) struct ComponentNumbers<'a> {
    /// The component.
    pub(super) component: Component,
    /// Its pods.
    pub(super) pods: Vec<PodNumbers<'a>>,
    /// The value in the middle, of each metric.
    pub(super) medians: [Option<i64>; 4],
}

/// The numbers of a pod.
pub(super) struct PodNumbers<'a> {
    /// Its place among the run's pods.
    pub(super) index: usize,
    /// The pod.
    pub(super) pod: &'a Pod,
    /// Its value of each metric, as far as anything tells it.
    pub(super) values: [Option<i64>; 4],
    /// Whether each is far from those of the other pods.
    pub(super) is_outlier: [bool; 4],
    /// When it led its component, if it did.
    pub(super) lead: Option<Lead>,
}

/// The numbers of every component that has pods.
pub(super) fn of_components(findings: &Findings) -> Vec<ComponentNumbers<'_>> {
    let components = Component::ALL.into_iter();
    let numbers = components.map(|component| ComponentNumbers::of(findings, component));
    numbers.filter(|numbers| !numbers.pods.is_empty()).collect()
}

/// How long the window was, in seconds, if anything tells it.
pub(super) fn window_seconds(findings: &Findings) -> Option<f64> {
    let window = findings.manifest.window;
    let seconds = window.stop.duration_since(window.start).as_secs_f64();
    (seconds > 0.0).then_some(seconds)
}

impl<'a> ComponentNumbers<'a> {
    fn of(findings: &'a Findings, component: Component) -> Self {
        let sources = Sources::of(findings, component);
        let pods = findings.manifest.pods.iter().enumerate();
        let pods = pods.filter(|(_, pod)| pod.pod.component == component);
        let mut numbers = Self {
            component,
            pods: pods
                .map(|(index, pod)| sources.numbers(index, pod))
                .collect(),
            medians: [None; 4],
        };
        for metric in Metric::ALL {
            numbers.compare(metric);
        }
        numbers
    }

    /// The sum of a metric over the pods that have it; nothing if none has.
    pub(super) fn sum(&self, metric: Metric) -> Option<i64> {
        let values = self.values(metric);
        values.reduce(i64::saturating_add)
    }

    /// The pod with the most of a metric.
    pub(super) fn most(&self, metric: Metric) -> Option<&PodNumbers<'a>> {
        let pods = self.pods.iter();
        let pods = pods.filter(|pod| pod.values[metric as usize].is_some());
        pods.max_by_key(|pod| pod.values[metric as usize])
    }

    /// The values of a metric.
    pub(super) fn values(&self, metric: Metric) -> impl Iterator<Item = i64> {
        let pods = self.pods.iter();
        pods.filter_map(move |pod| pod.values[metric as usize])
    }

    fn compare(&mut self, metric: Metric) {
        let at = metric as usize;
        let values: Vec<i64> = self.values(metric).collect();
        let mut marks = outliers(&values).into_iter();
        for pod in self.pods.iter_mut().filter(|pod| pod.values[at].is_some()) {
            pod.is_outlier[at] = marks.next().unwrap_or_default();
        }
        let values: Vec<_> = values.iter().map(|value| *value as f64).collect();
        self.medians[at] = median(&values).map(|median| median as i64);
    }
}

impl PodNumbers<'_> {
    /// How many times the median of its component its value is; nothing if that says nothing.
    pub(super) fn times(&self, metric: Metric, of: &ComponentNumbers<'_>) -> Option<f64> {
        let (value, median) = (self.values[metric as usize]?, of.medians[metric as usize]?);
        (median > 0).then(|| value as f64 / median as f64)
    }

    /// The limit that bounds a metric, in the metric's own unit.
    pub(super) fn limit(&self, metric: Metric) -> Option<i64> {
        let limits = &self.pod.pod.container.as_ref()?.limits;
        let limit = match metric {
            Metric::Cpu => units::quantity(limits.get("cpu")?)? * 1e6,
            Metric::LiveHeap => units::quantity(limits.get("memory")?)?,
            Metric::Allocated | Metric::Goroutines => return None,
        };
        (limit >= 1.0).then_some(limit as i64)
    }
}

/// Values by the pods' names.
type Totals<'a> = HashMap<&'a str, i64>;

/// Where a component's numbers come from.
struct Sources<'a> {
    manifest: &'a Manifest,
    component: Component,
    cpu: Totals<'a>,
    heap: Totals<'a>,
    goroutine: Totals<'a>,
    delta: Totals<'a>,
    seconds: Option<f64>,
}

impl<'a> Sources<'a> {
    fn of(findings: &'a Findings, component: Component) -> Self {
        let find = |kind: Kind, part: Part| {
            let mut profiles = findings.profiles.iter();
            let of =
                |of: &&Profiled| of.component == component && of.kind == kind && of.part == part;
            profiles.find(of).map(totals).unwrap_or_default()
        };
        Self {
            manifest: &findings.manifest,
            component,
            cpu: find(Kind::Cpu, Part::Whole),
            heap: find(Kind::Heap, Part::Whole),
            goroutine: find(Kind::Goroutine, Part::Whole),
            delta: find(Kind::Allocs, Part::Delta),
            seconds: window_seconds(findings),
        }
    }

    fn numbers(&self, index: usize, pod: &'a Pod) -> PodNumbers<'a> {
        let name = pod.pod.name.as_str();
        let total = |of: &Totals<'a>| of.get(name).copied();
        let window = pod.in_window.as_deref();
        let cpu = total(&self.cpu).or_else(|| window?.cpu_nanoseconds);
        let cpu = cpu.zip(self.seconds);
        // Exact numbers come before those by samples.
        let exact = window.and_then(|window| Some((window.allocated_bytes?, window.seconds?)));
        let exact = exact.filter(|of| of.1 > 0.0);
        let exact = exact.map(|of| of.0 as f64 / of.1);
        let sampled = total(&self.delta).zip(self.seconds);
        let sampled = sampled.map(|of| of.0 as f64 / of.1);
        let heap = total(&self.heap).or_else(|| window?.live_heap_bytes);
        let goroutines = total(&self.goroutine).or_else(|| window?.goroutines);
        PodNumbers {
            index,
            pod,
            values: [
                cpu.map(|of| (of.0 as f64 / of.1 / 1e3).round() as i64),
                exact.or(sampled).map(|rate| rate.round() as i64),
                heap,
                goroutines,
            ],
            is_outlier: [false; 4],
            lead: self.manifest.lead(self.component, name),
        }
    }
}

/// What each pod has of a profile in all.
fn totals(of: &Profiled) -> Totals<'_> {
    let pods = of.pods.iter().zip(&of.totals);
    pods.filter_map(|(pod, totals)| Some((pod.as_str(), *totals.get(of.shown)?)))
        .collect()
}
