//! What is asked of a list of numbers, and of Student's t.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// By how much the median of absolute deviations is below the standard deviation of a normal distribution.
pub(crate) const NORMAL_BY_MEDIAN_DEVIATION: f64 = 1.4826;

/// A run further from the median than so many times the scatter is wild.
const WILD: f64 = 6.0;

/// One wild run of at least so many is left out.
const FEWEST_WITH_ONE_LEFT_OUT: usize = 10;

/// The strongest correlation that is believed of a few runs.
const STRONGEST_CORRELATION: f64 = 0.8;

pub(super) fn mean(numbers: &[f64]) -> Option<f64> {
    let count = numbers.len();
    (count > 0).then(|| numbers.iter().sum::<f64>() / count as f64)
}

/// The number in the middle, or between the two that are.
pub(crate) fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

pub(super) fn standard_deviation(numbers: &[f64]) -> Option<f64> {
    let mean = mean(numbers)?;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    let degrees = numbers
        .len()
        .checked_sub(1)
        .filter(|degrees| *degrees > 0)?;
    Some((squares / degrees as f64).sqrt())
}

/// The numbers without the one that is wild, if there is just one: two are no accident. A scatter below `resolution`
/// is taken for that.
pub(super) fn without_wild(mut numbers: Vec<f64>, resolution: f64) -> Vec<f64> {
    let Some(centre) = median(&numbers) else {
        return numbers;
    };
    let deviations: Vec<_> = numbers
        .iter()
        .map(|number| (number - centre).abs())
        .collect();
    let scatter = median(&deviations).unwrap_or_default() * NORMAL_BY_MEDIAN_DEVIATION;
    let limit = WILD * scatter.max(resolution);
    let mut wild = (0..numbers.len()).filter(|at| deviations[*at] > limit);
    if let (Some(at), None) = (wild.next(), wild.next())
        && numbers.len() >= FEWEST_WITH_ONE_LEFT_OUT
    {
        numbers.remove(at);
    }
    numbers
}

/// How much a run tells of the next one: the correlation of neighbours, from 0 up, corrected for that a few numbers
/// show less of it than there is.
pub(super) fn correlation(numbers: &[f64]) -> f64 {
    let Some(mean) = mean(numbers) else {
        return 0.0;
    };
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    let pairs = numbers.windows(2);
    let products: f64 = pairs.map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let shown = products / squares;
    let corrected = shown + (1.0 + 4.0 * shown) / numbers.len() as f64;
    if corrected.is_finite() {
        corrected.clamp(0.0, STRONGEST_CORRELATION)
    } else {
        0.0
    }
}

/// The variance of a mean of so many neighbours that correlate so, each with a variance of one.
pub(super) fn variance_of_mean(count: usize, correlation: f64) -> f64 {
    let all = count as f64;
    let (mut variance, mut power) = (1.0, 1.0);
    for apart in 1..count {
        power *= correlation;
        variance += 2.0 * (1.0 - apart as f64 / all) * power;
    }
    variance / all
}

/// The chance that Student's t is above this.
pub(super) fn upper_tail(t: f64, degrees: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, degrees) {
        Ok(student) if t.is_finite() => student.sf(t),
        Ok(_) | Err(_) => 1.0,
    }
}

/// The value that Student's t is above with this chance.
pub(super) fn quantile(chance: f64, degrees: f64) -> f64 {
    let student = StudentsT::new(0.0, 1.0, degrees);
    student.map_or(f64::INFINITY, |student| student.inverse_cdf(1.0 - chance))
}
