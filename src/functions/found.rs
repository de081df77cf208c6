//! Which functions changed, of all that were gathered.

use std::cmp::Reverse;

use super::gather::{Function, Gathered, OfNumber, Sums};
use super::moved::{Excess, mark_moved};
use crate::diff::{ChangedFunction, FunctionShare, NumberFunctions, ScatterWord};
use crate::verdict::{FunctionChange, Level, ScatterOf, false_discovery};

/// Of the functions that are named, this share may be named by chance.
const FALSE: f64 = 0.1;

/// The change that matters.
const PRACTICAL_SIZE: f64 = 1.05;

/// The most functions that are named of a number.
const MOST_NAMED: usize = 20;

/// A number's functions, tested.
struct Tested<'a> {
    number: &'a OfNumber,
    level: Level,
    /// Each function with its change by itself and with what it called.
    functions: Vec<(&'a str, &'a Function, [Option<FunctionChange>; 2])>,
}

/// The functions that changed, of each number. All are tested together.
pub(super) fn found(gathered: &Gathered, fewest_runs: usize) -> Vec<NumberFunctions> {
    let of_numbers = gathered.numbers.iter().filter(|number| number.has_both());
    let tested: Vec<_> = of_numbers.map(|number| test(number, fewest_runs)).collect();
    let changes = tested.iter().flat_map(|tested| &tested.functions);
    let chances: Vec<_> = changes
        .flat_map(|(_, _, changes)| changes.iter().flatten().map(|change| change.p))
        .collect();
    let mut corrected = false_discovery(&chances).into_iter();
    tested
        .iter()
        .map(|tested| tested.document(gathered, &mut corrected))
        .collect()
}

fn test(number: &OfNumber, fewest_runs: usize) -> Tested<'_> {
    let runs = number.totals.earlier.len();
    let own: Vec<_> = number
        .functions
        .values()
        .map(|function| function.own.cost(runs))
        .collect();
    let level = Level::of(&number.totals, &own, fewest_runs);
    let each = number
        .functions
        .iter()
        .zip(&own)
        .map(|((name, function), own)| {
            let cumulative = level.change(&function.cumulative.cost(runs));
            (name.as_str(), function, [level.change(own), cumulative])
        });
    let functions = each.collect();
    Tested {
        number,
        level,
        functions,
    }
}

impl Tested<'_> {
    fn document(
        &self,
        gathered: &Gathered,
        corrected: &mut impl Iterator<Item = f64>,
    ) -> NumberFunctions {
        let (mut functions, mut tested) = (Vec::new(), 0);
        let (mut too_few, mut too_few_share) = (0, 0.0);
        for (name, function, [own, cumulative]) in &self.functions {
            if own.is_none() && cumulative.is_none() {
                too_few += 1;
            } else {
                tested += 1;
            }
            if own.is_none() {
                too_few_share += function.own.new / self.number.totals.new;
            }
            let changed = ChangedFunction {
                name: (*name).to_owned(),
                own: self.share(&function.own, *own, corrected),
                cumulative: self.share(&function.cumulative, *cumulative, corrected),
                moved: None,
            };
            if changed.own.changed || changed.cumulative.changed {
                let excess = |change: &Option<FunctionChange>, sums: &Sums| {
                    change.map_or(0.0, |change| change.excess * sums.of_sample())
                };
                functions.push(Excess {
                    own: excess(own, &function.own),
                    cumulative: excess(cumulative, &function.cumulative),
                    function: changed,
                });
            }
        }
        let is_less = |own: &Option<FunctionChange>| own.is_some_and(|change| change.high < 1.0);
        let less = self.functions.iter();
        let less = less.filter(|(_, _, [own, _])| is_less(own));
        let less = less.map(|(name, ..)| *name).collect();
        mark_moved(&mut functions, &less, self.number, &self.level);
        functions.sort_by(|a, b| {
            rank(a).cmp(&rank(b)).then_with(|| {
                b.size()
                    .total_cmp(&a.size())
                    .then_with(|| a.function.name.cmp(&b.function.name))
            })
        });
        let changed = functions.len();
        NumberFunctions {
            component: self.number.measured.component,
            name: self.number.measured.number,
            earlier_runs: self.number.totals.earlier.len(),
            new_runs: gathered.new,
            scatter: match self.level.scatter() {
                ScatterOf::Runs => ScatterWord::Runs,
                ScatterOf::Pods => ScatterWord::Pods,
                ScatterOf::Samples => ScatterWord::Samples,
            },
            tested,
            too_few_samples: too_few,
            too_few_samples_share: too_few_share,
            changed,
            functions: functions
                .into_iter()
                .take(MOST_NAMED)
                .map(|of| of.function)
                .collect(),
        }
    }

    fn share(
        &self,
        sums: &Sums,
        change: Option<FunctionChange>,
        corrected: &mut impl Iterator<Item = f64>,
    ) -> FunctionShare {
        let earlier: f64 = self.number.totals.earlier.iter().sum();
        let q = change.and_then(|_| corrected.next());
        let is_large = |ratio: f64| ratio.max(1.0 / ratio) >= PRACTICAL_SIZE;
        FunctionShare {
            earlier: sums.of_earlier() / earlier,
            new: sums.new / self.number.totals.new,
            changed: change
                .zip(q)
                .is_some_and(|(change, q)| q < FALSE && is_large(change.ratio)),
            ratio: change.map(|change| change.ratio),
            interval: change.map(|change| [change.low, change.high]),
            q,
        }
    }
}

/// What comes first: what a function did itself, then what its callees did, then what moved.
fn rank(excess: &Excess) -> (bool, Reverse<bool>) {
    (
        excess.function.moved.is_some(),
        Reverse(excess.function.own.changed),
    )
}
