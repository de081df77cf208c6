//! Whether two runs can be compared.

use super::document::NotComparable;
use super::quantity::seconds;
use crate::component::Component;
use crate::destination::RunNumbers;
use crate::manifest::ClusterState;

/// Numbers that surround two runs may differ by this ratio.
const MOST_APART: f64 = 1.2;

/// What is said where a run does not tell.
pub const UNKNOWN: &str = "unknown";

/// What two runs are asked.
struct Field {
    name: String,
    one: Option<String>,
    other: Option<String>,
    alike: bool,
}

impl Field {
    fn same(name: &str, one: Option<String>, other: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            alike: one == other,
            one,
            other,
        }
    }

    /// Numbers that are about the same, or that one of the runs does not know.
    fn near(name: impl Into<String>, one: Option<f64>, other: Option<f64>) -> Self {
        let alike = one.zip(other).is_none_or(|(one, other)| {
            let (small, large) = (one.min(other), one.max(other));
            large <= small * MOST_APART
        });
        let show = |number: Option<f64>| number.map(|number| format!("{number:.0}"));
        Self {
            name: name.into(),
            one: show(one),
            other: show(other),
            alike,
        }
    }
}

/// The first thing in which another run differs from this one so much that their numbers say nothing about KubeVirt.
pub(super) fn difference(run: &RunNumbers, other: &RunNumbers) -> Option<NotComparable> {
    let differs = fields(run, other).into_iter().find(|field| !field.alike)?;
    let unknown = || UNKNOWN.to_owned();
    Some(NotComparable {
        run_id: other.run_id.clone(),
        field: differs.name,
        new: differs.one.unwrap_or_else(unknown),
        earlier: differs.other.unwrap_or_else(unknown),
    })
}

/// Why a run can be compared with none.
pub fn incomplete(run: &RunNumbers) -> Option<String> {
    let (complete, expected) = (run.pods.complete(), run.pods.expected());
    if complete < expected || expected == 0 {
        return Some(format!("{complete} of {expected} pods are complete"));
    }
    if seconds(run) <= 0.0 {
        return Some("its window has no length".to_owned());
    }
    None
}

fn fields(run: &RunNumbers, other: &RunNumbers) -> Vec<Field> {
    let mut fields = vec![
        key(run, other),
        Field::same("components", components(run), components(other)),
        architecture(run, other),
        Field::near("window seconds", Some(seconds(run)), Some(seconds(other))),
        Field::same("VMIs that count", counted(run), counted(other)),
        Field::near("VMIs created in the window", created(run), created(other)),
        Field::near("VMIs", vmis(run), vmis(other)),
        Field::near("nodes", nodes(run), nodes(other)),
    ];
    fields.extend(Component::ALL.map(|component| {
        let pods = |run: &RunNumbers| Some(run.pods.expected_of(component) as f64);
        Field::near(format!("pods of {component}"), pods(run), pods(other))
    }));
    fields
}

/// The key of PROFILER_COMPARE_KEY, or else the cluster. One that is not known is no other one's.
fn key(run: &RunNumbers, other: &RunNumbers) -> Field {
    if run.compare_key.is_some() || other.compare_key.is_some() {
        let (one, other) = (run.compare_key.clone(), other.compare_key.clone());
        return Field::same("PROFILER_COMPARE_KEY", one, other);
    }
    let (one, other) = (run.kubevirt.uid.clone(), other.kubevirt.uid.clone());
    let mut field = Field::same("cluster", one, other);
    field.alike &= field.one.is_some();
    field
}

/// The architecture of the nodes that the pods run on. One that is not known may be any.
fn architecture(run: &RunNumbers, other: &RunNumbers) -> Field {
    let of = |run: &RunNumbers| {
        let all = &run.surroundings.as_ref()?.architectures;
        let names: Vec<_> = all.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join(","))
    };
    let mut field = Field::same("architecture of nodes", of(run), of(other));
    field.alike |= field.one.is_none() || field.other.is_none();
    field
}

fn components(run: &RunNumbers) -> Option<String> {
    let expected = |component: &Component| run.pods.expected_of(*component) > 0;
    let names: Vec<_> = Component::ALL
        .into_iter()
        .filter(expected)
        .map(Component::name)
        .collect();
    Some(names.join(","))
}

fn counted(run: &RunNumbers) -> Option<String> {
    let vmis = run.vmi_latencies.as_ref()?;
    let or_all = |text: &Option<String>| text.clone().unwrap_or_else(|| "all".to_owned());
    Some(format!(
        "{} of namespace {}",
        or_all(&vmis.selector),
        or_all(&vmis.namespace)
    ))
}

fn created(run: &RunNumbers) -> Option<f64> {
    run.vmi_latencies.as_ref().map(|vmis| vmis.created as f64)
}

fn vmis(run: &RunNumbers) -> Option<f64> {
    Some(at_stop(run)?.virtual_machine_instances? as f64)
}

fn nodes(run: &RunNumbers) -> Option<f64> {
    Some(at_stop(run)?.nodes? as f64)
}

fn at_stop(run: &RunNumbers) -> Option<&ClusterState> {
    run.surroundings.as_ref()?.at_stop.as_ref()
}
