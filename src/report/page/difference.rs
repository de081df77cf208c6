//! What the run has more, or less, than an earlier one, function by function.

use maud::{Markup, html};

use crate::pprof::Kind;
use crate::report::findings::{Difference, Differences, Unread};
use crate::report::units::{self, Unit};

use super::text::{code, foreign, shown};

/// The rows of a table.
const ROWS: usize = 20;

/// The entries of the list of what could not be read.
const UNREAD: usize = 20;

/// The least share of what the earlier run had by which a function has to differ to be in a table: with less, a window that
/// was a little longer would have all of them differ.
const LEAST_SHARE: f64 = 0.001;

/// What a difference is called.
pub(super) fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Cpu => "Change of CPU time",
        Kind::Allocs => "Change of what was allocated",
        Kind::Heap => "Change of the live heap",
        Kind::Goroutine => "Change of goroutines",
        Kind::Block | Kind::Mutex | Kind::Threadcreate => "Change",
    }
}

/// How many pods were added up in both runs, and what they have.
pub(super) fn coverage(all: &Differences, of: &Difference) -> String {
    let unit = Unit::of(&of.unit);
    let [earlier_pods, pods] = of.pods;
    let [earlier, new] = of.totals.map(|total| unit.show(total));
    let run = shown(&all.run_id);
    format!(
        "{pods} pods with {new}, and {earlier_pods} pods of run {run} with {earlier}{}",
        scaled(of)
    )
}

/// Whether anything differs at all.
pub(super) fn has_values(of: &Difference) -> bool {
    of.merged.own(0).iter().any(|own| *own != 0)
}

/// By what the earlier run's values are multiplied; nothing if they stay as they are.
pub(super) fn times(of: &Difference) -> String {
    if (of.factor - 1.0).abs() < 0.005 {
        return String::new();
    }
    format!(", times {}", units::three_digits(of.factor))
}

/// The same, and why.
fn scaled(of: &Difference) -> String {
    match times(of) {
        same if same.is_empty() => same,
        times if of.factor > 1.0 => times + " because its window was shorter",
        times => times + " because its window was longer",
    }
}

/// What the earlier run had in all, as it is compared.
pub(super) fn before(of: &Difference) -> i64 {
    (of.totals[0] as f64 * of.factor).round() as i64
}

/// The functions that differ by the most, for each profile that both runs have.
pub(super) fn tables(all: &Differences) -> Markup {
    html! {
        h3 { "Functions that differ from run " (foreign(&all.run_id)) }
        @if !all.unread.is_empty() { (unread(&all.unread)) }
        @else if all.profiles.is_empty() { p { "The two runs have no profile in common." } }
        @for of in &all.profiles {
            details {
                summary {
                    (of.component.name()) ": " (title(of.kind)) " "
                    small { (foreign(&coverage(all, of))) }
                }
                (table(&all.run_id, of))
            }
        }
        @if all.profiles.iter().any(|of| of.pods[0] != of.pods[1]) {
            p { "The two runs have different numbers of pods, which are not made alike: more pods have more." }
        }
        @if !all.profiles.is_empty() {
            p.note {
                "Names are compared without versions of modules and numbers of closures. The flame graphs of the same are below, \
                 among the profiles of each component."
            }
        }
    }
}

/// What could not be read of the earlier run.
fn unread(all: &[Unread]) -> Markup {
    let more = all.len().saturating_sub(UNREAD);
    html! {
        p { "Not all of that run's archive could be read:" }
        ul.plain {
            @for of in all.iter().take(UNREAD) { li { (code(&of.path)) ": " (foreign(&of.why)) } }
            @if more > 0 { li { "and " (more) " more like that" } }
        }
    }
}

fn table(run: &str, of: &Difference) -> Markup {
    let least = html! { "0.1 % of what run " (foreign(run)) " had in all" (times(of)) };
    let unit = Unit::of(&of.unit);
    let before = before(of) as f64;
    let label = format!("{}: {}", of.component, title(of.kind));
    let differs = |value: i64| value.unsigned_abs() as f64 >= before * LEAST_SHARE;
    let rows = super::profiles::largest(&of.top, ROWS).into_iter();
    let rows = rows.filter(|row| differs(row.own) || differs(row.cumulative));
    let rows: Vec<_> = rows.collect();
    html! {
        @if rows.is_empty() { p { "No function differs by " (least) "." } } @else {
            div.scroll role="region" aria-label=(label) tabindex="0" {
                table.top.sortable {
                    caption { "Functions that differ by the most, and at least by " (least) ", of which shares are" }
                    (super::profiles::functions_head())
                    tbody {
                        @for row in &rows {
                            tr {
                                td { (unit.show_growth(row.own)) } td { (units::percent(row.own as f64, before)) }
                                td { (unit.show_growth(row.cumulative)) } td { (units::percent(row.cumulative as f64, before)) }
                                th scope="row" { (foreign(&row.name)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
