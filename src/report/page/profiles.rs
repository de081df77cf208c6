//! The profiles of each component: a viewer, and tables that need no script.

use hashbrown::HashSet;
use maud::{Markup, PreEscaped, html};

use crate::component::Component;
use crate::manifest::Manifest;
use crate::pprof::Kind;
use crate::report::findings::{Findings, Part, Profiled};
use crate::report::top::TopRow;

use super::flame;
use super::frames::frames;
use super::text::{foreign, shown};
use crate::report::units::{self, Unit};

/// The rows of all tables together, those of differences among them, and of one.
const ROWS: usize = 600;
const MOST_ROWS: usize = 100;
const FEWEST_ROWS: usize = 12;

/// The frames of a flame graph that needs no script.
const STATIC_FRAMES: usize = 45;

/// The profiles as they are shown: components in their order, and of each what is looked at first.
pub(super) fn in_order(findings: &Findings) -> Vec<&Profiled> {
    let mut profiles: Vec<_> = findings
        .profiles
        .iter()
        .filter(|of| has_values(of))
        .collect();
    profiles.sort_by_key(|of| (of.component, rank(of.kind, of.part)));
    profiles
}

fn has_values(of: &Profiled) -> bool {
    of.merged.own(of.shown).iter().any(|own| *own != 0)
}

fn rank(kind: Kind, part: Part) -> u8 {
    let kind = match (kind, part) {
        (Kind::Cpu, _) => 0,
        (Kind::Allocs, Part::Delta | Part::Growth) => 1,
        (Kind::Heap, _) => 2,
        (Kind::Goroutine, _) => 3,
        (Kind::Allocs, Part::Whole) => 4,
        (Kind::Block, _) => 5,
        (Kind::Mutex, _) => 6,
        (Kind::Threadcreate, _) => 7,
    };
    2 * kind + u8::from(part != Part::Whole)
}

/// What a profile is called.
pub(super) fn title(kind: Kind, part: Part) -> &'static str {
    match (kind, part) {
        (Kind::Cpu, _) => "CPU time",
        (Kind::Allocs, Part::Whole) => "Allocated since the process began",
        (Kind::Allocs, Part::Delta | Part::Growth) => "Allocated in the window",
        (Kind::Heap, Part::Whole) => "Live heap",
        (Kind::Heap, Part::Delta | Part::Growth) => "Growth of the live heap",
        (Kind::Goroutine, Part::Whole) => "Goroutines",
        (Kind::Goroutine, Part::Delta | Part::Growth) => "Growth of goroutines",
        (Kind::Block, Part::Whole) => "Waits (block) since the process began",
        (Kind::Block, Part::Delta | Part::Growth) => "Waits (block) in the window",
        (Kind::Mutex, Part::Whole) => "Contended mutexes since the process began",
        (Kind::Mutex, Part::Delta | Part::Growth) => "Contended mutexes in the window",
        (Kind::Threadcreate, Part::Whole) => "Threads created",
        (Kind::Threadcreate, Part::Delta | Part::Growth) => "Growth of threads",
    }
}

/// Whether a kind has a flame graph; the others have tables alone.
pub(super) fn has_flame(kind: Kind) -> bool {
    match kind {
        Kind::Allocs | Kind::Cpu | Kind::Goroutine | Kind::Heap => true,
        Kind::Block | Kind::Mutex | Kind::Threadcreate => false,
    }
}

/// The unit of the value that is shown first.
pub(super) fn unit(of: &Profiled) -> Unit {
    let shown = of.merged.types().get(of.shown);
    shown.map_or(Unit::Count, |of| Unit::of(&of.unit))
}

/// How many pods were added up, and which the manifest has besides.
pub(super) fn coverage(manifest: &Manifest, of: &Profiled) -> String {
    let added: HashSet<_> = of.pods.iter().collect();
    let pods = manifest.pods.iter().map(|pod| &pod.pod);
    let pods = pods.filter(|pod| pod.component == of.component && !added.contains(&pod.name));
    let missing: Vec<_> = pods.map(|pod| &pod.name).collect();
    let name = |at: usize| missing.get(at).map_or_else(String::new, |name| shown(name));
    let all = format!(
        "{} of {} pods",
        of.pods.len(),
        of.expected.max(of.pods.len())
    );
    match missing.len() {
        0 => all,
        few @ 1..=3 => {
            let names: Vec<_> = (0..few).map(name).collect();
            format!("{all}, without {}", names.join(", "))
        }
        many => format!(
            "{all}, without {}, {} and {} more",
            name(0),
            name(1),
            many - 2
        ),
    }
}

