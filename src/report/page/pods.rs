//! The pods of each component beside each other: a strip of dots for each number, and a table.

use std::collections::BTreeMap;

use hashbrown::HashSet;
use maud::{Markup, html};

use crate::component::Component;
use crate::manifest::State;
use crate::report::findings::Profiled;
use crate::verdict::OUTLIER_RULE;

use super::head::state;
use super::numbers::{ComponentNumbers, Metric, PodNumbers};
use super::text::{foreign, shown};
use crate::report::units;

/// The most pods of a component whose table is open from the beginning.
const OPEN: usize = 12;

/// The most pods of a component that are shown one by one.
const SHOWN: usize = 1000;

/// Parts of a strip's width within which dots are set on top of each other, and the most dots that are.
const BINS: f64 = 150.0;
const STACKED: u32 = 6;

/// The most characters of an outlier's name beside its mark.
const LABEL: usize = 20;

/// Where a strip's scale begins and how wide it is, in percent.
const BEGIN: f64 = 2.0;
const WIDTH: f64 = 96.0;

/// How the pods' numbers are spread, with the rule that marks outliers.
pub(super) fn heading(components: &[ComponentNumbers<'_>]) -> Markup {
    let mut pods = components.iter().flat_map(|of| &of.pods);
    let has_leaders = pods.any(|pod| pod.lead.is_some());
    html! {
        h2 { "Pods" }
        p.note { (OUTLIER_RULE) " The largest one has its name beside it, and how many times the median it is." }
        ul.legend aria-label="Marks" {
            (legend(&html! { circle.dot cx="9" cy="9" r="4" {} }, "a pod"))
            (legend(&html! { path.mark d="M9 2 15 13 3 13z" {} }, "an outlier"))
            (legend(&html! { line.median x1="9" x2="9" y1="4" y2="14" stroke="currentColor" {} }, "the median"))
            @if has_leaders {
                (legend(&html! { circle.dot cx="9" cy="9" r="4" {} (ring("9", "9")) }, "the pod that leads, at the start or the end of the window"))
            }
        }
    }
}

fn legend(mark: &Markup, label: &str) -> Markup {
    html! { li { svg width="18" height="18" aria-hidden="true" { (mark) } " " (label) } }
}

/// What is around the mark of a leader.
fn ring(x: &str, y: &str) -> Markup {
    html! { circle.ring cx=(x) cy=(y) r="7.5" fill="none" stroke="currentColor" {} }
}

/// The pods of a component.
pub(super) fn component(of: &ComponentNumbers<'_>, profiles: &[&Profiled]) -> Markup {
    let graphs = Graphs::of(of.component, profiles);
    let pods = worth_a_look(of);
    let is_whole = pods.len() == of.pods.len();
    html! {
        h3 { (of.component.name()) " " small { (of.pods.len()) " pods" } }
        @if !is_whole {
            p.notice {
                "Of so many pods, " (pods.len()) " are shown: leaders, outliers, those that are not complete, and others as far as \
                 there is room. Medians and sums are of all; the manifest has the rest."
            }
        }
        div.strips {
            @for metric in Metric::ALL {
                @if of.sum(metric).is_some() { (strip(of, &pods, metric)) }
            }
        }
        details open[of.pods.len() <= OPEN] {
            summary { "Table of " @if is_whole { "the " } (pods.len()) " pods" }
            div.scroll role="region" aria-label=(format!("Pods of {}", of.component)) tabindex="0" {
                table.sortable {
                    thead {
                        tr {
                            th scope="col" { "Pod" }
                            th scope="col" { "Node" }
                            th scope="col" { "State" }
                            th.number scope="col" { "Restarts" }
                            @for metric in Metric::ALL { th.number scope="col" { (metric.label()) } }
                            th scope="col" { "Graph" }
                        }
                    }
                    tbody { @for pod in pods { (row(pod, of, &graphs)) } }
                }
            }
        }
    }
}

/// The pods that are shown, in their order: all, unless there are too many.
fn worth_a_look<'a, 'b>(of: &'b ComponentNumbers<'a>) -> Vec<&'b PodNumbers<'a>> {
    let mut pods: Vec<_> = of.pods.iter().collect();
    pods.sort_by_key(|pod| {
        let is_odd = pod.lead.is_some() || pod.is_outlier.contains(&true);
        (!is_odd, pod.pod.state == State::Complete)
    });
    pods.truncate(SHOWN);
    pods.sort_by_key(|pod| pod.index);
    pods
}

fn strip(of: &ComponentNumbers<'_>, pods: &[&PodNumbers<'_>], metric: Metric) -> Markup {
    let most = of.values(metric).max().unwrap_or_default().max(1);
    let median = of.medians[metric as usize].unwrap_or_default();
    let mut label = format!(
        "{} of {} pods of {}: median {}, most {}",
        metric.label(),
        of.values(metric).count(),
        of.component,
        metric.show(median),
        metric.show(most)
    );
    for pod in &of.pods {
        if let Some((lead, value)) = pod.lead.zip(pod.values[metric as usize]) {
            label += &format!(", {} {}", lead.label(), metric.show(value));
        }
    }
    let place = |value: i64| BEGIN + WIDTH * value.max(0) as f64 / most as f64;
    // How many dots there are already in each part of the width.
    let mut stacked = BTreeMap::new();
    // What is drawn last is on top.
    let (leaders, others): (Vec<&PodNumbers<'_>>, Vec<_>) =
        pods.iter().copied().partition(|pod| pod.lead.is_some());
    html! {
        figure.strip {
            figcaption {
                (metric.label())
                @let outliers = of.pods.iter().filter(|pod| pod.is_outlier[metric as usize]).count();
                @if outliers > 1 { ", " (outliers) " outliers" }
            }
            svg width="100%" height="76" role="group" aria-label=(label) {
                line.axis x1=(percent(BEGIN)) x2=(percent(BEGIN + WIDTH)) y1="56.5" y2="56.5" stroke="currentColor" {}
                line.median x1=(percent(place(median))) x2=(percent(place(median))) y1="52" y2="62" stroke="currentColor" {}
                text x=(percent(BEGIN)) y="72" { "0" }
                text x="50%" y="72" text-anchor="middle" { (metric.show(most / 2)) }
                text x=(percent(BEGIN + WIDTH)) y="72" text-anchor="end" { (metric.show(most)) }
                @for pod in others.into_iter().chain(leaders) {
                    @if let Some(value) = pod.values[metric as usize] {
                        @if pod.is_outlier[metric as usize] {
                            (outlier(pod, of, metric, place(value)))
                        } @else {
                            @let bin = (BINS * value.max(0) as f64 / most as f64) as u32;
                            @let before: u32 = next(stacked.entry(bin).or_default());
                            (dot(pod, metric, &percent(place(value)), 50 - 5 * before.min(STACKED)))
                        }
                    }
                }
            }
        }
    }
}

/// A number before it is counted up.
fn next(number: &mut u32) -> u32 {
    *number += 1;
    *number - 1
}

/// A pod among others; a leader leads to its row.
fn dot(pod: &PodNumbers<'_>, metric: Metric, x: &str, y: u32) -> Markup {
    let value = metric.show(pod.values[metric as usize].unwrap_or_default());
    let dot = html! {
        circle.dot cx=(x) cy=(y) r="4" { title { (named(pod)) ": " (value) } }
    };
    html! {
        @if pod.lead.is_some() {
            a href=(format!("#pod-{}", pod.index)) { (dot) (ring(x, &y.to_string())) }
        } @else {
            (dot)
        }
    }
}

/// A pod's name, and whether it leads.
fn named(pod: &PodNumbers<'_>) -> String {
    let name = shown(&pod.pod.pod.name);
    match pod.lead {
        Some(lead) => format!("{name}, {}", lead.label()),
        None => name,
    }
}

fn outlier(pod: &PodNumbers<'_>, of: &ComponentNumbers<'_>, metric: Metric, x: f64) -> Markup {
    let name = shown(&pod.pod.pod.name);
    let value = metric.show(pod.values[metric as usize].unwrap_or_default());
    let times = times(pod, of, metric).map(|times| format!(", {times}"));
    let times = times.unwrap_or_default();
    // There is room for one name.
    let is_named = of.most(metric).is_some_and(|most| most.index == pod.index);
    let tip = name.chars().count().saturating_sub(LABEL);
    let tip: String = name.chars().skip(tip).collect();
    let is_right = x > 50.0;
    html! {
        a href=(format!("#pod-{}", pod.index)) {
            svg x=(percent(x)) y="49" overflow="visible" {
                path.mark d="M0-7 6 4-6 4z" { title { (named(pod)) ": " (value) (times) @if !times.is_empty() { " median" } } }
                @if pod.lead.is_some() { (ring("0", "0")) }
                @if is_named {
                    text.mark-name x=(if is_right { "6" } else { "-6" }) y="-36" text-anchor=(if is_right { "end" } else { "start" }) {
                        (tip) ": " (value) (times)
                    }
                }
            }
        }
    }
}

/// How many times the median it is.
fn times(pod: &PodNumbers<'_>, of: &ComponentNumbers<'_>, metric: Metric) -> Option<String> {
    let times = pod.times(metric, of)?;
    Some(format!("{} ×", units::three_digits(times)))
}

fn percent(of: f64) -> String {
    format!("{of:.1}%")
}

fn row(pod: &PodNumbers<'_>, of: &ComponentNumbers<'_>, graphs: &Graphs<'_>) -> Markup {
    let manifest = &pod.pod.pod;
    html! {
        tr id=(format!("pod-{}", pod.index)) data-row=(pod.index) {
            th scope="row" {
                (foreign(&manifest.name))
                @if let Some(lead) = pod.lead { " " small.lead { (lead.label()) } }
            }
            td { (foreign(&manifest.node)) }
            td { (state(pod.pod.state)) }
            td.number { (manifest.restarts) }
            @for metric in Metric::ALL {
                td.number {
                    @match pod.values[metric as usize] {
                        Some(value) => (metric.show(value)),
                        None => "–",
                    }
                    @if pod.is_outlier[metric as usize] {
                        " " small.odd { "▲ outlier" @if let Some(times) = times(pod, of, metric) { ", " (times) " median" } }
                    }
                }
            }
            td {
                @if let Some(profile) = graphs.of_pod(pod) {
                    a.scripted-only href="#profiles" data-pod=(pod.index) data-profile=(profile) { "show" }
                }
            }
        }
    }
}

/// Which pods have graphs of their own, of a component.
struct Graphs<'a> {
    /// Profiles with the pods that they have graphs of.
    profiles: Vec<Named<'a>>,
}

struct Named<'a> {
    profile: &'a Profiled,
    pods: HashSet<&'a str>,
}

impl<'a> Graphs<'a> {
    fn of(component: Component, profiles: &[&'a Profiled]) -> Self {
        let of_component = profiles.iter().filter(|of| of.component == component);
        let named = of_component.map(|profile| Named {
            profile,
            pods: profile.of_pods.iter().map(|of| of.pod.as_str()).collect(),
        });
        Self {
            profiles: named.collect(),
        }
    }

    /// The graph that explains what is odd about a pod, or the first one that it has.
    fn of_pod(&self, pod: &PodNumbers<'_>) -> Option<String> {
        let name = pod.pod.pod.name.as_str();
        let mut metrics = Metric::ALL.into_iter();
        let odd = metrics.find(|metric| pod.is_outlier[*metric as usize]);
        let with = self.profiles.iter().filter(|of| of.pods.contains(name));
        let mut with: Vec<_> = with.map(|of| of.profile).collect();
        with.sort_by_key(|of| odd.is_none_or(|odd| of.kind != odd.explained_by()));
        let profile = with.first()?;
        Some(format!("{}/{}", profile.kind.name(), profile.part.name()))
    }
}
