//! Faults of the API server: each strikes every request of a run once, and an outage begins at the first one of each
//! phase.

use std::time::Duration;

use cluster_profiler_job::run::phase::Phase;
use futures::{StreamExt, stream};
use serde_json::Value;
use standin::{RouteAnswer, RouteFault, Seen, Standin, Times};

use super::table::Codes;
use super::{
    AT_ONCE, SCALE, Table, assert_complete, assert_documented, assert_nothing_left, attempt,
    attempts, cluster, short_and_restoring,
};
use crate::harness::Place;
use crate::lock::LEASE;

/// A fault of the API server.
pub(super) struct Row {
    /// The fault, in words.
    pub(super) name: &'static str,
    answer: RouteAnswer,
    /// How long every request meets it. It strikes one otherwise.
    lasts: Option<Duration>,
}

impl Row {
    /// The fault, which begins at the request of this number.
    pub(super) fn fault(&self, number: usize) -> RouteFault {
        let times = match self.lasts {
            Some(lasts) => Times::From(number, lasts),
            None => Times::Only(number),
        };
        RouteFault::new("", self.answer.clone(), times)
    }
}

/// The rows.
pub(super) fn faults() -> Vec<Row> {
    let once = [
        ("401", RouteAnswer::Status(401)),
        ("403", RouteAnswer::Status(403)),
        ("404", RouteAnswer::Status(404)),
        (
            "404 as text, of a gateway",
            RouteAnswer::Text(404, "404 page not found".to_owned()),
        ),
        ("409", RouteAnswer::Status(409)),
        ("410", RouteAnswer::Status(410)),
        ("429 with Retry-After", RouteAnswer::Status(429)),
        ("500", RouteAnswer::Status(500)),
        ("503", RouteAnswer::Status(503)),
        ("504", RouteAnswer::Status(504)),
        ("connection reset", RouteAnswer::Hangup),
        ("done, and the answer lost", RouteAnswer::Unheard),
        ("no answer", RouteAnswer::Hang),
        ("denied by a webhook", RouteAnswer::Denied),
    ];
    let once = once.map(|(name, answer)| Row {
        name,
        answer,
        lasts: None,
    });
    let outages = [("12 s outage", 12), ("60 s outage", 60)].map(|(name, seconds)| Row {
        name,
        answer: RouteAnswer::Hangup,
        lasts: Some(Duration::from_secs(seconds) / SCALE),
    });
    once.into_iter().chain(outages).collect()
}

/// A run that a fault is to strike.
pub(super) struct Strike {
    pub(super) row: usize,
    pub(super) fault: RouteFault,
    pub(super) phase: Phase,
    /// Whether start was sent before.
    pub(super) has_started: bool,
    pub(super) what: String,
}

/// A run that was struck.
pub(super) struct Struck {
    pub(super) row: usize,
    pub(super) phase: Phase,
    /// What became of it, and what might have.
    pub(super) codes: Vec<Codes>,
}

/// A run that has every phase.
pub(super) fn with_baseline(standin: &Standin) -> Place {
    short_and_restoring(Place::new(standin)).with("PROFILER_BASELINE", true)
}

/// The requests of a run that no fault strikes.
pub(super) async fn requests_of_a_run() -> Vec<Seen> {
    let reference = cluster(0).await;
    let place = with_baseline(&reference);
    assert_eq!(attempt(&place).await, 0);
    reference.requests()
}

/// Every request of a run that is wanted, with every fault that it can meet. An outage begins at the first one of a
/// phase alone.
pub(super) fn strikes(
    requests: &[Seen],
    phases: &[Phase],
    is_wanted: impl Fn(&Seen) -> bool,
) -> Vec<Strike> {
    let is_start = |seen: &Seen| seen.path.ends_with("/start-cluster-profiler");
    let start = requests.iter().position(is_start);
    let mut strikes = Vec::new();
    for (row, fault) in faults().into_iter().enumerate() {
        let mut number = 0;
        let mut last_phase = None;
        for (at, (request, phase)) in requests.iter().zip(phases).enumerate() {
            let method = request.method.parse().expect("a method");
            if !fault.answer.strikes(&method, &request.path) {
                continue;
            }
            number += 1;
            if !is_wanted(request) || (fault.lasts.is_some() && last_phase == Some(phase)) {
                continue;
            }
            last_phase = Some(phase);
            strikes.push(Strike {
                row,
                fault: fault.fault(number),
                phase: *phase,
                has_started: start.is_none_or(|start| at > start),
                what: format!(
                    "{}, request {number} ({phase:?}: {})",
                    fault.name, request.path
                ),
            });
        }
    }
    strikes
}

/// The last segment of a request's path.
pub(super) fn last(seen: &Seen) -> &str {
    seen.path.rsplit('/').next().unwrap_or_default()
}

/// Whether a request is a pod LIST for the sake of its continue token.
pub(super) fn is_token_list(seen: &Seen) -> bool {
    last(seen) == "pods" && seen.query.ends_with("limit=1")
}

