//! A comparison that is made by hand, for the tests of a report's page.

use cluster_profiler_job::component::Component;
use cluster_profiler_job::diff::{Compared, Diff, DiffRun, NotComparable, PassedOver, Word};
use cluster_profiler_job::pprof::{Kind, SampleType};
use cluster_profiler_job::report::{Difference, Differences, Findings, Part, Tree};

use crate::report_findings::ATTACKS;

/// The id of the run before.
pub(crate) const EARLIER: &str = "20261127t215100z-0b11d0";

/// Adds what a comparison with 12 runs finds: a regression that is confirmed, an improvement that is suspected, and no
/// change. With names that are attacks if that is wanted.
pub(crate) fn compare(findings: &mut Findings, attacks: bool) {
    let earlier = if attacks { ATTACKS[1] } else { EARLIER };
    findings.comparison = Some(comparison(earlier, attacks));
    findings.differences = Some(Differences {
        run_id: earlier.to_owned(),
        profiles: vec![
            difference(
                Component::VirtController,
                Kind::Cpu,
                "nanoseconds",
                900.0 / 880.0,
            ),
            difference(Component::VirtController, Kind::Heap, "bytes", 1.0),
            difference(Component::VirtHandler, Kind::Goroutine, "count", 1.0),
        ],
        unread: Vec::new(),
    });
}

fn comparison(earlier: &str, attacks: bool) -> Diff {
    let run = |run_id: &str, day: u32, version: &str| DiffRun {
        run_id: run_id.to_owned(),
        start: format!("2026-11-{day:02}T21:51:00Z")
            .parse()
            .expect("a time"),
        kubevirt_version: Some(version.to_owned()),
    };
    let mut runs: Vec<_> = (15..27)
        .map(|day| run(&format!("202611{day}t215100z-0b11d0"), day, "v1.8.3"))
        .collect();
    runs.push(run(earlier, 27, "v1.8.4"));
    let tested = [
        number(
            Some(Component::VirtController),
            "live_heap_bytes",
            4.1e8,
            3.1e8,
            Word::Regression,
        ),
        number(
            Some(Component::VirtHandler),
            "live_heap_bytes",
            2.0e8,
            2.02e8,
            Word::Unchanged,
        ),
        number(
            Some(Component::VirtController),
            "cpu_cores",
            2.4,
            2.9,
            Word::Improvement,
        ),
        number(
            Some(Component::VirtHandler),
            "cpu_cores",
            1.31,
            1.24,
            Word::Inconclusive,
        ),
        number(
            None,
            "VMIRunning_P50_milliseconds",
            14000.0,
            13900.0,
            Word::Inconclusive,
        ),
    ];
    let mut others = [
        number(
            Some(Component::VirtApi),
            "goroutines",
            412.0,
            410.0,
            Word::Unchanged,
        ),
        number(
            Some(Component::VirtApi),
            "allocated_objects_per_second",
            91_000.0,
            30_000.0,
            Word::Unchanged,
        ),
    ];
    for number in &mut others {
        (number.verdict, number.p) = (None, None);
    }
    let foreign =
        |plain: &str, attack: usize| if attacks { ATTACKS[attack] } else { plain }.to_owned();
    Diff {
        schema_version: 1,
        new: vec![run("20261128t215100z-4f2a9c", 28, "v1.8.4")],
        earlier: runs,
        accepted: None,
        not_judged: Vec::new(),
        verdict: Some(Word::Regression),
        confirmed: true,
        no_verdict: None,
        numbers: tested.into_iter().chain(others).collect(),
        left_out: Vec::new(),
        not_measured: Vec::new(),
        outliers: Vec::new(),
        functions: None,
        not_read: Vec::new(),
        not_comparable: vec![NotComparable {
            run_id: foreign("20261114t215100z-aa1045", 0),
            field: "cluster".to_owned(),
            new: "0f7c7a34-0a51-4c0e-9d57-5be3f3c1f0aa".to_owned(),
            earlier: foreign("6cb96aa5-5dc3-4cd7-8f08-8e3f3e2ff1a2", 2),
        }],
        passed_over: vec![PassedOver {
            run_id: "20261113t215100z-81bb29".to_owned(),
            why: foreign("11 of 12 pods are complete", 4),
        }],
    }
}

fn number(
    component: Option<Component>,
    name: &'static str,
    new: f64,
    earlier: f64,
    word: Word,
) -> Compared {
    let ratio = new / earlier;
    let reach = if word == Word::Unchanged { 1.02 } else { 1.11 };
    let nights = [
        1.0, 1.01, 0.98, 0.95, 1.03, 1.0, 1.04, 0.99, 1.02, 0.97, 1.0, 0.96, 1.01,
    ];
    Compared {
        component,
        name,
        new,
        earlier,
        ratio,
        before: nights.iter().map(|night| earlier * night).collect(),
        // The run that confirms a change is no earlier one.
        runs: nights.len() - usize::from(word == Word::Regression),
        interval: Some([ratio / reach, ratio * reach]),
        p: Some(0.01),
        smallest_ratio: Some(1.12),
        verdict: Some(word),
        confirmed: word == Word::Regression,
    }
}

/// Stacks of which some have more and some less than in the earlier run.
fn difference(component: Component, kind: Kind, unit: &str, factor: f64) -> Difference {
    let mut tree = Tree::new(vec![SampleType {
        name: "value".to_owned(),
        unit: unit.to_owned(),
    }]);
    let one = if unit == "count" { 1 } else { 40_000_000 };
    let stacks: [(&[&str], i64); 4] = [
        (
            &[
                "main.main",
                "kubevirt.io/kubevirt/pkg/virt-controller/watch/vmi.(*Controller).execute",
                "encoding/json.Unmarshal",
            ],
            70,
        ),
        (
            &[
                "main.main",
                "kubevirt.io/kubevirt/pkg/virt-controller/watch/vmi.(*Controller).execute",
                "runtime.mallocgc",
            ],
            25,
        ),
        (
            &[
                "main.main",
                "k8s.io/client-go/tools/cache.(*Reflector).ListAndWatch",
                "encoding/json.Unmarshal",
            ],
            -30,
        ),
        (
            &[
                "main.main",
                "k8s.io/client-go/tools/cache.(*Reflector).ListAndWatch",
            ],
            -4,
        ),
    ];
    for (stack, value) in stacks {
        tree.add(stack.iter().copied(), &[value * one]);
    }
    Difference {
        component,
        kind,
        part: Part::Whole,
        unit: unit.to_owned(),
        pods: [2, 2],
        totals: [400 * one, (400.0 * factor) as i64 * one + 61 * one],
        factor,
        top: tree.top(0, 50),
        merged: tree,
    }
}
