//! The verdict on the runs of a history.

use super::document::{Compared, Diff, DiffRun, LeftOut, NotMeasured, SCHEMA_VERSION, Word};
use super::history::History;
use super::quantity::Number;
use crate::destination::RunNumbers;
use crate::verdict::{Comparison, Judgement, Rules, Series, judge, median};

/// Compares the new runs of a history with its earlier ones. One new run alone is compared together with the run before
/// it, too, which may confirm what it shows.
pub fn diff(history: History, rules: &Rules) -> Diff {
    let (new, earlier) = (&history.new, &history.earlier);
    let numbers = Number::all();
    let mut first = compare(&numbers, earlier, new, rules);
    let left_out = zeros(&numbers, earlier, new, rules);
    let not_measured = missing(&numbers, earlier, new);
    let mut judgements = judge(&tested(&numbers, &first), rules);
    if let ([newest], Some((before, earlier))) = (new.as_slice(), earlier.split_last()) {
        let both = [before.clone(), newest.clone()];
        let both = compare(&numbers, earlier, &both, rules);
        let both = judge(&tested(&numbers, &both), rules);
        let alone = compare(&numbers, earlier, new, rules);
        let each = judgements
            .iter_mut()
            .zip(both)
            .zip(first.iter_mut().zip(alone));
        for ((judgement, both), (first, alone)) in each {
            if let (Some(judgement), Some(both)) = (judgement.as_mut(), both) {
                *judgement = judgement.confirmed_by(both);
                // The run that confirms a change is no earlier one, and does not make the scatter larger.
                if both.confirmed && alone.is_some() {
                    *first = alone;
                }
            }
        }
    }
    let each = numbers.iter().zip(first).zip(judgements);
    let compared: Vec<_> = each
        .filter_map(|((number, comparison), judgement)| {
            let before = with_it(*number, earlier, rules);
            let before = before.into_iter().map(|(_, value)| value).collect();
            Some(document(*number, &comparison?, before, judgement))
        })
        .collect();
    let gravest = compared
        .iter()
        .filter_map(|number| Some((number.verdict?, number.confirmed)));
    let gravest = gravest.max();
    let verdict = if earlier.is_empty() && history.accepted.is_none() {
        Some(Word::NotComparable)
    } else {
        gravest.map(|(word, _)| word)
    };
    Diff {
        schema_version: SCHEMA_VERSION,
        new: new.iter().map(run).collect(),
        earlier: newest_of(earlier, rules.most_earlier)
            .iter()
            .map(run)
            .collect(),
        not_judged: history.not_judged.clone(),
        accepted: history.accepted.clone(),
        verdict,
        confirmed: gravest.is_some_and(|(_, confirmed)| confirmed),
        no_verdict: no_verdict(&history, &compared, &left_out, &not_measured, rules),
        numbers: compared,
        left_out,
        not_measured,
        outliers: history.outliers,
        functions: None,
        not_read: Vec::new(),
        not_comparable: history.not_comparable,
        passed_over: history.passed_over,
    }
}

fn no_verdict(
    history: &History,
    compared: &[Compared],
    left_out: &[LeftOut],
    not_measured: &[NotMeasured],
    rules: &Rules,
) -> Option<String> {
    let (runs, fewest) = (history.earlier.len(), rules.fewest_earlier);
    let accepted = history.accepted.as_ref();
    let has_none = runs == 0 && accepted.is_none();
    if compared.iter().any(|number| number.verdict.is_some()) || has_none {
        return None;
    }
    Some(if runs < fewest {
        let before = accepted.map_or("before".to_owned(), |of| {
            format!("since {} was accepted", of.run_id)
        });
        format!(
            "{} {before}: the scatter between runs is known from {fewest} on",
            counted(runs)
        )
    } else if !left_out.is_empty() {
        "what the runs have is zero in some of them, and has no ratio".to_owned()
    } else if !not_measured.is_empty() {
        "nothing else was measured".to_owned()
    } else {
        "the runs have no numbers of their windows: PROFILER_BASELINE=true brings them".to_owned()
    })
}

/// So many comparable runs.
fn counted(runs: usize) -> String {
    match runs {
        1 => "1 comparable run".to_owned(),
        more => format!("{more} comparable runs"),
    }
}

