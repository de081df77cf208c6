//! A look at the runs up to one night: the newest of them are held against those before.

use cluster_profiler_job::verdict::{Comparison, Rules, Series, Verdict, judge};

/// The least relative standard deviation that is believed: the figures have six digits.
const RESOLUTION: f64 = 0.001;

/// A way to look at the newest runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// How many of them are new.
    pub(crate) new: usize,
    /// Whether only a change counts that is confirmed.
    pub(crate) confirmed: bool,
}

impl Look {
    /// The newest run alone, the two newest as they confirm each other, and the three newest.
    pub(crate) const ALL: [Self; 3] = [
        Self {
            new: 1,
            confirmed: false,
        },
        Self {
            new: 2,
            confirmed: true,
        },
        Self {
            new: 3,
            confirmed: true,
        },
    ];
}

/// What one family of numbers shows of one night.
pub(crate) struct Night<'a> {
    family: &'a [Vec<f64>],
    night: usize,
    look: Look,
    rules: Rules,
    as_they_are: Vec<Option<Comparison>>,
}

impl<'a> Night<'a> {
    /// The family has a list of each number, with a NaN for a night that lacks it.
    pub(crate) fn new(family: &'a [Vec<f64>], night: usize, look: Look) -> Self {
        let mut this = Self {
            family,
            night,
            look,
            rules: Rules::default(),
            as_they_are: Vec::new(),
        };
        let each = 0..family.len();
        this.as_they_are = each.map(|number| this.compare(number, 1.0)).collect();
        this
    }

    /// The changes that are called, by number.
    pub(crate) fn calls(&self) -> Vec<Option<Verdict>> {
        self.calls_of(&self.as_they_are)
    }

    /// Whether a number is called a regression if its new runs are so many times what they were.
    pub(crate) fn finds(&self, number: usize, step: f64) -> bool {
        let mut family = self.as_they_are.clone();
        family[number] = self.compare(number, step);
        self.calls_of(&family)[number] == Some(Verdict::Regression)
    }

    fn calls_of(&self, family: &[Option<Comparison>]) -> Vec<Option<Verdict>> {
        let judgements = judge(family, &self.rules).into_iter();
        let called = judgements.map(|judgement| {
            let judgement = judgement?;
            let counts = judgement.confirmed || !self.look.confirmed;
            (counts && judgement.verdict.is_change()).then_some(judgement.verdict)
        });
        called.collect()
    }

    fn compare(&self, number: usize, step: f64) -> Option<Comparison> {
        let (earlier, new) = split(&self.family[number], self.night, self.look.new, &self.rules);
        let new: Vec<_> = new.iter().map(|value| value * step).collect();
        let series = Series {
            earlier: &earlier,
            new: &new,
            resolution: RESOLUTION,
        };
        series.compare(self.rules.fewest_earlier)
    }
}

/// The earlier runs that have the number, and the new ones.
pub(crate) fn split<'a>(
    number: &'a [f64],
    night: usize,
    new: usize,
    rules: &Rules,
) -> (Vec<f64>, &'a [f64]) {
    let first_new = night + 1 - new;
    let before = number[..first_new].iter().rev().copied();
    let mut earlier: Vec<_> = before
        .filter(|value| value.is_finite())
        .take(rules.most_earlier)
        .collect();
    earlier.reverse();
    (earlier, &number[first_new..=night])
}
