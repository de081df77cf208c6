//! The method on histories that are simulated.

use std::f64::consts::TAU;
use std::fmt::Write;

use cluster_profiler_job::verdict::Verdict;
use fastrand::Rng;

use crate::look::{Look, Night};
use crate::percent;

/// Histories of each kind.
const HISTORIES: usize = 2_000;

/// The runs of a history, the new ones included.
const RUNS: usize = 32;

/// The scatter of each number from run to run, as of the numbers of real nights.
const SCATTER: [f64; 7] = [0.02, 0.02, 0.1, 0.07, 0.1, 0.1, 0.09];

/// The numbers that steps are injected into: a memory and a CPU.
const MEMORY: usize = 0;
const CPU: usize = 3;

/// What a history is like.
struct Kind {
    name: &'static str,
    /// The correlation of a run with the one before.
    correlation: f64,
    /// Whether single runs lie far out: Student's t of three degrees in place of a normal distribution.
    heavy: bool,
    /// How much every number rises from run to run.
    drift: f64,
    /// The share of runs that lack a number.
    missing: f64,
    /// A run, counted from the newest, in which everything is 1.6 times what it was.
    wild: Option<usize>,
    /// How many runs ago everything began to be 1.15 times what it was.
    shift: Option<usize>,
}

/// A history of independent runs.
const INDEPENDENT: Kind = Kind {
    name: "independent nights",
    correlation: 0.0,
    heavy: false,
    drift: 0.0,
    missing: 0.0,
    wild: None,
    shift: None,
};

const KINDS: [Kind; 9] = [
    INDEPENDENT,
    Kind {
        name: "every fifth number missing",
        missing: 0.2,
        ..INDEPENDENT
    },
    Kind {
        name: "heavy tails",
        heavy: true,
        ..INDEPENDENT
    },
    Kind {
        name: "one wild run among the earlier",
        wild: Some(9),
        ..INDEPENDENT
    },
    Kind {
        name: "the newest run is wild",
        wild: Some(0),
        ..INDEPENDENT
    },
    Kind {
        name: "correlation 0.6",
        correlation: 0.6,
        ..INDEPENDENT
    },
    Kind {
        name: "drift, +5 % in 20 runs",
        drift: 0.0025,
        ..INDEPENDENT
    },
    Kind {
        name: "all 15 % higher in the newest run, or the two or three newest",
        shift: Some(0),
        ..INDEPENDENT
    },
    Kind {
        name: "all 15 % higher since ten runs",
        shift: Some(10),
        ..INDEPENDENT
    },
];

/// The table of all kinds: how often some number is called a regression, and how often steps are found.
pub(crate) fn table() -> String {
    let mut text = "| histories | first sight: some regression called | confirmed by the next run | `--last 3` \
        | finds +10 % of a memory: first sight / confirmed / `--last 3` | +20 % of a CPU |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for kind in KINDS {
        let mut random = Rng::with_seed(22);
        let histories: Vec<_> = (0..HISTORIES)
            .map(|_| History::new(&kind, &mut random))
            .collect();
        let rates = Look::ALL.map(|look| Rates::of(&kind, &histories, look));
        let any = rates
            .each_ref()
            .map(|rates| format!("{:.1} %", percent(rates.any, HISTORIES)));
        let memory = rates
            .each_ref()
            .map(|rates| format!("{:.0}", percent(rates.memory, HISTORIES)));
        let cpu = rates
            .each_ref()
            .map(|rates| format!("{:.0}", percent(rates.cpu, HISTORIES)));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            kind.name,
            any.join(" | "),
            memory.join(" / "),
            cpu.join(" / ")
        );
    }
    text
}

struct History {
    family: Vec<Vec<f64>>,
}

impl History {
    fn new(kind: &Kind, random: &mut Rng) -> Self {
        let family = SCATTER.iter().map(|scatter| number(kind, *scatter, random));
        Self {
            family: family.collect(),
        }
    }
}

/// How many histories something is called in.
struct Rates {
    any: usize,
    memory: usize,
    cpu: usize,
}

impl Rates {
    fn of(kind: &Kind, histories: &[History], look: Look) -> Self {
        let mut rates = Self {
            any: 0,
            memory: 0,
            cpu: 0,
        };
        for history in histories {
            let mut family = history.family.clone();
            if kind.shift == Some(0) {
                raise(&mut family, look.new);
            }
            let night = Night::new(&family, RUNS - 1, look);
            rates.any += usize::from(night.calls().contains(&Some(Verdict::Regression)));
            rates.memory += usize::from(night.finds(MEMORY, 1.1));
            rates.cpu += usize::from(night.finds(CPU, 1.2));
        }
        rates
    }
}

/// Has the newest runs be 1.15 times what they were.
fn raise(family: &mut [Vec<f64>], runs: usize) {
    for number in family {
        for value in number.iter_mut().rev().take(runs) {
            *value *= 1.15;
        }
    }
}

fn number(kind: &Kind, scatter: f64, random: &mut Rng) -> Vec<f64> {
    let mut state = normal(random);
    let value = |run: usize| {
        let fresh = if kind.heavy {
            heavy(random)
        } else {
            normal(random)
        };
        state = kind.correlation * state + (1.0 - kind.correlation.powi(2)).sqrt() * fresh;
        let from_newest = RUNS - 1 - run;
        let mut value = (scatter * state + kind.drift * run as f64).exp();
        if kind.wild == Some(from_newest) {
            value *= 1.6;
        }
        if kind.shift.is_some_and(|runs| from_newest < runs) {
            value *= 1.15;
        }
        if random.f64() < kind.missing && from_newest > 2 {
            f64::NAN
        } else {
            value
        }
    };
    (0..RUNS).map(value).collect()
}

/// A number of the standard normal distribution.
fn normal(random: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (TAU * random.f64()).cos()
}

/// A number of Student's t distribution of three degrees, scaled to a variance of one.
fn heavy(random: &mut Rng) -> f64 {
    let squares: f64 = (0..3).map(|_| normal(random).powi(2)).sum();
    normal(random) / squares.sqrt()
}