/// Each number of the new runs against the earlier ones that have it.
fn compare(
    numbers: &[Number],
    earlier: &[RunNumbers],
    new: &[RunNumbers],
    rules: &Rules,
) -> Vec<Option<Comparison>> {
    let each = numbers.iter().map(|number| {
        let new: Option<Vec<_>> = new.iter().map(|run| number.of(run)).collect();
        let new = new?;
        let with_it = with_it(*number, earlier, rules);
        let before: Vec<_> = with_it.iter().map(|(_, value)| *value).collect();
        let (run, value) = with_it.last()?;
        let series = Series {
            earlier: &before,
            new: &new,
            resolution: number.resolution(run, *value),
        };
        series.compare(rules.fewest_earlier)
    });
    each.collect()
}

/// The numbers that have no ratio, for they are zero in some run.
fn zeros(
    numbers: &[Number],
    earlier: &[RunNumbers],
    new: &[RunNumbers],
    rules: &Rules,
) -> Vec<LeftOut> {
    let each = numbers.iter().filter_map(|number| {
        let new: Option<Vec<_>> = new.iter().map(|run| number.of(run)).collect();
        let new = new?;
        let before = with_it(*number, earlier, rules);
        let before: Vec<_> = before.into_iter().map(|(_, value)| value).collect();
        let has_zero = new.iter().chain(&before).any(|value| *value <= 0.0);
        // What is nothing in all runs is nothing to tell.
        let has_more = new.iter().chain(&before).any(|value| *value > 0.0);
        Some(LeftOut {
            component: number.component,
            name: number.quantity.name(),
            new: *new.last()?,
            earlier: median(&before)?,
        })
        .filter(|_| has_zero && has_more)
    });
    each.collect()
}

/// The numbers that would be tested, for earlier runs have them, and that some new run has not.
fn missing(numbers: &[Number], earlier: &[RunNumbers], new: &[RunNumbers]) -> Vec<NotMeasured> {
    let has = |number: &Number, run: &RunNumbers| number.of(run).is_some();
    let missing = numbers.iter().filter(|number| {
        number.quantity.is_tested()
            && earlier.iter().any(|run| has(number, run))
            && !new.iter().all(|run| has(number, run))
    });
    let named = missing.map(|number| NotMeasured {
        component: number.component,
        name: number.quantity.name(),
    });
    named.collect()
}

/// The newest of the earlier runs that have a number, and their values.
fn with_it<'a>(
    number: Number,
    earlier: &'a [RunNumbers],
    rules: &Rules,
) -> Vec<(&'a RunNumbers, f64)> {
    let newest_first = earlier.iter().rev();
    let with_it = newest_first.filter_map(|run| Some((run, number.of(run)?)));
    let mut with_it: Vec<_> = with_it.take(rules.most_earlier).collect();
    with_it.reverse();
    with_it
}

/// The comparisons of those that are tested, at their places.
fn tested(numbers: &[Number], comparisons: &[Option<Comparison>]) -> Vec<Option<Comparison>> {
    let each = numbers.iter().zip(comparisons);
    let tested =
        each.map(|(number, comparison)| comparison.filter(|_| number.quantity.is_tested()));
    tested.collect()
}

fn newest_of<T>(earlier: &[T], most: usize) -> &[T] {
    &earlier[earlier.len().saturating_sub(most)..]
}

fn document(
    number: Number,
    comparison: &Comparison,
    before: Vec<f64>,
    judgement: Option<Judgement>,
) -> Compared {
    Compared {
        component: number.component,
        name: number.quantity.name(),
        new: comparison.new,
        earlier: comparison.earlier,
        ratio: comparison.ratio,
        before,
        runs: comparison.runs,
        interval: comparison.spread.map(|spread| [spread.low, spread.high]),
        p: judgement.map(|judgement| judgement.p),
        smallest_ratio: judgement.map(|judgement| judgement.smallest_ratio),
        verdict: judgement.map(|judgement| judgement.verdict.into()),
        confirmed: judgement.is_some_and(|judgement| judgement.confirmed),
    }
}

fn run(run: &RunNumbers) -> DiffRun {
    DiffRun {
        run_id: run.run_id.clone(),
        start: run.window.start,
        kubevirt_version: run.kubevirt.version.clone(),
    }
}
