//! How the run's numbers compare with those of the runs before it.

use std::cmp::Reverse;

use maud::{Markup, html};

use crate::diff::{Compared, Diff, DiffRun, Word, headline, shown_name, shown_value, word};
use crate::report::findings::Findings;

use super::difference;
use super::interval::{Axis, Sign, interval, interval_text, runs_before};
use super::text::foreign;
use crate::report::units;
use crate::verdict::Rules;

/// How many runs that do not count are named.
const NAMED: usize = 5;

/// The verdict, each number with its interval and the runs before, and what differs function by function; nothing if the
/// run was not compared.
pub(super) fn comparison(findings: &Findings) -> Option<Markup> {
    let diff = findings.comparison.as_ref();
    // What the run itself saw at its end, where it is not compared now.
    let summary = findings.manifest.comparison.as_ref();
    let summary = summary.filter(|_| diff.is_none());
    let not_compared = findings.manifest.not_compared.as_ref();
    let not_compared = not_compared.filter(|_| diff.is_none());
    if diff.is_none() && not_compared.is_none() && summary.is_none() {
        return None;
    }
    Some(html! {
        section id="comparison" {
            h2 { "Against the runs before" }
            @if let Some(why) = not_compared { p { "The run was not compared with those before it: " (foreign(why)) "." } }
            @if let Some(of) = summary {
                p.verdict { (foreign(&of.summary)) }
                p { "The run saw that at its end, against " (of.earlier_runs) " runs before it; " code { "report --compare" } " shows each number." }
            }
            @if let Some(diff) = diff {
                p.verdict { (foreign(&headline(diff))) }
                (earlier(diff))
                (numbers(diff))
                (others(diff))
            }
            @if let Some(differences) = &findings.differences { (difference::tables(differences)) }
        }
    })
}

/// The runs that count.
fn earlier(diff: &Diff) -> Markup {
    html! {
        p {
            @match diff.earlier.as_slice() {
                [] => "No run before it counts.",
                [run] if is_later(diff, run) => {
                    "It is held against a run that came later: " (named(run)) ". What is said to be before is of that run."
                }
                [run] => { "One run before it counts: " (named(run)) "." }
                [first, .., last] => {
                    (diff.earlier.len()) " comparable runs before it count, from " (named(first)) " to " (named(last)) "."
                }
            }
            @if let Some(accepted) = &diff.accepted {
                " They begin with " (foreign(&accepted.run_id)) ", whose level was accepted as the new normal"
                @if let Some(who) = &accepted.by { " by " (foreign(who)) }
                @if let Some(why) = &accepted.why { ": " (foreign(why)) }
                "."
            }
        }
    }
}

/// Whether a run began after the one that it is compared with.
fn is_later(diff: &Diff, run: &DiffRun) -> bool {
    diff.new.last().is_some_and(|new| run.start > new.start)
}

fn named(run: &DiffRun) -> Markup {
    html! {
        (foreign(&run.run_id))
        @if let Some(version) = &run.kubevirt_version { " (KubeVirt " (foreign(version)) ")" }
    }
}

/// The numbers that are tested in one table, and the others in another.
fn numbers(diff: &Diff) -> Markup {
    let (mut tested, others): (Vec<_>, Vec<_>) = diff
        .numbers
        .iter()
        .partition(|number| number.verdict.is_some());
    tested.sort_by_key(|number| {
        let is_change = number.verdict.is_some_and(Word::is_change);
        Reverse(is_change.then_some((number.confirmed, number.verdict)))
    });
    let axis = Axis::of(if tested.is_empty() { &others } else { &tested });
    html! {
        @if !tested.is_empty() {
            (table("Numbers with a verdict", &tested, &axis))
        }
        @if !others.is_empty() {
            details open[tested.is_empty()] {
                summary { "Numbers without a verdict" " " small { (others.len()) } }
                (table("Numbers without a verdict", &others, &axis))
            }
        }
        @if !diff.numbers.is_empty() { (note(diff, &axis)) }
    }
}

/// How the drawings are read.
fn note(diff: &Diff, axis: &Axis) -> Markup {
    let rules = Rules::default();
    let has_interval = diff.numbers.iter().any(|number| number.interval.is_some());
    html! {
        p.note {
            @if has_interval {
                "The interval is that in which the ratio of this run to the median of those before lies with 95 %. In the line of \
                 runs, the band is where a run without any change lies with 95 %. "
            } @else {
                "There is no interval, for the scatter between runs is known from " (rules.fewest_earlier) " runs before on. "
            }
            "Ratios are drawn from " (axis.shown()) ". Within their shaded band a change is less than "
            (units::percent(rules.practical_size, 1.0)) " and does not matter. A change is confirmed once this run and the one \
             before it show it, against those before both."
        }
    }
}

fn table(label: &str, numbers: &[&Compared], axis: &Axis) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table.compared {
                thead {
                    tr {
                        th scope="col" { "Number" }
                        th scope="col" { "Verdict" }
                        @for name in ["Change", "Before", "This run"] { th.number scope="col" { (name) } }
                        th scope="col" { "Interval" " " small { (axis.shown()) } }
                        th scope="col" { "Runs before, and this one" }
                    }
                }
                tbody { @for number in numbers { (row(number, axis)) } }
            }
        }
    }
}

fn row(number: &Compared, axis: &Axis) -> Markup {
    let of = number
        .component
        .map_or("VMIs", |component| component.name());
    let sign = Sign::of(number.verdict);
    html! {
        tr {
            th scope="row" { (of) " " (shown_name(number.name)) }
            td.(sign.tone) { (sign.mark) (word(number)) }
            td.number { (change(number.ratio)) }
            td.number { (shown_value(number.name, number.earlier)) }
            td.number { (shown_value(number.name, number.new)) }
            td { (interval(number, axis)) " " small { (interval_text(number)) } }
            td { (runs_before(number)) }
        }
    }
}

/// A ratio as a change.
fn change(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    let size = percent.abs();
    let sign = if size < 0.05 {
        ""
    } else if percent > 0.0 {
        "+"
    } else {
        "−"
    };
    if size < 100.0 {
        format!("{sign}{size:.1} %")
    } else {
        format!("{sign}{size:.0} %")
    }
}

/// Numbers and runs that do not count, and why.
fn others(diff: &Diff) -> Markup {
    let differs = diff.not_comparable.iter().map(|run| {
        html! {
            (foreign(&run.run_id)) " is not comparable: " (foreign(&run.field)) ": " (foreign(&run.earlier)) ", and here "
            (foreign(&run.new))
        }
    });
    let passed = diff.passed_over.iter();
    let passed =
        passed.map(|run| html! { (foreign(&run.run_id)) " was passed over: " (foreign(&run.why)) });
    let zeros = diff.left_out.iter();
    let zeros = zeros.map(|number| html! { (foreign(&number.shown())) });
    let not_measured = diff.not_measured.iter().map(|number| {
        html! { (foreign(&number.shown())) ": not measured in " (diff.where_missing()) }
    });
    let all: Vec<_> = not_measured
        .chain(zeros)
        .chain(differs)
        .chain(passed)
        .collect();
    let more = all.len().saturating_sub(NAMED);
    html! {
        @if !all.is_empty() {
            ul.plain {
                @for run in all.iter().take(NAMED) { li { (run) } }
                @if more > 0 { li { "and " (more) " more like that" } }
            }
        }
    }
}
