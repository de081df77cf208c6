//! Pods that are far from the others.

use super::statistics::{NORMAL_BY_MEDIAN_DEVIATION, median};

/// The rule by which a pod is an outlier, for whoever reads of one.
pub const OUTLIER_RULE: &str = "A pod is an outlier if its value is farther from the median of its component's pods than 3.5 \
     times their median absolute deviation (times 1.4826), and farther than a quarter of that median; of three pods \
     at least.";

/// How many scaled deviations an outlier is from the median (Iglewicz and Hoaglin, 1993).
const DEVIATIONS: f64 = 3.5;

/// The share of the median that an outlier is from it, so that pods which are almost alike have none.
const LEAST_SHARE: f64 = 0.25;

/// The fewest pods that can have an outlier.
const FEWEST: usize = 3;

/// Which of the values are outliers, by [`OUTLIER_RULE`].
pub fn outliers(values: &[i64]) -> Vec<bool> {
    if values.len() < FEWEST {
        return vec![false; values.len()];
    }
    let values: Vec<_> = values.iter().map(|value| *value as f64).collect();
    let middle = median(&values).unwrap_or_default();
    let distances: Vec<_> = values.iter().map(|value| (value - middle).abs()).collect();
    let deviation = median(&distances).unwrap_or_default() * NORMAL_BY_MEDIAN_DEVIATION;
    let least = (deviation * DEVIATIONS).max(middle.abs() * LEAST_SHARE);
    distances
        .into_iter()
        .map(|distance| distance > least)
        .collect()
}
