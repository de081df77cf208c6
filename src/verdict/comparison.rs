//! One number of new runs against the same of earlier ones.

use std::f64::consts::FRAC_PI_2;

use super::statistics::{
    correlation, mean, median, quantile, standard_deviation, upper_tail, variance_of_mean,
    without_wild,
};

/// The chance that the interval of a ratio does not have what it is about.
const RATIO_ERROR: f64 = 0.05;

/// One number in several runs, each above zero.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// Of the earlier runs, the oldest first.
    pub earlier: &'a [f64],
    /// Of the new runs, the oldest first.
    pub new: &'a [f64],
    /// The least relative scatter that is believed: the resolution of the number, above zero.
    pub resolution: f64,
}

/// New runs against earlier ones in one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The geometric mean of the new runs.
    pub new: f64,
    /// The median of the earlier runs.
    pub earlier: f64,
    /// The former by the latter.
    pub ratio: f64,
    /// How many earlier runs count. One that is far from all others does not.
    pub runs: usize,
    /// How far new runs may be from earlier ones without any change, where there are enough earlier ones to tell.
    pub spread: Option<Spread>,
}

/// What the scatter of earlier runs says about new ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The lower end of the ratio's 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The chance that runs without any change differ as much, in either direction.
    pub p: f64,
    /// The largest such chance of one new run by itself, in the direction of all of them together.
    pub least_agreement: f64,
    /// How many new runs there are.
    pub new_runs: usize,
    error: f64,
    degrees: f64,
}

impl Series<'_> {
    /// Compares the new runs with the earlier ones, with a spread if there are as many of these as `fewest_earlier`.
    /// None, if there is no earlier or no new run, or a number is not above zero.
    pub fn compare(&self, fewest_earlier: usize) -> Option<Comparison> {
        let new = logarithms(self.new)?;
        let earlier = logarithms(self.earlier)?;
        let enough = earlier.len() >= fewest_earlier.max(2);
        let earlier = without_wild(earlier, self.resolution);
        let (centre, mean) = (median(&earlier)?, mean(&new)?);
        let spread = || Spread::of(&earlier, centre, &new, mean, self.resolution);
        Some(Comparison {
            new: mean.exp(),
            earlier: centre.exp(),
            ratio: (mean - centre).exp(),
            runs: earlier.len(),
            spread: enough.then(spread).flatten(),
        })
    }
}

impl Spread {
    /// The spread of new runs by earlier ones, all as logarithms. The mean of the new runs differs from the median of
    /// the earlier ones by a Student's t times an error, which has the variance of both. That of a median is
    /// half of pi times that of a mean.
    fn of(earlier: &[f64], centre: f64, new: &[f64], mean: f64, resolution: f64) -> Option<Self> {
        let scale = standard_deviation(earlier)?.max(resolution);
        let (runs, degrees) = (earlier.len() as f64, earlier.len() as f64 - 1.0);
        let correlation = correlation(earlier);
        let of_centre = FRAC_PI_2 / runs * (1.0 + correlation) / (1.0 - correlation);
        let error_of = |new| scale * (variance_of_mean(new, correlation) + of_centre).sqrt();
        let error = error_of(new.len());
        let difference = mean - centre;
        let half = error * quantile(RATIO_ERROR / 2.0, degrees);
        let direction = difference.signum();
        let alone = |run: &f64| upper_tail((run - centre) * direction / error_of(1), degrees);
        Some(Self {
            low: (difference - half).exp(),
            high: (difference + half).exp(),
            p: (2.0 * upper_tail(difference.abs() / error, degrees)).min(1.0),
            least_agreement: new.iter().map(alone).fold(0.0, f64::max),
            new_runs: new.len(),
            error,
            degrees,
        })
    }

    /// The smallest ratio above 1 that is told from 1 with this chance of error in either direction.
    pub fn smallest_ratio(&self, error: f64) -> f64 {
        (self.error * quantile(error / 2.0, self.degrees)).exp()
    }
}

/// None, if there is no number, or one that has no logarithm.
fn logarithms(numbers: &[f64]) -> Option<Vec<f64>> {
    let logarithms: Vec<_> = numbers.iter().map(|number| number.ln()).collect();
    let all = !logarithms.is_empty() && logarithms.iter().all(|number| number.is_finite());
    all.then_some(logarithms)
}
