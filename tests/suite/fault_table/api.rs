//! Faults of the API server: each strikes every request of a run once.

use cluster_profiler_job::run::phase::Phase;
use futures::{StreamExt, stream};
use standin::{RouteAnswer, RouteFault, Seen, Times};

use super::{
    AT_ONCE, Table, assert_complete, assert_documented, assert_nothing_left, attempt, attempts,
    cluster, phases, short_and_restoring,
};
use crate::harness::Place;

/// The rows: the faults, in words.
fn faults() -> Vec<(&'static str, RouteAnswer)> {
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
struct Strike {
    row: usize,
    answer: RouteAnswer,
    /// Its number among the requests that can meet the fault.
    number: usize,
    phase: Phase,
    /// Whether start was sent before.
    has_started: bool,
    what: String,
}

/// The requests of a run that no fault strikes.
pub(super) async fn requests_of_a_run() -> Vec<Seen> {
    let reference = cluster(0).await;
    let place = short_and_restoring(Place::new(&reference));
    assert_eq!(attempt(&place).await, 0);
    reference.requests()
}

/// Every request of a run with every fault that it can meet.
fn strikes(requests: &[Seen]) -> Vec<Strike> {
    let is_start = |seen: &Seen| seen.path.ends_with("/start-cluster-profiler");
    let start = requests.iter().position(is_start).expect("a start");
    let mut strikes = Vec::new();
    for (row, (name, answer)) in faults().into_iter().enumerate() {
        let met = requests.iter().zip(phases_of(requests)).enumerate();
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
                    phase,
                    has_started: at > start,
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

/// The phase of each request of a run, by the requests that a phase begins with.
pub(super) fn phases_of(requests: &[Seen]) -> Vec<Phase> {
    let last = |seen: &Seen| seen.path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut phases = vec![Phase::Preflight; requests.len()];
    let mut begin = |phase: Phase, from: usize, is_first: &dyn Fn(&[Seen]) -> bool| {
        let rest = (from..requests.len()).find(|at| is_first(&requests[*at..]));
        let first = rest.unwrap_or_else(|| panic!("no request of {phase:?}"));
        phases[first..].fill(phase);
        first
    };
    let lock = begin(Phase::Lock, 0, &|rest| {
        last(&rest[0]) == "cluster-profiler-job"
    });
    let gate = begin(Phase::Gate, lock, &|rest| last(&rest[0]) == "kubevirt");
    let start = begin(Phase::Start, gate, &|rest| last(&rest[0]) == "pods");
    // The journal is written before stop is sent.
    let stop = begin(Phase::Stop, start, &|rest| {
        rest.get(1).map(last).as_deref() == Some("stop-cluster-profiler")
    });
    let dump = begin(Phase::Dump, stop, &|rest| {
        rest[0].query.ends_with("limit=1")
    });
    let restore = begin(Phase::Restore, dump, &|rest| last(&rest[0]) == "kubevirt");
    // The Lease is released.
    begin(Phase::Report, restore, &|rest| rest.len() == 1);
    phases
}

/// Lets a fault strike a run, which has other attempts where it does not end for good.
async fn struck(strike: Strike) -> (usize, Phase, Vec<u8>) {
    let standin = cluster(0).await;
    let before = standin.configuration();
    let place = short_and_restoring(Place::new(&standin));
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
    (strike.row, strike.phase, codes)
}

/// Strikes one after the other, some at once, on a thread of its own: a run is not `Send`.
fn strike_all(strikes: Vec<Strike>) -> Vec<(usize, Phase, Vec<u8>)> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    let runs = stream::iter(strikes.into_iter().map(struck));
    runtime.block_on(runs.buffer_unordered(AT_ONCE).collect())
}

#[test]
fn every_request_of_a_run() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let requests = runtime.block_on(requests_of_a_run());
    let mut strikes = strikes(&requests);
    let others = strikes.split_off(strikes.len() / 2);
    let ended = std::thread::scope(|scope| {
        let halves = [strikes, others].map(|half| scope.spawn(|| strike_all(half)));
        halves.map(|half| half.join().expect("what must hold"))
    });
    let mut table = Table::default();
    for (row, phase, codes) in ended.into_iter().flatten() {
        let column = Phase::ALL.iter().position(|other| *other == phase);
        table.note(row, column.expect("a phase"), codes);
    }
    let rows: Vec<_> = faults().iter().map(|(name, _)| *name).collect();
    assert_documented("api", &table.markdown(&rows, &phases()));
}
