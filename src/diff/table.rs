//! What `diff` says, for a terminal.

use std::fmt::Write;

use super::accepted::Accepted;
use super::document::{Compared, Diff, DiffRun, LeftOut, PassedOver, Word};
use super::functions_table::functions_table;
use super::outliers::PodOutlier;
use super::quantity::{shown_name, shown_value};
use crate::table::aligned;

/// Runs that do not count are named up to so many.
const NAMED: usize = 5;

/// The table: the verdict in its first line, then each number.
pub fn table(diff: &Diff) -> String {
    let mut text = format!("{}\n", headline(diff));
    let _ = writeln!(text, "new:     {}", runs(&diff.new));
    let _ = writeln!(text, "earlier: {}", runs(&diff.earlier));
    if let Some(accepted) = &diff.accepted {
        let _ = writeln!(text, "since:   {}", since(accepted));
    }
    if !diff.numbers.is_empty() {
        let header = [
            "COMPONENT",
            "NUMBER",
            "NEW",
            "EARLIER",
            "RATIO",
            "95 %",
            "VERDICT",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        let mut numbers: Vec<_> = diff.numbers.iter().collect();
        // What changed comes first; the order is kept otherwise.
        numbers.sort_by_key(|number| std::cmp::Reverse(is_change(number)));
        rows.extend(numbers.into_iter().map(row));
        text.push('\n');
        text += &aligned(&rows);
    }
    text += &first_few(diff.left_out.iter().map(LeftOut::shown).collect());
    let not_measured = diff.not_measured.iter();
    let not_measured = not_measured.map(|number| {
        format!(
            "{}: not measured in {}",
            number.shown(),
            diff.where_missing()
        )
    });
    text += &first_few(not_measured.collect());
    text += &first_few(diff.outliers.iter().map(outlier).collect());
    for functions in diff.functions.iter().flatten() {
        let _ = write!(text, "\n{}", functions_table(functions));
    }
    let differs = diff.not_comparable.iter().map(|run| {
        let (field, new, earlier) = (&run.field, &run.new, &run.earlier);
        format!(
            "{}: not comparable: {field}: {earlier}, and {new} in the newest",
            run.run_id
        )
    });
    let passed = diff
        .passed_over
        .iter()
        .map(|run| format!("{}: passed over: {}", run.run_id, run.why));
    let not_read = diff
        .not_read
        .iter()
        .map(|run| format!("{}: not read, or not all: {}", run.run_id, run.why));
    text += &first_few(not_read.collect());
    text += &first_few(differs.collect());
    text += &first_few(passed.collect());
    text
}

/// The verdict in one line, after what keeps it from being one on the newest run.
pub fn headline(diff: &Diff) -> String {
    let verdict = format!("{}{}", not_measured(diff), verdict(diff));
    match (diff.not_judged.first(), diff.new.last()) {
        (Some(newest), Some(judged)) => format!(
            "{}; {}: {verdict}",
            not_judged("the newest run", newest),
            judged.run_id
        ),
        _ => verdict,
    }
}

/// What the verdict is not on, before it; nothing if all was measured.
fn not_measured(diff: &Diff) -> String {
    let Some(first) = diff.not_measured.first() else {
        return String::new();
    };
    let more = match diff.not_measured.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (first, of) = (first.shown(), diff.where_missing());
    format!("{first}{more} not measured in {of}; else: ")
}

/// That a run is not judged, and why.
pub(super) fn not_judged(what: &str, run: &PassedOver) -> String {
    format!("{what}, {}, is not judged: {}", run.run_id, run.why)
}

fn verdict(diff: &Diff) -> String {
    if diff.earlier.is_empty() && diff.accepted.is_none() {
        let Some(first) = diff.not_comparable.first() else {
            // Those that are not judged are the first of them.
            return match diff.passed_over.get(diff.not_judged.len()..) {
                Some([only]) => format!("not-comparable: {}: {}", only.run_id, only.why),
                _ => "not-comparable: there is no complete run before".to_owned(),
            };
        };
        let remedy = if first.field == "cluster" {
            "; PROFILER_COMPARE_KEY is the same for runs that are to be compared though their clusters differ"
        } else {
            ""
        };
        return format!("not-comparable: {} differs{remedy}", first.field);
    }
    if let Some(why) = &diff.no_verdict {
        return format!("no verdict: {why}");
    }
    let mut changed: Vec<_> = diff.numbers.iter().filter(|of| is_change(of)).collect();
    // The gravest comes first, and what is sure before what is not; the order is kept otherwise.
    changed.sort_by_key(|of| std::cmp::Reverse((of.confirmed, of.verdict)));
    let changed: Vec<_> = changed.into_iter().map(change).collect();
    if changed.is_empty() {
        return "no change seen".to_owned();
    }
    changed.join("; ")
}

/// The run before which none counts, and who said so.
fn since(accepted: &Accepted) -> String {
    let by = accepted.by.as_deref().map(|by| format!(" by {by}"));
    let at = accepted.at.map(|at| at.strftime(" on %F").to_string());
    let why = accepted.why.as_deref().map(|why| format!(": {why}"));
    let [by, at, why] = [by, at, why].map(Option::unwrap_or_default);
    format!(
        "{}, accepted as the new normal{by}{at}{why}",
        accepted.run_id
    )
}

fn change(number: &Compared) -> String {
    let of = number
        .component
        .map_or(String::new(), |component| format!("{component} "));
    format!(
        "{}: {of}{} x{:.2}",
        word(number),
        shown_name(number.name),
        number.ratio
    )
}

fn is_change(number: &Compared) -> bool {
    matches!(number.verdict, Some(Word::Regression | Word::Improvement))
}

/// The verdict, with what is to be known beside it.
pub fn word(number: &Compared) -> String {
    let Some(verdict) = number.verdict else {
        return String::new();
    };
    let name = verdict.name();
    match verdict {
        Word::Regression | Word::Improvement if number.confirmed => format!("{name}, confirmed"),
        Word::Regression | Word::Improvement => format!("{name}, suspected"),
        Word::Unchanged | Word::NotComparable => name.to_owned(),
        Word::Inconclusive => {
            let smallest = number.smallest_ratio.unwrap_or_default();
            format!(
                "no change seen, would have seen {:.0} %",
                (smallest - 1.0) * 100.0
            )
        }
    }
}

fn row(number: &Compared) -> [String; 7] {
    let interval = number
        .interval
        .map(|[low, high]| format!("{low:.2} to {high:.2}"));
    [
        number
            .component
            .map_or("VMIs", |component| component.name())
            .to_owned(),
        shown_name(number.name),
        shown_value(number.name, number.new),
        shown_value(number.name, number.earlier),
        format!("{:.2}", number.ratio),
        interval.unwrap_or_default(),
        word(number),
    ]
}

/// Runs in short: how many, the first and the last, and their KubeVirt versions.
fn runs(runs: &[DiffRun]) -> String {
    let mut versions: Vec<_> = runs
        .iter()
        .filter_map(|run| run.kubevirt_version.as_deref())
        .collect();
    versions.dedup();
    let versions = versions.join(", ");
    match runs {
        [] => "none".to_owned(),
        [run] => format!("{} (KubeVirt {versions})", run.run_id),
        [first, .., last] => format!(
            "{} runs, {} to {} (KubeVirt {versions})",
            runs.len(),
            first.run_id,
            last.run_id
        ),
    }
}

fn outlier(of: &PodOutlier) -> String {
    let [value, median] = [of.value, of.median].map(|value| shown_value(of.name, value as f64));
    format!(
        "outlier: {} has {} {value}; the median of {} pods is {median}",
        of.pod,
        shown_name(of.name),
        of.pods
    )
}

fn first_few(lines: Vec<String>) -> String {
    let more = lines.len().saturating_sub(NAMED);
    let mut text: String = lines
        .iter()
        .take(NAMED)
        .map(|line| format!("{line}\n"))
        .collect();
    if more > 0 {
        let _ = writeln!(text, "and {more} more like that");
    }
    text
}
