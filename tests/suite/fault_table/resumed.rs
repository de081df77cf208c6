//! Faults of the API server in a next attempt: each strikes every request of one that takes up the window of
//! an attempt that died.

use cluster_profiler_job::run::phase::Phase;
use jiff::Timestamp;
use serde_json::{Value, json};
use standin::{Seen, Standin};

use super::api::{
    Beginning, Strike, Struck, is_token_list, last, phases_by, strike_all, strikes, struck_at,
    table,
};
use super::{assert_documented, attempt, cluster, short_and_restoring};
use crate::harness::Place;
use crate::lock::LEASE;

const RECORD: &str = "cluster-profiler-job/record";

/// The phase of each request of an attempt that takes up a window.
fn phases_of(requests: &[Seen]) -> Vec<Phase> {
    let beginnings: [(Phase, Beginning); 6] = [
        (Phase::Lock, |rest| last(&rest[0]) == LEASE),
        // Whether the profiler is still on.
        (Phase::Gate, |rest| {
            last(&rest[0]) == "dump-cluster-profiler"
        }),
        (Phase::Stop, |rest| {
            last(&rest[0]) == "stop-cluster-profiler"
        }),
        (Phase::Dump, |rest| is_token_list(&rest[0])),
        (Phase::Restore, |rest| last(&rest[0]) == "kubevirt"),
        (Phase::Report, |rest| rest.len() == 1),
    ];
    phases_by(requests, &beginnings)
}

/// The Lease that an attempt leaves that dies in its window; but it has no holder any more, so that nobody has to
/// wait for its death.
async fn left_lease() -> Value {
    let standin = cluster(0).await;
    let place = short_and_restoring(Place::new(&standin)).with("PROFILER_SETTLE", "1h");
    let mut child = place.spawn();
    place.until_ready().await;
    child.kill().await.expect("it runs");
    let mut lease = standin.lease(LEASE).expect("a Lease");
    lease["spec"]["holderIdentity"].take();
    lease
}

/// A cluster as an attempt leaves it that dies in its window: the profiler is turned on, and profiles.
async fn left(mut lease: Value) -> Standin {
    let standin = cluster(0).await;
    standin.set_gate(true);
    standin.wait_until(|state| state.gate()).await;
    standin.external_start();
    let record = &mut lease["metadata"]["annotations"][RECORD];
    let text = record.as_str().expect("a record");
    let mut changed: Value = serde_json::from_str(text).expect("JSON");
    changed["started"] = json!(Timestamp::now());
    *record = json!(changed.to_string());
    standin.set_lease(LEASE, lease);
    standin
}

/// Lets a fault strike an attempt that takes up a window.
async fn struck(lease: Value, strike: Strike) -> Struck {
    let before = cluster(0).await.configuration();
    let standin = left(lease).await;
    let place = short_and_restoring(Place::new(&standin));
    let what = strike.what.clone();
    let struck = struck_at(&standin, &before, &place, strike).await;
    assert_eq!(standin.starts(), 0, "{what}: a second window");
    struck
}

#[test]
fn every_request_of_a_next_attempt() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (lease, requests) = runtime.block_on(async {
        let lease = left_lease().await;
        let reference = left(lease.clone()).await;
        let place = short_and_restoring(Place::new(&reference));
        assert_eq!(attempt(&place).await, 0);
        (lease, reference.requests())
    });
    let strikes = strikes(&requests, &phases_of(&requests), |_| true);
    let ended = strike_all(strikes, |strike| struck(lease.clone(), strike));
    assert_documented("resumed", &table(ended, &Phase::ALL));
}
