//! Which functions of a program changed: what each cost in earlier and new runs in, and how sure a change is out.

use std::f64::consts::FRAC_PI_2;

use super::statistics::{median, quantile, upper_tail};

/// A function needs so many samples in the earlier or in the new runs.
const FEWEST_SAMPLES: f64 = 100.0;

/// So many functions with enough samples say by how much all of them changed together; fewer do not.
const FEWEST_FOR_LEVEL: usize = 5;

/// The chance that the interval of a ratio does not have what it is about.
const RATIO_ERROR: f64 = 0.05;

/// Half a sample, which is added where a function may have none.
const HALF: f64 = 0.5;

/// Student's t of so many degrees of freedom is normal.
const NORMAL: f64 = 1e6;

/// What all functions scatter like counts for each as if it had been seen so much more often.
const OF_ALL: f64 = 4.0;

/// What one function cost in several runs. Its cost is counted in samples, which need not be whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FunctionCost {
    /// In each earlier run.
    pub earlier: Vec<f64>,
    /// In all new runs together.
    pub new: f64,
    /// How the pods of each run scatter about it.
    pub pods: Scatter,
}

/// Pearson's X² of several counts about what is expected of them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scatter {
    /// The sum of squared differences, each by what is expected.
    pub squares: f64,
    /// How many of the counts are free to differ.
    pub degrees: f64,
}

/// What all functions of a program cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// In each earlier run.
    pub earlier: Vec<f64>,
    /// In all new runs together.
    pub new: f64,
}

/// Where it is known from by how much a function's cost scatters more than samples alone would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScatterOf {
    /// From the earlier runs.
    Runs,
    /// From the pods of each run, which hides what all pods of a run have in common.
    Pods,
    /// From nothing: one pod, or few, and few runs. Samples alone are believed.
    Samples,
}

/// The change of a function's cost, beside that of all functions together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FunctionChange {
    /// New by earlier.
    pub ratio: f64,
    /// The lower end of the ratio's 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The chance that a function which did not change differs as much, in either direction.
    pub p: f64,
    /// How much more it cost in the new runs than it would have at the earlier level, in the totals' unit.
    pub excess: f64,
}

/// What the cost of functions is measured by: the level of each run, at which a function that did not change costs
/// what it did.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    earlier: Vec<f64>,
    new: f64,
    /// The variance of the new level's logarithm.
    variance: f64,
    scatter: ScatterOf,
    /// By how much a function in the middle scatters more than its samples would.
    dispersion: f64,
}

impl Level {
    /// The level of each run: its total, times the median of what functions have of it against all earlier runs. So a
    /// function that takes more of the total does not make all others look as if they took less.
    pub fn of(totals: &Totals, own: &[FunctionCost], fewest_runs: usize) -> Self {
        let runs = totals.earlier.len();
        let has_pods = own.iter().any(|cost| cost.pods.degrees > 0.0);
        let scatter = match (runs >= fewest_runs.max(2), has_pods) {
            (true, _) => ScatterOf::Runs,
            (false, true) => ScatterOf::Pods,
            (false, false) => ScatterOf::Samples,
        };
        let mut level = Self {
            earlier: totals.earlier.clone(),
            new: totals.new,
            variance: 0.0,
            scatter,
            dispersion: 1.0,
        };
        let many: Vec<_> = own.iter().filter(|cost| cost.has_enough()).collect();
        if many.len() < FEWEST_FOR_LEVEL {
            return level;
        }
        let weights: Vec<_> = many.iter().map(|cost| cost.sum().sqrt()).collect();
        let all: f64 = totals.earlier.iter().sum();
        let ratio = |of: f64, total: f64, cost: &FunctionCost| {
            ((of + HALF) / total / ((cost.sum() + HALF) / all)).ln()
        };
        for (run, total) in totals.earlier.iter().enumerate() {
            let ratios = many
                .iter()
                .map(|cost| ratio(cost.earlier[run], *total, cost));
            level.earlier[run] = total * weighted_median(ratios, &weights).exp();
        }
        let ratios = many.iter().map(|cost| ratio(cost.new, totals.new, cost));
        level.new = totals.new * weighted_median(ratios, &weights).exp();
        let dispersions = many.iter().map(|cost| level.scatter_of(cost));
        let dispersions = dispersions.filter(|scatter| scatter.degrees > 0.0);
        let dispersions: Vec<_> = dispersions.map(Scatter::dispersion).collect();
        level.dispersion = median(&dispersions).unwrap_or(1.0);
        // The variance of a median is half of pi times that of a mean.
        let errors = many.iter().zip(&weights).map(|(cost, weight)| {
            let (dispersion, _) = level.dispersion(cost);
            weight.powi(2) * dispersion * sampling(cost)
        });
        let weight: f64 = weights.iter().sum();
        level.variance = FRAC_PI_2 * errors.sum::<f64>() / weight.powi(2);
        level
    }

