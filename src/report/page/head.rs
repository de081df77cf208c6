//! The head of a page: the run, what it came to, and what is missing.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::diff::headline;
use crate::manifest::{EndedBy, Manifest, Pod, State};
use crate::report::findings::Findings;

use super::numbers;
use super::numbers::ComponentNumbers;
use super::text::{code, foreign};
use super::verdict::verdict;
use crate::report::units;

/// The run, its verdict, and the facts about it.
pub(super) fn head(findings: &Findings, components: &[ComponentNumbers<'_>]) -> Markup {
    let manifest = &findings.manifest;
    html! {
        header {
            p.kicker { "KubeVirt control plane profile" }
            h1 { "Run " (foreign(&manifest.run_id)) }
            @if findings.is_redacted {
                p.notice {
                    strong { "Names are replaced. " }
                    "Pods, nodes, namespaces, labels' values, and addresses and other names in messages have short ones here, the same \
                     wherever the same was. Numbers are as they were. The commands need the real names."
                }
            }
            p.verdict { (verdict(findings, components)) }
            dl.facts {
                (window(findings))
                (end(manifest))
                @if let Some(diff) = &findings.comparison {
                    (fact("Against the runs before", html! { a href="#comparison" { (foreign(&headline(diff))) } }))
                }
                (pods(manifest))
                (cluster(manifest))
                @if !manifest.labels.is_empty() { (labels(manifest)) }
                (archive(findings))
                (fact("Fetched by", html! {
                    "cluster-profiler-job " (foreign(&manifest.program_version)) ", engine " (foreign(&manifest.engine))
                }))
            }
        }
    }
}

fn fact(name: &str, what: Markup) -> Markup {
    html! { div { dt { (name) } dd { (what) } } }
}

fn window(findings: &Findings) -> Markup {
    let window = findings.manifest.window;
    let seconds = numbers::window_seconds(findings).unwrap_or_default();
    fact(
        "Window",
        html! {
            (units::seconds(seconds)) ", " (ended_by(window.ended_by))
            " " small { (moment(window.start)) " to " (moment(window.stop)) }
        },
    )
}

fn end(manifest: &Manifest) -> Markup {
    let class = if manifest.exit_code == 0 {
        "good"
    } else {
        "bad"
    };
    fact(
        "Exit code",
        html! {
            span class=(class) { (manifest.exit_code) }
            @if let Some(code) = manifest.workload_exit_code { ", the workload's " (code) }
            " " small { (foreign(&manifest.reason)) }
        },
    )
}

fn pods(manifest: &Manifest) -> Markup {
    let of = |state: State| {
        manifest
            .pods
            .iter()
            .filter(|pod| pod.state == state)
            .count()
    };
    let (missing, damaged) = (of(State::Missing), of(State::Damaged));
    let class = if missing + damaged == 0 {
        "good"
    } else {
        "bad"
    };
    fact(
        "Pods",
        html! {
            span class=(class) { (of(State::Complete)) " of " (manifest.pods.len()) " complete" }
            @if missing + damaged > 0 {
                " " small { a href="#completeness" { (missing) " missing, " (damaged) " damaged" } }
            }
        },
    )
}

fn cluster(manifest: &Manifest) -> Markup {
    let kubevirt = &manifest.kubevirt;
    fact(
        "KubeVirt",
        html! {
            (foreign(kubevirt.version.as_deref().unwrap_or("version unknown")))
            ", " (foreign(&kubevirt.namespace)) "/" (foreign(&kubevirt.name))
            @if let Some(uid) = &kubevirt.uid { " " small { "cluster " (code(uid)) } }
        },
    )
}

fn labels(manifest: &Manifest) -> Markup {
    fact(
        "Labels",
        html! {
            @for (key, value) in &manifest.labels {
                span.label { (foreign(key)) "=" (foreign(value)) } " "
            }
        },
    )
}

fn archive(findings: &Findings) -> Markup {
    let archive = &findings.manifest.archive;
    let unread = findings.unread.len();
    fact(
        "Archive",
        html! {
            (foreign(&archive.uri)) ", " (units::bytes(archive.bytes as f64))
            @if unread > 0 {
                " " small { a.bad href="#completeness" { "not all of it could be read" } }
            }
            " " small { "SHA-256 " code.hash { (archive.sha256) } }
        },
    )
}

fn ended_by(ended_by: EndedBy) -> &'static str {
    match ended_by {
        EndedBy::Settle => "ended as planned, by time",
        EndedBy::StopFile => "ended by the stop file",
        EndedBy::VmisRunning => "ended once the virtual machines were Running",
        EndedBy::MaxWindow => "ended by the longest time that a window may last",
        EndedBy::Signal => "ended by a signal",
        EndedBy::Deadline => "ended by the run's deadline",
        EndedBy::Died => "ended by the next attempt, for the one that opened it died",
    }
}

