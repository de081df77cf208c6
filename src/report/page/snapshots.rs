//! How live heap and goroutines went over the window.

use maud::{Markup, html};

use crate::manifest::Manifest;
use crate::pprof::Kind;
use crate::report::findings::Findings;

use super::numbers::{ComponentNumbers, window_seconds};
use super::text::foreign;
use crate::report::units::{self, Unit};

/// A moment of the window, and the value then.
struct Point {
    seconds: f64,
    value: i64,
}

/// What of a component is drawn, and in which unit.
const LINES: [(Kind, Unit, &str); 2] = [
    (Kind::Heap, Unit::Bytes, "Live heap"),
    (Kind::Goroutine, Unit::Count, "Goroutines"),
];

/// The lines and the table; nothing if the run had neither baseline nor snapshots.
pub(super) fn over_the_window(
    findings: &Findings,
    components: &[ComponentNumbers<'_>],
) -> Option<Markup> {
    let lines: Vec<_> = components
        .iter()
        .flat_map(|of| LINES.map(|(kind, unit, name)| line(findings, of, kind, unit, name)))
        .flatten()
        .collect();
    let manifest = &findings.manifest;
    if lines.is_empty() && manifest.snapshots.is_empty() {
        return None;
    }
    Some(html! {
        section id="window" {
            h2 { "Over the window" }
            div.lines { @for line in lines { (line) } }
            @if !manifest.snapshots.is_empty() { (table(manifest)) }
        }
    })
}

fn line(
    findings: &Findings,
    of: &ComponentNumbers<'_>,
    kind: Kind,
    unit: Unit,
    name: &str,
) -> Option<Markup> {
    let points = points(findings, of, kind);
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < 2 {
        return None;
    }
    let most = points.iter().map(|point| point.value).max()?.max(1) as f64;
    let end = last.seconds.max(1.0);
    let x = |point: &Point| format!("{:.1}", 300.0 * point.seconds / end);
    let y = |point: &Point| format!("{:.1}", 50.0 - 46.0 * point.value.max(0) as f64 / most);
    let path: Vec<_> = points
        .iter()
        .map(|of| format!("{},{}", x(of), y(of)))
        .collect();
    let growth = last.value.saturating_sub(first.value);
    let label = format!(
        "{name} of {}, from {} to {}",
        of.component,
        unit.show(first.value),
        unit.show(last.value)
    );
    Some(html! {
        figure.line {
            figcaption {
                (of.component.name()) ": " (name.to_lowercase()) " of a pod"
                " " small {
                    (unit.show(first.value)) " to " (unit.show(last.value)) ", " (unit.show_growth(growth))
                    @if first.value > 0 { " (" (units::percent(growth as f64, first.value as f64)) ")" }
                }
            }
            svg viewBox="-5 0 310 68" width="310" role="img" aria-label=(label) {
                line.axis x1="0" x2="300" y1="50.5" y2="50.5" stroke="currentColor" {}
                polyline points=(path.join(" ")) fill="none" stroke="currentColor" {}
                @for point in &points {
                    circle.dot cx=(x(point)) cy=(y(point)) r="3" { title { (units::seconds(point.seconds)) ": " (unit.show(point.value)) } }
                }
                text x="0" y="64" { "start" }
                text x="300" y="64" text-anchor="end" { (units::seconds(end)) }
            }
        }
    })
}

/// What a pod has on average before the window, at each snapshot, and at the dump. Those of before and after are of the pods that
/// have both.
fn points(findings: &Findings, of: &ComponentNumbers<'_>, kind: Kind) -> Vec<Point> {
    let windows = of
        .pods
        .iter()
        .filter_map(|pod| pod.pod.in_window.as_deref());
    let both = windows.filter_map(|window| {
        if kind == Kind::Heap {
            Some([window.live_heap_bytes_before?, window.live_heap_bytes?])
        } else {
            Some([window.goroutines_before?, window.goroutines?])
        }
    });
    let both: Vec<[i64; 2]> = both.collect();
    let sum = |at: usize| both.iter().map(|of| of[at]).fold(0, i64::saturating_add);
    let mean = |at: usize| mean_of(sum(at), both.len());
    let end = window_seconds(findings);
    let mut points = Vec::new();
    if let Some(before) = mean(0) {
        points.push(Point {
            seconds: 0.0,
            value: before,
        });
    }
    let totals = findings.snapshots.iter();
    for totals in totals.filter(|totals| totals.component == of.component && totals.kind == kind) {
        let mut snapshots = findings.manifest.snapshots.iter();
        let at = snapshots.find(|snapshot| snapshot.name == totals.snapshot);
        if let Some((at, value)) = at.zip(
            totals
                .totals
                .last()
                .and_then(|sum| mean_of(*sum, totals.pods)),
        ) {
            points.push(Point {
                seconds: at.offset_seconds,
                value,
            });
        }
    }
    if let Some((after, end)) = mean(1).zip(end) {
        points.push(Point {
            seconds: end,
            value: after,
        });
    }
    points
}

fn mean_of(sum: i64, pods: usize) -> Option<i64> {
    sum.checked_div(i64::try_from(pods).ok()?)
}

fn table(manifest: &Manifest) -> Markup {
    html! {
        div.scroll role="region" aria-label="Snapshots" tabindex="0" {
            table.sortable {
                caption { "Dumps from within the window; their profiles are in the archive, in each pod's folder snapshots" }
                thead {
                    tr {
                        th scope="col" { "Snapshot" } th.number scope="col" { "After" }
                        th.number scope="col" { "Pods" } th scope="col" { "What it lacks" }
                    }
                }
                tbody {
                    @for snapshot in &manifest.snapshots {
                        tr {
                            th scope="row" { (foreign(&snapshot.name)) }
                            td.number { (units::seconds(snapshot.offset_seconds)) }
                            td.number { @match snapshot.pods { Some(pods) => (pods), None => "–" } }
                            td.text { (foreign(snapshot.why.as_deref().unwrap_or("nothing"))) }
                        }
                    }
                }
            }
        }
    }
}
