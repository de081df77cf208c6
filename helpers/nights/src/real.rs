//! The method on KubeVirt's own nights, beside a fixed rule.

use std::fmt::Write;
use std::ops::Range;

use cluster_profiler_job::verdict::{Rules, Verdict};

use crate::look::{Look, Night, split};
use crate::percent;

const CSV: &str = include_str!("../data/nights.csv");

/// The nights that the constants were chosen on; the first of them only precede others.
const CHOSEN_ON: Range<usize> = 23..200;

/// The nights that are reported.
const REPORTED: Range<usize> = 200..400;

/// The steps that are injected.
const STEPS: [f64; 4] = [1.05, 1.1, 1.2, 1.3];

/// The numbers of the family, by their columns.
const FAMILY: [(&str, &str); 7] = [
    ("avgVirtControllerMemoryUsageInMB", "virt-controller memory"),
    ("avgVirtAPIMemoryUsageInMB", "virt-api memory"),
    (
        "avgVirtHandlerMemoryUsageInMB",
        "virt-handler memory per VMI",
    ),
    ("avgVirtControllerCPUUsage", "virt-controller CPU"),
    ("avgVirtAPICPUUsage", "virt-api CPU"),
    ("avgVirtHandlerCPUUsage", "virt-handler CPU per VMI"),
    (
        "vmiCreationToRunningSecondsP50",
        "VMI creation to Running, P50",
    ),
];

/// How often something is called, of all nights: as they are, and with each step.
#[derive(Clone, Copy, Default)]
struct Rates {
    alarms: usize,
    found: [usize; STEPS.len()],
}

impl Rates {
    fn count(&mut self, alarm: bool, finds: impl Fn(f64) -> bool) {
        self.alarms += usize::from(alarm);
        for (found, step) in self.found.iter_mut().zip(STEPS) {
            *found += usize::from(finds(step));
        }
    }

    fn show(&self, nights: usize) -> String {
        let alarms = percent(self.alarms, nights);
        let found = self
            .found
            .map(|found| format!("{:.0}", percent(found, nights)));
        format!("{alarms:.1} % | {}", found.join(" / "))
    }
}

/// The tables of the nights that are reported, and one line about the others.
pub(crate) fn tables() -> String {
    let columns = columns();
    let family: Vec<_> = FAMILY
        .iter()
        .map(|(name, _)| column(&columns, name))
        .collect();
    let every: Vec<_> = columns.into_iter().map(|(_, values)| values).collect();
    let ours = Look::ALL.map(|look| rates(&family, look));
    let mut text = steps_table(&family, &every, &ours);
    text += &equal_alarms_table(&family, &ours[2]);
    let chosen = Look::ALL.map(|look| {
        let any = any_alarm(&family, CHOSEN_ON, look);
        format!("{:.1} %", percent(any, CHOSEN_ON.len()))
    });
    let _ = writeln!(
        text,
        "On the nights that the constants were chosen on, some number of the family is called on {}.\n",
        chosen.join(", ")
    );
    text
}

fn steps_table(family: &[Vec<f64>], every: &[Vec<f64>], ours: &[Vec<Rates>; 3]) -> String {
    let nights = REPORTED.len();
    let mut text =
        "| number | fixed 10 %: alarms | finds 5 / 10 / 20 / 30 % | first sight: alarms | finds \
        | confirmed by the next run: alarms | finds | `--last 3`: alarms | finds |\n"
            .to_owned();
    text += "|---|---|---|---|---|---|---|---|---|\n";
    for (number, (_, name)) in FAMILY.iter().enumerate() {
        let fixed = fixed_rates(&family[number], 1, 1.1).show(nights);
        let ours = ours.each_ref().map(|rates| rates[number].show(nights));
        let _ = writeln!(text, "| {name} | {fixed} | {} |", ours.join(" | "));
    }
    let any = Look::ALL.map(|look| {
        format!(
            "{:.1} %",
            percent(any_alarm(family, REPORTED, look), nights)
        )
    });
    let fixed = |numbers: &[Vec<f64>]| percent(any_fixed(numbers), nights);
    let _ = writeln!(
        text,
        "| **any of these** | {:.1} % (of all ten columns {:.1} %) | | {} | |\n",
        fixed(family),
        fixed(every),
        any.join(" | | ")
    );
    text
}