/// A moment to the second.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.get(..19).unwrap_or(&text).replace('T', " ");
    format!("{seconds} UTC")
}

/// What is missing, and what else went wrong; nothing if nothing did.
pub(super) fn completeness(findings: &Findings) -> Option<Markup> {
    let manifest = &findings.manifest;
    let short: Vec<&Pod> = manifest
        .pods
        .iter()
        .filter(|pod| pod.state != State::Complete)
        .collect();
    let lists = lists(findings);
    if short.is_empty() && lists.is_empty() {
        return None;
    }
    Some(html! {
        section id="completeness" {
            h2 { "What is missing" }
            @if !short.is_empty() {
                @let more = short.len().saturating_sub(SHORT_LISTED);
                div.scroll role="region" aria-label="Pods that are not complete" tabindex="0" {
                    table.sortable {
                        caption { "Pods whose data is not all there, " (short.len()) " of " (manifest.pods.len()) }
                        thead { tr { th scope="col" { "Pod" } th scope="col" { "State" } th scope="col" { "Why" } } }
                        tbody { @for pod in short.into_iter().take(SHORT_LISTED) { (short_pod(pod)) } }
                    }
                }
                @if more > 0 { p.note { "and " (more) " more, in the manifest" } }
            }
            @for list in lists { (list) }
        }
    })
}

fn short_pod(pod: &Pod) -> Markup {
    html! {
        tr {
            th scope="row" { (foreign(&pod.pod.name)) }
            td { (state(pod.state)) }
            td.text { (foreign(pod.why.as_deref().unwrap_or("no reason is given"))) }
        }
    }
}

/// A state's name.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Complete => "complete",
        State::Missing => "missing",
        State::Damaged => "damaged",
    }
}

fn lists(findings: &Findings) -> Vec<Markup> {
    let manifest = &findings.manifest;
    let unread = findings.unread.iter();
    let unread = unread.map(|of| html! { (code(&of.path)) ": " (foreign(&of.why)) });
    let warnings = manifest.warnings.iter().map(|warning| foreign(warning));
    let fallback = manifest.fallback_reason.iter();
    let fallback = fallback.map(|why| html! { "The archive is at the fallback: " (foreign(why)) });
    let unstopped = manifest.unstopped.iter().map(|pod| foreign(pod));
    let uncounted = manifest.uncounted.iter();
    let uncounted = uncounted.map(|of| html! { (foreign(&of.name)) ": " (foreign(&of.why)) });
    let refused = manifest.refused.iter().map(
        |of| html! { (foreign(&of.name)) ", in " (foreign(&of.page_of)) ": " (foreign(&of.why)) },
    );
    let lists = [
        list("Could not be read", unread.collect()),
        list("Warnings", fallback.chain(warnings).collect()),
        list("May still be profiling", unstopped.collect()),
        list("Pods that do not count", uncounted.collect()),
        list("Dropped from the dump", refused.collect()),
    ];
    lists.into_iter().flatten().collect()
}

/// The most pods that are not complete and are shown.
const SHORT_LISTED: usize = 1000;

/// The most entries of a list that are shown.
const LISTED: usize = 200;

fn list(name: &str, entries: Vec<Markup>) -> Option<Markup> {
    let more = entries.len().saturating_sub(LISTED);
    (!entries.is_empty()).then(|| {
        html! {
            h3 { (name) }
            ul.plain {
                @for entry in entries.iter().take(LISTED) { li { (entry) } }
                @if more > 0 { li { "and " (more) " more, in the manifest" } }
            }
        }
    })
}
