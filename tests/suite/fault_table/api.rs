//! Faults of the API server: each strikes every request of a run once.

use cluster_profiler_job::run::phase::Phase;
use futures::{StreamExt, stream};
use standin::{RouteAnswer, RouteFault, Seen, Standin, Times};

use super::table::Codes;
use super::{
    AT_ONCE, Table, assert_complete, assert_documented, assert_nothing_left, attempt, attempts,
    cluster, phases, short_and_restoring,
};
use crate::harness::Place;
use crate::lock::LEASE;

/// A fault, in words.
pub(super) type Row = (&'static str, RouteAnswer);

/// The rows: the faults, in words.
pub(super) fn faults() -> Vec<Row> {
    vec![
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
    ]
}

/// A request that a fault is to strike.
pub(super) struct Strike {
    pub(super) row: usize,
    pub(super) answer: RouteAnswer,
    /// Its number among the requests that can meet the fault.
    pub(super) number: usize,
    pub(super) phase: Phase,
    /// Whether start was sent before.
    pub(super) has_started: bool,
    pub(super) what: String,
}

/// A run that was struck.
pub(super) struct Struck {
    pub(super) row: usize,
    pub(super) phase: Phase,
    pub(super) codes: Codes,
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

/// Every request of a run with every fault that it can meet.
pub(super) fn strikes(faults: Vec<Row>, requests: &[Seen], phases: &[Phase]) -> Vec<Strike> {
    let is_start = |seen: &Seen| seen.path.ends_with("/start-cluster-profiler");
    let start = requests.iter().position(is_start);
    let mut strikes = Vec::new();
    for (row, (name, answer)) in faults.into_iter().enumerate() {
        let met = requests.iter().zip(phases).enumerate();
        let met = met.filter(|(_, (request, _))| {
            let method = request.method.parse().expect("a method");
            answer.strikes(&method, &request.path)
        });
        strikes.extend(
            met.enumerate()
                .map(|(before, (at, (request, phase)))| Strike {
                    row,
                    answer: answer.clone(),
                    number: before + 1,
                    phase: *phase,
                    has_started: start.is_none_or(|start| at > start),
                    what: format!(
                        "{name}, request {} ({phase:?}: {})",
                        before + 1,
                        request.path
                    ),
                }),
        );
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

/// A phase's number among all.
pub(super) fn column(phase: Phase) -> usize {
    let number = Phase::ALL.iter().position(|other| *other == phase);
    number.expect("a phase")
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
async fn struck(strike: Strike) -> Struck {
    let standin = cluster(0).await;
    let before = standin.configuration();
    let place = with_baseline(&standin);
    let times = Times::Only(strike.number);
    standin.route_fault(RouteFault::new("", strike.answer, times));
    let codes = attempts(
        attempt(&place).await,
        || attempt(&place),
        || standin.clear_faults(),
    )
    .await;
    let what = format!("{}: {codes:?}", strike.what);
    assert_eq!(codes.last(), Some(&0), "{what}");
    assert_complete(&place.shipped().manifest, &what);
    assert_nothing_left(&standin, &before, &what);
    assert!(place.leftovers().is_empty(), "{what}");
    if strike.has_started {
        // What the pods have would be lost where no other attempt comes.
        assert_eq!(codes.len(), 1, "{what}");
    }
    Struck {
        row: strike.row,
        phase: strike.phase,
        codes,
    }
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
    let ended = strike_all(strikes(faults(), &requests, &phases_of(&requests)), struck);
    let mut table = Table::default();
    for Struck { row, phase, codes } in ended {
        table.note(row, column(phase), codes);
    }
    let rows: Vec<_> = faults().iter().map(|(name, _)| *name).collect();
    assert_documented("api", &table.markdown(&rows, &phases()));
}