/// The method beside the fixed rule whose threshold alarms no more often, both on the three newest runs.
fn equal_alarms_table(family: &[Vec<f64>], of_three: &[Rates]) -> String {
    let nights = REPORTED.len();
    let mut text = "| number | `--last 3`: alarms | finds 5 / 10 / 20 / 30 % | fixed rule on the mean of three at as \
        many alarms | alarms | finds |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for (number, (_, name)) in FAMILY.iter().enumerate() {
        let ours = of_three[number];
        let mut tried = (0..1_000).map(|half| {
            let threshold = 1.0 + f64::from(half) / 200.0;
            (threshold, fixed_rates(&family[number], 3, threshold))
        });
        let equal = tried.find(|(_, fixed)| fixed.alarms <= ours.alarms);
        let (threshold, fixed) = equal.unwrap_or_default();
        let _ = writeln!(
            text,
            "| {name} | {} | {:.1} % | {} |",
            ours.show(nights),
            (threshold - 1.0) * 100.0,
            fixed.show(nights)
        );
    }
    text + "\n"
}

/// The rates of each number of the family.
fn rates(family: &[Vec<f64>], look: Look) -> Vec<Rates> {
    let mut rates = vec![Rates::default(); family.len()];
    for at in REPORTED {
        let night = Night::new(family, at, look);
        let calls = night.calls();
        for (number, rates) in rates.iter_mut().enumerate() {
            let alarm = calls[number] == Some(Verdict::Regression);
            rates.count(alarm, |step| night.finds(number, step));
        }
    }
    rates
}

fn any_alarm(family: &[Vec<f64>], nights: Range<usize>, look: Look) -> usize {
    let is_called = |at: &usize| {
        let calls = Night::new(family, *at, look).calls();
        calls.contains(&Some(Verdict::Regression))
    };
    nights.filter(is_called).count()
}

/// The rule of a fixed ratio: the mean of new runs by that of as many earlier runs as the method looks at.
fn fixed_rates(number: &[f64], new: usize, threshold: f64) -> Rates {
    let mut rates = Rates::default();
    for at in REPORTED {
        let ratio = fixed_ratio(number, at, new);
        rates.count(ratio > threshold, |step| ratio * step > threshold);
    }
    rates
}

fn fixed_ratio(number: &[f64], at: usize, new: usize) -> f64 {
    let (earlier, new) = split(number, at, new, &Rules::default());
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    mean(new) / mean(&earlier)
}

fn any_fixed(numbers: &[Vec<f64>]) -> usize {
    let is_called = |at: &usize| {
        numbers
            .iter()
            .any(|number| fixed_ratio(number, *at, 1) > 1.1)
    };
    REPORTED.filter(is_called).count()
}

/// The columns of the nights, with a NaN where a night lacks a number.
fn columns() -> Vec<(&'static str, Vec<f64>)> {
    let mut lines = CSV.lines();
    let header = lines.next().unwrap_or_default();
    let mut columns: Vec<_> = header
        .split(',')
        .skip(1)
        .map(|name| (name, Vec::new()))
        .collect();
    for line in lines {
        for (column, value) in columns.iter_mut().zip(line.split(',').skip(1)) {
            column.1.push(value.parse().unwrap_or(f64::NAN));
        }
    }
    columns
}

fn column(columns: &[(&str, Vec<f64>)], name: &str) -> Vec<f64> {
    let found = columns.iter().find(|(column, _)| *column == name);
    found.map(|(_, values)| values.clone()).unwrap_or_default()
}