    /// Where the scatter is known from.
    pub fn scatter(&self) -> ScatterOf {
        self.scatter
    }

    /// The change of a function; `None` if it has too few samples.
    pub fn change(&self, cost: &FunctionCost) -> Option<FunctionChange> {
        if !cost.has_enough() {
            return None;
        }
        let expected = self.expected(cost.sum());
        let difference = ((cost.new + HALF) / (expected + HALF)).ln();
        let (dispersion, degrees) = self.dispersion(cost);
        let error = (dispersion * sampling(cost) + self.variance).sqrt();
        let half = error * quantile(RATIO_ERROR / 2.0, degrees);
        Some(FunctionChange {
            ratio: difference.exp(),
            low: (difference - half).exp(),
            high: (difference + half).exp(),
            p: (2.0 * upper_tail(difference.abs() / error, degrees)).min(1.0),
            excess: cost.new - expected,
        })
    }

    /// What something that cost so much in all earlier runs would cost in the new ones.
    pub fn expected(&self, earlier: f64) -> f64 {
        earlier * self.new / self.earlier.iter().sum::<f64>()
    }

    /// By how much a function scatters more than its samples would, and the degrees of freedom of that. One that by
    /// accident scattered little in a few runs or pods is not believed to: it is drawn towards the others.
    fn dispersion(&self, cost: &FunctionCost) -> (f64, f64) {
        let scatter = self.scatter_of(cost);
        if scatter.degrees <= 0.0 {
            return (self.dispersion, NORMAL);
        }
        let degrees = scatter.degrees + OF_ALL;
        let drawn = (scatter.squares + OF_ALL * self.dispersion) / degrees;
        let own = scatter.dispersion();
        if own > drawn {
            (own, scatter.degrees)
        } else {
            (drawn, degrees)
        }
    }

    fn scatter_of(&self, cost: &FunctionCost) -> Scatter {
        match self.scatter {
            ScatterOf::Runs => self.of_runs(cost),
            ScatterOf::Pods => cost.pods,
            ScatterOf::Samples => Scatter::default(),
        }
    }

    fn of_runs(&self, cost: &FunctionCost) -> Scatter {
        let rate = cost.sum() / self.earlier.iter().sum::<f64>();
        let squares = cost.earlier.iter().zip(&self.earlier).map(|(cost, level)| {
            let expected = rate * level;
            if expected > 0.0 {
                (cost - expected).powi(2) / expected
            } else {
                0.0
            }
        });
        Scatter {
            squares: squares.sum(),
            degrees: cost.earlier.len() as f64 - 1.0,
        }
    }
}

impl Scatter {
    /// By how much the counts scatter more than samples would; they do not scatter less.
    fn dispersion(self) -> f64 {
        (self.squares / self.degrees).max(1.0)
    }
}

impl FunctionCost {
    /// In all earlier runs.
    pub fn sum(&self) -> f64 {
        self.earlier.iter().sum()
    }

    fn has_enough(&self) -> bool {
        self.sum().max(self.new) >= FEWEST_SAMPLES
    }
}

/// The variance of a ratio's logarithm that samples alone would have.
fn sampling(cost: &FunctionCost) -> f64 {
    1.0 / (cost.new + HALF) + 1.0 / (cost.sum() + HALF)
}

fn weighted_median(values: impl Iterator<Item = f64>, weights: &[f64]) -> f64 {
    let mut all: Vec<_> = values.zip(weights.iter().copied()).collect();
    all.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let half = weights.iter().sum::<f64>() / 2.0;
    let mut so_far = 0.0;
    for (value, weight) in &all {
        so_far += weight;
        if so_far >= half {
            return *value;
        }
    }
    0.0
}

/// Chances of error, corrected so that of all below a limit only that share is false (Benjamini and Hochberg, 1995).
pub fn false_discovery(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<_> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*b].total_cmp(&chances[*a]));
    let mut corrected = vec![1.0; chances.len()];
    let mut least = 1.0_f64;
    for (from_largest, at) in order.into_iter().enumerate() {
        let rank = (chances.len() - from_largest) as f64;
        least = least.min(chances[at] * chances.len() as f64 / rank);
        corrected[at] = least;
    }
    corrected
}