/// Whether a phase begins with the first of these requests.
pub(super) type Beginning = fn(&[Seen]) -> bool;

/// The phase of each request of a run, by the requests that a phase begins with.
pub(super) fn phases_of(requests: &[Seen]) -> Vec<Phase> {
    let beginnings: [(Phase, Beginning); 8] = [
        (Phase::Lock, |rest| last(&rest[0]) == LEASE),
        (Phase::Gate, |rest| last(&rest[0]) == "kubevirt"),
        (Phase::Baseline, |rest| is_token_list(&rest[0])),
        (Phase::Start, |rest| {
            last(&rest[0]) == "pods" && !is_token_list(&rest[0])
        }),
        // The journal is written before stop is sent.
        (Phase::Stop, |rest| {
            rest.get(1).map(last) == Some("stop-cluster-profiler")
        }),
        (Phase::Dump, |rest| is_token_list(&rest[0])),
        (Phase::Restore, |rest| last(&rest[0]) == "kubevirt"),
        // The Lease is released.
        (Phase::Report, |rest| rest.len() == 1),
    ];
    phases_by(requests, &beginnings)
}

/// The phase of each request, where phases begin so, one after another.
pub(super) fn phases_by(requests: &[Seen], beginnings: &[(Phase, Beginning)]) -> Vec<Phase> {
    let mut phases = vec![Phase::Preflight; requests.len()];
    let mut from = 0;
    for (phase, is_first) in beginnings {
        let first = (from..requests.len()).find(|at| is_first(&requests[*at..]));
        from = first.unwrap_or_else(|| panic!("no request of {phase:?}"));
        phases[from..].fill(*phase);
    }
    phases
}

/// Lets a fault strike a run, which has other attempts where it does not end for good.
pub(super) async fn struck_at(
    standin: &Standin,
    before: &Value,
    place: &Place,
    strike: Strike,
) -> Struck {
    let is_outage = matches!(strike.fault.times, Times::From(..));
    standin.route_fault(strike.fault);
    let first = attempt(place).await;
    let codes = attempts(first, || attempt(place), || standin.clear_faults()).await;
    let what = format!("{}: {codes:?}", strike.what);
    assert_eq!(codes.last(), Some(&0), "{what}");
    assert_complete(&place.shipped().manifest, &what);
    assert_nothing_left(standin, before, &what);
    assert!(place.leftovers().is_empty(), "{what}");
    if strike.has_started {
        // What the pods have would be lost where no other attempt comes.
        assert_eq!(codes.len(), 1, "{what}");
    }
    let mut codes = vec![codes];
    if is_outage && !strike.has_started && strike.phase != Phase::Preflight {
        // Whether it is over before the attempt is depends on how busy the machine is.
        let ends = [vec![0], vec![75, 0]];
        assert!(ends.contains(&codes[0]), "{what}");
        codes = ends.into();
    }
    Struck {
        row: strike.row,
        phase: strike.phase,
        codes,
    }
}

/// Lets a fault strike a run that has every phase.
async fn struck(strike: Strike) -> Struck {
    let standin = cluster(0).await;
    let before = standin.configuration();
    struck_at(&standin, &before, &with_baseline(&standin), strike).await
}

/// The table of runs that were struck, by phase.
pub(super) fn table(struck: Vec<Struck>, columns: &[Phase]) -> String {
    let mut table = Table::default();
    for Struck { row, phase, codes } in struck {
        let column = columns.iter().position(|other| *other == phase);
        for codes in codes {
            table.note(row, column.expect("a column"), codes);
        }
    }
    let rows: Vec<_> = faults().iter().map(|row| row.name).collect();
    let names: Vec<_> = columns.iter().map(|phase| phase.name()).collect();
    table.markdown(&rows, &names)
}

/// Strikes one after the other, some at once, on two threads of their own: a run is not `Send`.
pub(super) fn strike_all<F: Future<Output = Struck>>(
    mut strikes: Vec<Strike>,
    strike: impl Fn(Strike) -> F + Sync,
) -> Vec<Struck> {
    let others = strikes.split_off(strikes.len() / 2);
    let strike_half = |half: Vec<Strike>| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        let runs = stream::iter(half.into_iter().map(&strike));
        runtime.block_on(runs.buffer_unordered(AT_ONCE).collect::<Vec<_>>())
    };
    let ended = std::thread::scope(|scope| {
        let halves = [strikes, others].map(|half| scope.spawn(|| strike_half(half)));
        halves.map(|half| half.join().expect("what must hold"))
    });
    ended.into_iter().flatten().collect()
}

#[test]
fn every_request_of_a_run() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let requests = runtime.block_on(requests_of_a_run());
    let strikes = strikes(&requests, &phases_of(&requests), |_| true);
    let table = table(strike_all(strikes, struck), &Phase::ALL);
    assert_documented("api", &table);
}
