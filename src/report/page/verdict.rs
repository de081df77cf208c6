//! What a run found, in one sentence.

use maud::{Markup, html};

use crate::pprof::Kind;
use crate::report::findings::{Findings, Part};

use super::numbers::{ComponentNumbers, Metric, PodNumbers, window_seconds};
use super::text::{code, foreign, short};
use crate::report::units;

/// The component that was busiest, the function that it was busy with, and the pod that is most unlike the others.
pub(super) fn verdict(findings: &Findings, components: &[ComponentNumbers<'_>]) -> Markup {
    let busiest = busiest(findings, components);
    let odd = odd(components);
    html! {
        @match (busiest, odd) {
            (Some(busiest), Some(odd)) => { (busiest) "; " (odd) "." }
            (Some(busiest), None) => { (busiest) "; no pod is far from the others of its component." }
            (None, Some(odd)) => { "There is no cpu profile of the window; " (odd) "." }
            (None, None) => { "There is no cpu profile of the window, and no pod is far from the others of its component." }
        }
    }
}

fn busiest(findings: &Findings, components: &[ComponentNumbers<'_>]) -> Option<Markup> {
    let with_cpu = components
        .iter()
        .filter_map(|of| Some((of.sum(Metric::Cpu)?, of)));
    let (used, of) = with_cpu.max_by_key(|(used, _)| *used)?;
    let seconds = window_seconds(findings)?;
    let function = top_function(findings, of);
    Some(html! {
        strong { (of.component.name()) " used " (Metric::Cpu.show(used)) }
        " for " (units::seconds(seconds)) ", the most of all components"
        @if let Some(function) = function { (function) }
    })
}

/// The function that itself used the most processor time in a component.
fn top_function(findings: &Findings, of: &ComponentNumbers<'_>) -> Option<Markup> {
    let mut profiles = findings.profiles.iter();
    let cpu = profiles.find(|profiled| {
        profiled.component == of.component
            && profiled.kind == Kind::Cpu
            && profiled.part == Part::Whole
    })?;
    let top = cpu.top.get(cpu.shown)?.iter().max_by_key(|row| row.own)?;
    let whole = *cpu.merged.cumulative(cpu.shown).first()?;
    (whole > 0 && top.own > 0).then(|| {
        let share = units::percent(top.own as f64, whole as f64);
        html! { ", " (share) " of it in " (code(short(&top.name))) " itself" }
    })
}

/// The outlier with the largest multiple of its component's median.
fn odd(components: &[ComponentNumbers<'_>]) -> Option<Markup> {
    let mut found: Option<(f64, &ComponentNumbers<'_>, &PodNumbers<'_>, Metric)> = None;
    for of in components {
        for metric in Metric::ALL {
            let outliers = of.pods.iter().filter(|pod| pod.is_outlier[metric as usize]);
            for pod in outliers {
                let Some(times) = pod.times(metric, of) else {
                    continue;
                };
                if found.is_none_or(|(most, ..)| times > most) {
                    found = Some((times, of, pod, metric));
                }
            }
        }
    }
    let (times, of, pod, metric) = found?;
    let number = of.values(metric).count();
    Some(html! {
        strong {
            "one " (of.component.name()) " of " (number) " " (metric.verb()) " "
            (units::three_digits(times)) " times " (metric.noun()) " of the others"
        }
        " (median), " (foreign(&pod.pod.pod.name))
    })
}
