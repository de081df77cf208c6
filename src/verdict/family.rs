//! Verdicts on several numbers of the same runs, which are tested together.

use super::comparison::{Comparison, Spread};

/// The constants of the method. They were chosen on the first half of the nights in `helpers/nights`, and are
/// measured on the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The chance of any false alarm in a family of numbers, in either direction.
    pub family_error: f64,
    /// The chance of error, in one direction, at which each of several new runs has to differ by itself, so that a
    /// change is confirmed.
    pub agreement: f64,
    /// The change that matters: 0.05 is a ratio of 1.05, or of 1 / 1.05.
    pub practical_size: f64,
    /// How many earlier runs there have to be for a verdict.
    pub fewest_earlier: usize,
    /// How many earlier runs are looked at.
    pub most_earlier: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            family_error: 0.05,
            agreement: 0.04,
            practical_size: 0.05,
            fewest_earlier: 5,
            most_earlier: 20,
        }
    }
}

/// What is said of one number of new runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It rose: more than chance explains, and enough to matter.
    Regression,
    /// It fell: more than chance explains, and enough to matter.
    Improvement,
    /// It did not change by as much as matters: the whole interval of its ratio says so.
    Unchanged,
    /// Neither a change nor the absence of one is shown.
    Inconclusive,
}

impl Verdict {
    /// The verdict as a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Improvement => "improvement",
            Self::Unchanged => "unchanged",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Whether it says that something changed.
    pub fn is_change(self) -> bool {
        match self {
            Self::Regression | Self::Improvement => true,
            Self::Unchanged | Self::Inconclusive => false,
        }
    }
}

/// The verdict on one number of a family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// What is said.
    pub verdict: Verdict,
    /// Whether a change is more than suspected: two new runs or more, each of which shows it by itself.
    pub confirmed: bool,
    /// The chance that runs without any change differ as much, corrected for the whole family (Holm).
    pub p: f64,
    /// The smallest ratio that would be called a regression, were no other number of the family to change.
    pub smallest_ratio: f64,
}

impl Judgement {
    /// The verdict on the newest run alone, with what it and the run before it say together: where they confirm a
    /// change, it is one.
    #[must_use]
    pub fn confirmed_by(self, both: Self) -> Self {
        let verdict = if both.confirmed {
            both.verdict
        } else {
            self.verdict
        };
        Self {
            verdict,
            confirmed: both.confirmed,
            ..self
        }
    }
}

/// Judges the numbers of one family. There is none of a number without a spread, which does not count in the
/// correction either.
pub fn judge(family: &[Option<Comparison>], rules: &Rules) -> Vec<Option<Judgement>> {
    let spreads: Vec<_> = family.iter().map(spread).collect();
    let chances: Vec<_> = spreads.iter().flatten().map(|spread| spread.p).collect();
    let mut corrected = holm(&chances).into_iter();
    let each = |comparison: &Option<Comparison>| {
        let comparison = (*comparison)?;
        let spread = comparison.spread?;
        let p = corrected.next()?;
        Some(judgement(&comparison, &spread, p, chances.len(), rules))
    };
    family.iter().map(each).collect()
}

fn spread(comparison: &Option<Comparison>) -> Option<Spread> {
    comparison.and_then(|comparison| comparison.spread)
}

fn judgement(
    comparison: &Comparison,
    spread: &Spread,
    p: f64,
    family: usize,
    rules: &Rules,
) -> Judgement {
    let size = 1.0 + rules.practical_size;
    let is_shown = p < rules.family_error;
    let verdict = if is_shown && comparison.ratio >= size {
        Verdict::Regression
    } else if is_shown && comparison.ratio <= 1.0 / size {
        Verdict::Improvement
    } else if spread.low >= 1.0 / size && spread.high <= size {
        Verdict::Unchanged
    } else {
        Verdict::Inconclusive
    };
    let agree = spread.new_runs > 1 && spread.least_agreement < rules.agreement;
    Judgement {
        verdict,
        confirmed: verdict.is_change() && agree,
        p,
        smallest_ratio: spread
            .smallest_ratio(rules.family_error / family as f64)
            .max(size),
    }
}

/// Chances of error, corrected so that one below a limit means that any false alarm in all of them is below it.
fn holm(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<_> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*a].total_cmp(&chances[*b]));
    let mut corrected = vec![1.0; chances.len()];
    let mut largest = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        let left = (chances.len() - rank) as f64;
        largest = largest.max((chances[at] * left).min(1.0));
        corrected[at] = largest;
    }
    corrected
}
