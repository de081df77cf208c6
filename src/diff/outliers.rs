//! Pods of the newest run that are far from the others of their component.

use schemars::JsonSchema;
use serde::Serialize;

use crate::component::Component;
use crate::manifest::{Manifest, Pod, WindowNumbers};
use crate::verdict::{median, outliers};

/// A pod that is far from the others of its component.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PodOutlier {
    /// The pod's name.
    pub pod: String,
    /// Its component.
    pub component: Component,
    /// The number's name, with its unit.
    pub name: &'static str,
    /// Its value.
    pub value: i64,
    /// The median of the component's pods; a leader, whose work is another, is not among them.
    pub median: i64,
    /// How many pods that is of.
    pub pods: usize,
}

/// A number of a pod.
type OfPod = fn(&WindowNumbers) -> Option<i64>;

/// The numbers that are looked at.
const NUMBERS: [(&str, OfPod); 4] = [
    ("cpu_nanoseconds", |of| of.cpu_nanoseconds),
    ("live_heap_bytes", |of| of.live_heap_bytes),
    ("allocated_bytes", |of| {
        i64::try_from(of.allocated_bytes?).ok()
    }),
    ("goroutines", |of| of.goroutines),
];

/// The outliers of a run: components in their order, then numbers in theirs, the largest value first.
pub(super) fn of_run(manifest: &Manifest) -> Vec<PodOutlier> {
    let each = Component::ALL.into_iter().flat_map(|component| {
        let pods = manifest.pods.iter();
        let pods: Vec<_> = pods
            .filter(|pod| pod.pod.component == component)
            .filter(|pod| manifest.lead(component, &pod.pod.name).is_none())
            .collect();
        NUMBERS
            .iter()
            .flat_map(move |(name, of)| of_number(component, name, *of, &pods))
    });
    each.collect()
}

fn of_number(
    component: Component,
    name: &'static str,
    of: OfPod,
    pods: &[&Pod],
) -> Vec<PodOutlier> {
    let with_it = pods.iter().filter_map(|pod| {
        let numbers = pod.in_window.as_deref()?;
        // Of a process that began within the window, everything is less.
        (!numbers.restarted).then_some((*pod, of(numbers)?))
    });
    let mut with_it: Vec<_> = with_it.collect();
    with_it.sort_by_key(|(pod, value)| (*value, &pod.pod.name));
    let values: Vec<_> = with_it.iter().map(|(_, value)| *value).collect();
    let all: Vec<_> = values.iter().map(|value| *value as f64).collect();
    let median = median(&all).unwrap_or_default() as i64;
    let far = outliers(&values);
    let marked = with_it.iter().zip(far).rev().filter(|(_, is_far)| *is_far);
    let outlier = marked.map(|((pod, value), _)| PodOutlier {
        pod: pod.pod.name.clone(),
        component,
        name,
        value: *value,
        median,
        pods: values.len(),
    });
    outlier.collect()
}
