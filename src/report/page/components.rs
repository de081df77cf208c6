//! What each component used and held, and how fast virtual machines came up meanwhile.

use maud::{Markup, html};

use crate::manifest::{CountedFrom, VmiLatencies};
use crate::report::findings::Findings;

use super::numbers::{ComponentNumbers, Metric};
use super::text::{foreign, shown};
use crate::report::units;

/// A row for each component.
pub(super) fn components(findings: &Findings, components: &[ComponentNumbers<'_>]) -> Markup {
    html! {
        section id="components" {
            h2 { "Components" }
            div.scroll role="region" aria-label="Components in numbers" tabindex="0" {
                table.wide {
                    caption { "All pods of each component together, and the pod with the most" }
                    thead {
                        tr {
                            th scope="col" { "Component" }
                            th.number scope="col" { "Pods" }
                            @for metric in Metric::ALL {
                                th.number scope="col" { (metric.label()) " " small { (metric.unit()) } }
                            }
                            th scope="col" { "Limits of a pod" }
                        }
                    }
                    tbody { @for of in components { (row(of)) } }
                }
            }
            @if !has_rates(components) {
                p.note {
                    "What was allocated in the window is not known: the run had no baseline (PROFILER_BASELINE=true takes one)."
                }
            }
            @if let Some(latencies) = &findings.manifest.vmi_latencies { (virtual_machines(latencies)) }
        }
    }
}

fn has_rates(components: &[ComponentNumbers<'_>]) -> bool {
    let mut components = components.iter();
    components.any(|of| of.sum(Metric::Allocated).is_some())
}

fn row(of: &ComponentNumbers<'_>) -> Markup {
    html! {
        tr {
            th scope="row" { (of.component.name()) }
            td.number { (of.pods.len()) }
            @for metric in Metric::ALL { td.number { (amount(of, metric)) } }
            td { (limits(of)) }
        }
    }
}

fn amount(of: &ComponentNumbers<'_>, metric: Metric) -> Markup {
    let (Some(sum), Some(most)) = (of.sum(metric), of.most(metric)) else {
        return html! { "–" };
    };
    let largest = most.values[metric as usize].unwrap_or_default();
    let limit = most.limit(metric);
    html! {
        (metric.show(sum))
        @if of.pods.len() > 1 || limit.is_some() {
            " " small title=(shown(&most.pod.pod.name)) {
                "most " (metric.show(largest))
                @if let Some(limit) = limit {
                    ", " (units::percent(largest as f64, limit as f64)) " of its limit"
                }
            }
        }
    }
}

/// The limits and requests of the component's pods, each value once.
fn limits(of: &ComponentNumbers<'_>) -> Markup {
    let mut said = Vec::new();
    for pod in &of.pods {
        let Some(bounds) = &pod.pod.pod.container else {
            continue;
        };
        let limits = bounds.limits.iter().map(|of| (of, "limit"));
        let requests = bounds.requests.iter().map(|of| (of, "request"));
        let resources = limits.chain(requests).filter(|(of, _)| {
            // Others do not bound what is profiled.
            ["cpu", "memory"].contains(&of.0.as_str())
        });
        let resources = resources.map(|((resource, of), bound)| format!("{resource} {bound} {of}"));
        let variables = [
            ("GOMAXPROCS", &bounds.gomaxprocs),
            ("GOMEMLIMIT", &bounds.gomemlimit),
        ];
        let variables = variables.into_iter();
        let variables = variables.filter_map(|(name, of)| Some(format!("{name} {}", of.as_ref()?)));
        for bound in resources.chain(variables) {
            if !said.contains(&bound) && said.len() < 8 {
                said.push(bound);
            }
        }
    }
    html! {
        @if said.is_empty() { "none" }
        @for bound in said { small { (foreign(&bound)) } " " }
    }
}

fn virtual_machines(of: &VmiLatencies) -> Markup {
    let counted_from = match of.counted_from {
        CountedFrom::VirtualMachine => "from the creation of the VirtualMachine, where it has one",
        CountedFrom::VirtualMachineInstance => "from the creation of the instance",
    };
    html! {
        h3 { "Virtual machines that were created in the window" }
        p {
            (of.created) " created, " (of.running) " have been Running, " (of.not_running) " have not, "
            (of.failed) " failed, " (of.deleted) " deleted"
            @if let Some(namespace) = &of.namespace { "; in namespace " (foreign(namespace)) }
            @if let Some(selector) = &of.selector { "; with labels " (foreign(selector)) }
            "."
        }
        @if !of.quantiles_milliseconds.is_empty() {
            div.scroll role="region" aria-label="Latencies of virtual machines" tabindex="0" {
                table.sortable {
                    caption {
                        "Time until each condition, " (counted_from) "; of those that reached it; known to "
                        (units::milliseconds(u64::from(of.resolution_milliseconds)))
                    }
                    thead {
                        tr {
                            th scope="col" { "Condition" }
                            @for name in ["VMs", "P50", "P95", "P99", "Fastest", "Slowest", "Mean"] {
                                th.number scope="col" { (name) }
                            }
                        }
                    }
                    tbody {
                        @for of in &of.quantiles_milliseconds {
                            tr {
                                th scope="row" { (foreign(&of.name)) }
                                td.number { (of.count) }
                                @for time in [of.p50, of.p95, of.p99, of.min, of.max, of.avg] {
                                    td.number { (units::milliseconds(time)) }
                                }
                            }
                        }
                    }
                }
            }
        }
        @for missed in &of.missed { p.note { (foreign(missed)) } }
    }
}
