//! Which functions changed, in simulated runs: how often chance is taken for a change, and how often a change is found.

use std::f64::consts::TAU;

use cluster_profiler_job::verdict::{
    FunctionCost, Level, Scatter, ScatterOf, Totals, false_discovery,
};

/// Of the functions that are named, this share may be named by chance.
const FALSE: f64 = 0.1;

const FUNCTIONS: usize = 80;

/// Samples of a run in all.
const SAMPLES: f64 = 18_000.0;

/// What is simulated.
#[derive(Clone, Copy)]
struct Scene {
    earlier: usize,
    /// How the cost of a function scatters between runs, beside its samples, as a standard deviation of logs.
    runs: f64,
    /// The same between pods; none, if the pods are not told apart.
    pods: Option<f64>,
    /// By how much one function costs more in the new run.
    step: f64,
}

/// How often anything was named, how many of those named did not change, and how often the one that did was named.
struct Outcome {
    any: f64,
    false_share: f64,
    found: f64,
}

fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * random.f64().max(f64::MIN_POSITIVE).ln()).sqrt() * (TAU * random.f64()).cos()
}

/// A count that is expected to be so large.
fn count(mean: f64, random: &mut fastrand::Rng) -> f64 {
    (mean + mean.sqrt() * normal(random)).round().max(0.0)
}

/// The share of a function: a few are large, most are small.
fn share(function: usize) -> f64 {
    let all: f64 = (0..FUNCTIONS).map(|at| 1.0 / (at as f64 + 3.0)).sum();
    1.0 / (function as f64 + 3.0) / all
}

/// The counts of a function in ten pods.
fn pods(mean: f64, scene: Scene, random: &mut fastrand::Rng) -> Vec<f64> {
    let Some(scatter) = scene.pods else {
        return vec![count(mean, random)];
    };
    let pod = |_| count(mean / 10.0 * (scatter * normal(random)).exp(), random);
    (0..10).map(pod).collect()
}

fn history(scene: Scene, random: &mut fastrand::Rng) -> Vec<FunctionCost> {
    let load: Vec<_> = (0..=scene.earlier)
        .map(|_| (0.1 * normal(random)).exp())
        .collect();
    let function = |at: usize| {
        let of_run = |run: usize, random: &mut fastrand::Rng| {
            let step = if at == 5 && run == scene.earlier {
                scene.step
            } else {
                1.0
            };
            let mean = SAMPLES * share(at) * step * load[run] * (scene.runs * normal(random)).exp();
            pods(mean, scene, random)
        };
        let mut scatter = Scatter::default();
        let mut earlier = Vec::new();
        for run in 0..scene.earlier {
            let pods = of_run(run, random);
            let sum: f64 = pods.iter().sum();
            if scene.pods.is_some() && sum > 0.0 {
                let squares = pods
                    .iter()
                    .map(|pod| (pod - sum / 10.0).powi(2) / (sum / 10.0));
                scatter.squares += squares.sum::<f64>();
                scatter.degrees += 9.0;
            }
            earlier.push(sum);
        }
        FunctionCost {
            earlier,
            new: of_run(scene.earlier, random).iter().sum(),
            pods: scatter,
        }
    };
    (0..FUNCTIONS).map(function).collect()
}

fn outcome(scene: Scene) -> Outcome {
    const HISTORIES: usize = 500;
    let mut random = fastrand::Rng::with_seed(22);
    let (mut any, mut named_falsely, mut found) = (0, 0.0, 0);
    for _ in 0..HISTORIES {
        let costs = history(scene, &mut random);
        let total = |run: usize| costs.iter().map(|cost| cost.earlier[run]).sum();
        let totals = Totals {
            earlier: (0..scene.earlier).map(total).collect(),
            new: costs.iter().map(|cost| cost.new).sum(),
        };
        let level = Level::of(&totals, &costs, 5);
        let changes: Vec<_> = costs.iter().map(|cost| level.change(cost)).collect();
        let chances: Vec<_> = changes.iter().flatten().map(|change| change.p).collect();
        let mut corrected = false_discovery(&chances).into_iter();
        let named: Vec<_> = changes
            .iter()
            .enumerate()
            .filter(|(_, change)| change.is_some() && corrected.next().is_some_and(|q| q < FALSE))
            .map(|(at, _)| at)
            .collect();
        let right = named.contains(&5);
        let wrong = named.len() - usize::from(right && scene.step != 1.0);
        any += usize::from(!named.is_empty());
        named_falsely += wrong as f64 / named.len().max(1) as f64;
        found += usize::from(right);
    }
    let share = |of: f64| of / HISTORIES as f64;
    Outcome {
        any: share(any as f64),
        false_share: share(named_falsely),
        found: share(found as f64),
    }
}

const QUIET: Scene = Scene {
    earlier: 10,
    runs: 0.05,
    pods: None,
    step: 1.0,
};

/// A tenth at most, where 500 histories have an error of a hundredth. Ten runs that scatter by a fifth have tails that are heavier than those of Student's t, and so a few names too many.
#[test]
fn chance_is_seldom_taken_for_a_change() {
    let scenes = [
        ("ten runs", QUIET, 0.12),
        (
            "ten runs that scatter much",
            Scene { runs: 0.2, ..QUIET },
            0.15,
        ),
        (
            "samples alone",
            Scene {
                earlier: 1,
                runs: 0.0,
                ..QUIET
            },
            0.12,
        ),
        (
            "pods that scatter",
            Scene {
                earlier: 1,
                runs: 0.0,
                pods: Some(0.3),
                ..QUIET
            },
            0.12,
        ),
    ];
    for (name, scene, most) in scenes {
        let outcome = outcome(scene);
        println!("{name}: any {:.3}", outcome.any);
        assert!(outcome.any <= most, "{name}: {}", outcome.any);
    }
}

#[test]
fn a_change_is_found_and_few_others_with_it() {
    let scenes = [
        ("ten runs", QUIET, 1.5, 0.9),
        (
            "one run, pods that scatter",
            Scene {
                earlier: 1,
                runs: 0.0,
                pods: Some(0.3),
                ..QUIET
            },
            3.0,
            0.9,
        ),
    ];
    for (name, scene, found_from, least) in scenes {
        for step in [1.2, 1.5, 3.0] {
            let outcome = outcome(Scene { step, ..scene });
            println!(
                "{name} x{step}: found {:.3} false {:.3}",
                outcome.found, outcome.false_share
            );
            assert!(
                outcome.false_share <= 0.1,
                "{name} x{step}: {}",
                outcome.false_share
            );
            if step >= found_from {
                assert!(outcome.found >= least, "{name} x{step}: {}", outcome.found);
            }
        }
    }
}

#[test]
fn a_function_that_takes_much_more_makes_no_others_look_cheaper() {
    let costs: Vec<_> = (0..20)
        .map(|at| FunctionCost {
            earlier: vec![1000.0; 8],
            new: if at == 0 { 9000.0 } else { 1000.0 },
            pods: Scatter::default(),
        })
        .collect();
    let totals = Totals {
        earlier: vec![20_000.0; 8],
        new: 28_000.0,
    };
    let level = Level::of(&totals, &costs, 5);
    assert_eq!(level.scatter(), ScatterOf::Runs);
    let change = |at: usize| level.change(&costs[at]).expect("enough samples");
    assert!((change(0).ratio - 9.0).abs() < 0.1, "{}", change(0).ratio);
    assert!((change(1).ratio - 1.0).abs() < 0.01, "{}", change(1).ratio);
}