/// What a component's profiles say, in tables, and its first one as a flame graph.
pub(super) fn component(
    findings: &Findings,
    component: Component,
    profiles: &[&Profiled],
) -> Markup {
    let differences = findings.differences.iter();
    let differences: usize = differences.map(|of| of.profiles.len()).sum();
    let tables = profiles.len() + differences;
    let rows = (ROWS / tables.max(1)).clamp(FEWEST_ROWS, MOST_ROWS);
    let mut of_component = profiles.iter().filter(|of| of.component == component);
    let first = of_component.find(|of| has_flame(of.kind));
    html! {
        article id=(format!("profiles-{component}")) {
            h3 { (component.name()) }
            @if let Some(of) = first { (static_flame(findings, of)) }
            @for of in profiles.iter().filter(|of| of.component == component) {
                details open[first.is_some_and(|first| std::ptr::eq(*first, *of))] {
                    summary { (title(of.kind, of.part)) " " small { (coverage(&findings.manifest, of)) } }
                    (top_table(of, rows))
                }
            }
        }
    }
}

fn static_flame(findings: &Findings, of: &Profiled) -> Markup {
    let frames = frames(&of.merged, of.shown, STATIC_FRAMES);
    let label = format!(
        "Flame graph of {}, {}",
        of.component,
        title(of.kind, of.part)
    );
    html! {
        figure.static {
            figcaption {
                (title(of.kind, of.part)) ", " (unit(of).show(total(of))) " in " (coverage(&findings.manifest, of))
                ". Each box is a function, as wide as its share, below the one that called it; frames below "
                (units::percent(frames.share, 1.0)) " of the whole are folded together."
            }
            (flame::flame(&frames, unit(of), &label))
            (flame::legend())
        }
    }
}

/// What all pods have of the value that is shown first.
pub(super) fn total(of: &Profiled) -> i64 {
    of.merged
        .totals()
        .get(of.shown)
        .copied()
        .unwrap_or_default()
}

/// The head of a table of functions, without the end tags that HTML does without, for there are many.
pub(super) fn functions_head() -> Markup {
    html! {
        (PreEscaped("<thead><tr>"))
        @for name in ["Self", "Self %", "Total", "Total %", "Function"] {
            (PreEscaped("<th scope=col>")) (name)
        }
    }
}

/// What grew and what shrank, added up.
fn changed(of: &Profiled) -> f64 {
    let own = of.merged.own(of.shown);
    own.into_iter().map(|own| own.unsigned_abs() as f64).sum()
}

/// The functions of a profile. Rows lack the end tags that HTML does without, for there are hundreds.
fn top_table(of: &Profiled, most: usize) -> Markup {
    let all = of.top.get(of.shown).map_or(&[][..], Vec::as_slice);
    let rows = largest(all, most);
    let unit = unit(of);
    let whole = if of.part == Part::Growth {
        changed(of)
    } else {
        total(of) as f64
    };
    let label = format!("{}: {}", of.component, title(of.kind, of.part));
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table.top.sortable {
                caption {
                    "Functions with the most of their own, and with the most together with what they called; "
                    (unit.show(total(of))) " in all"
                    @if of.merged.cut() > 0 {
                        ". Of " (of.merged.cut()) " stacks the innermost functions are left out, for there were too many"
                    }
                }
                (functions_head())
                tbody {
                    @for row in rows {
                        (PreEscaped("<tr>"))
                        @for of_row in [row.own, row.cumulative] {
                            (PreEscaped("<td>")) (value(unit, of.part, of_row))
                            (PreEscaped("<td>")) (units::percent(of_row as f64, whole))
                        }
                        (PreEscaped("<th scope=row>")) (foreign(&row.name))
                    }
                }
            }
        }
    }
}

fn value(unit: Unit, part: Part, value: i64) -> String {
    if part == Part::Growth {
        unit.show_growth(value)
    } else {
        unit.show(value)
    }
}

/// So many rows: those with the most of their own, and those with the most in all.
pub(super) fn largest(rows: &[TopRow], most: usize) -> Vec<&TopRow> {
    if rows.len() <= most {
        return rows.iter().collect();
    }
    let mut by_cumulative: Vec<_> = rows
        .iter()
        .map(|row| row.cumulative.saturating_abs())
        .collect();
    by_cumulative.sort_unstable_by(|a, b| b.cmp(a));
    let half = most / 2;
    let least = by_cumulative.get(half).copied().unwrap_or_default();
    let rows = rows.iter().enumerate();
    let rows = rows.filter(|(at, row)| *at < half || row.cumulative.saturating_abs() > least);
    rows.map(|(_, row)| row).collect()
}

/// The kinds that are empty everywhere, and why.
pub(super) fn empty_kinds(manifest: &Manifest) -> Markup {
    html! {
        @if !manifest.empty_kinds.is_empty() {
            h3 { "Empty in every pod" }
            ul.plain {
                @for (file, why) in &manifest.empty_kinds { li { (foreign(file)) ": " (foreign(why)) "." } }
            }
        }
    }
}
