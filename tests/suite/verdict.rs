//! Verdicts on numbers: what is called, what is not, and with how many runs.

use cluster_profiler_job::verdict::{Comparison, Judgement, Rules, Series, Verdict, judge};

/// Twenty runs that scatter by some 2 %, without a pattern.
const STEADY: [f64; 20] = [
    100.0, 102.1, 98.4, 101.3, 99.0, 97.9, 100.6, 103.0, 98.8, 100.2, 101.9, 97.5, 99.4, 100.9,
    98.1, 102.4, 99.7, 100.4, 98.6, 101.1,
];

fn compare(earlier: &[f64], new: &[f64]) -> Comparison {
    compared(earlier, new).expect("numbers above zero")
}

fn compared(earlier: &[f64], new: &[f64]) -> Option<Comparison> {
    let series = Series {
        earlier,
        new,
        resolution: 0.001,
    };
    series.compare(Rules::default().fewest_earlier)
}

/// The judgement of a number in a family of so many, of which the others do not change.
fn judgement(earlier: &[f64], new: &[f64], family: usize) -> Judgement {
    let mut numbers = vec![Some(compare(&STEADY, &[100.0])); family];
    numbers[0] = Some(compare(earlier, new));
    judge(&numbers, &Rules::default())[0].expect("a verdict")
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-4, "{found}, not {expected}");
}

#[test]
fn a_ratio_has_the_interval_of_a_prediction() {
    // On logs: a median of 0, a standard deviation of 0.1 * sqrt(1.2), neighbours that do not resemble each other.
    let earlier = [0.1_f64, -0.1, 0.1, -0.1, 0.1, -0.1].map(f64::exp);
    let comparison = compare(&earlier, &[1.05]);
    let spread = comparison.spread.expect("six runs are enough");
    // 2.5706 is Student's t of five degrees for 97.5 %, by the tables.
    let half = 2.5706 * 0.1 * 1.2_f64.sqrt() * (1.0 + std::f64::consts::FRAC_PI_2 / 6.0).sqrt();
    assert_near(comparison.ratio, 1.05);
    assert_near(spread.low, 1.05 * (-half).exp());
    assert_near(spread.high, 1.05 * half.exp());
    assert_near(spread.smallest_ratio(0.05), half.exp());
}

#[test]
fn fewer_than_five_earlier_runs_give_a_ratio_and_no_verdict() {
    let comparison = compare(&[100.0, 102.0, 99.0, 101.0], &[150.0]);
    assert_near(comparison.ratio, 150.0 / (100.0_f64 * 101.0).sqrt());
    assert_eq!(judge(&[Some(comparison)], &Rules::default()), [None]);
    let comparison = compare(&[100.0, 102.0, 99.0, 101.0, 100.0], &[150.0]);
    assert!(judge(&[Some(comparison)], &Rules::default())[0].is_some());
}

#[test]
fn what_is_no_number_above_zero_is_not_compared() {
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(compared(&STEADY, &[wrong]), None, "{wrong}");
        assert_eq!(compared(&[wrong], &[1.0]), None, "{wrong}");
    }
    assert_eq!(compared(&STEADY, &[]), None);
    assert_eq!(compared(&[], &[1.0]), None);
}

#[test]
fn a_change_is_suspected_at_first_and_confirmed_by_the_next_run() {
    let first = judgement(&STEADY, &[115.0], 4);
    assert_eq!(
        (first.verdict, first.confirmed),
        (Verdict::Regression, false)
    );
    let both = judgement(&STEADY, &[114.0, 115.0], 4);
    assert_eq!((both.verdict, both.confirmed), (Verdict::Regression, true));
    let told = first.confirmed_by(both);
    assert_eq!((told.verdict, told.confirmed), (Verdict::Regression, true));
    let fell = judgement(&STEADY, &[85.0, 86.0, 85.5], 4);
    assert_eq!((fell.verdict, fell.confirmed), (Verdict::Improvement, true));
}

#[test]
fn one_wild_run_among_several_new_ones_is_not_confirmed() {
    let wild = judgement(&STEADY, &[100.0, 160.0, 99.0], 4);
    assert!(!wild.confirmed, "{wild:?}");
}

#[test]
fn one_wild_run_among_the_earlier_is_left_out_and_two_are_not() {
    let mut earlier = STEADY;
    earlier[4] = 160.0;
    assert_eq!(compare(&earlier, &[100.0]).runs, 19);
    assert_eq!(
        judgement(&earlier, &[115.0], 4).verdict,
        Verdict::Regression
    );
    earlier[9] = 160.0;
    assert_eq!(compare(&earlier, &[100.0]).runs, 20);
    assert_eq!(
        judgement(&earlier, &[115.0], 4).verdict,
        Verdict::Inconclusive
    );
}

#[test]
fn the_same_runs_once_more_are_never_a_change() {
    let same = judgement(&[100.0; 20], &[100.0], 4);
    assert_eq!((same.verdict, same.p), (Verdict::Unchanged, 1.0));
    let again = judgement(&STEADY, &STEADY[17..], 4);
    assert!(!again.verdict.is_change(), "{again:?}");
}

#[test]
fn a_change_that_is_sure_and_small_is_no_regression() {
    let small = judgement(&[100.0; 20], &[103.0], 4);
    assert!(small.p < 1e-6);
    assert_eq!(small.verdict, Verdict::Unchanged);
}

#[test]
fn a_larger_family_asks_more_of_each_number() {
    let earlier = STEADY.map(|value| value.powi(4));
    let new = [STEADY[0].powi(4) * 1.1];
    let (alone, among) = (judgement(&earlier, &new, 1), judgement(&earlier, &new, 4));
    assert_near(among.p, 4.0 * alone.p);
    assert!(among.smallest_ratio > alone.smallest_ratio);
    assert!(judgement(&[100.0; 20], &[100.0], 1).smallest_ratio >= 1.05);
    // Those without a verdict do not count.
    let numbers = [
        Some(compare(&earlier, &new)),
        None,
        Some(compare(&[1.0], &[9.0])),
    ];
    let judgements = judge(&numbers, &Rules::default());
    assert_near(judgements[0].expect("a verdict").p, alone.p);
    assert_eq!(judgements[1..], [None, None]);
}

#[test]
fn runs_that_resemble_the_one_before_count_for_less() {
    let mut sorted = STEADY;
    sorted.sort_by(f64::total_cmp);
    let width = |earlier: &[f64]| {
        let spread = compare(earlier, &[100.0, 100.0]).spread.expect("enough");
        spread.high / spread.low
    };
    assert!(width(&sorted) > 1.02 * width(&STEADY));
}
