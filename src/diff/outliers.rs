//! Pods of the newest run that are far from the others of their component.

use schemars::JsonSchema;
use serde::Serialize;

use crate::component::Component;
use crate::manifest::{Manifest, Pod, WindowNumbers};
use crate::verdict::outliers;

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
            .filter(|pod| !leads(manifest, pod))
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
    let middle = |at: usize| values.get(at).copied().unwrap_or_default();
    let median = i64::midpoint(
        middle(values.len() / 2),
        middle(values.len().saturating_sub(1) / 2),
    );
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

/// Whether the pod led its component just before or just after the window.
fn leads(manifest: &Manifest, pod: &Pod) -> bool {
    let surroundings = manifest.surroundings.as_ref();
    let states = surroundings
        .into_iter()
        .flat_map(|of| [&of.at_start, &of.at_stop]);
    let mut leaders = states
        .flatten()
        .filter_map(|state| state.leaders.get(&pod.pod.component));
    leaders.any(|leader| *leader == pod.pod.name)
}
