//! Faults of the API server in the window, in which a run asks for nothing but the renewal of its Lease.

use std::time::Duration;

use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::run::phase::Phase;

use super::api::{Row, Strike, Struck, faults, strike_all, table};
use super::{
    assert_complete, assert_documented, assert_nothing_left, attempt_within, cluster, scaled,
    short_and_restoring,
};
use crate::harness::Place;
use crate::lock::LEASE;
use crate::patience::window_is_open;

/// Limits with a Lease that is renewed soon, and whose renewals do not wait long for an answer.
fn limits() -> Limits {
    Limits {
        lease: Duration::from_secs(16),
        lease_renewal: Duration::from_secs(2),
        ..scaled()
    }
}

/// Every fault, of the next renewal.
fn strikes() -> Vec<Strike> {
    let each = faults().into_iter().enumerate();
    let strike = |(row, fault): (usize, Row)| Strike {
        row,
        fault: fault.fault(1),
        phase: Phase::Window,
        has_started: true,
        what: format!("{}, a renewal", fault.name),
    };
    each.map(strike).collect()
}

/// Lets a fault strike a renewal.
async fn struck(strike: Strike) -> Struck {
    let standin = cluster(0).await;
    let before = standin.configuration();
    let place = short_and_restoring(Place::new(&standin)).with("PROFILER_SETTLE", "1h");
    let beside = async {
        window_is_open(&place).await;
        standin.route_fault(strike.fault);
        let seen = standin.arrived(LEASE);
        standin
            .wait_until(|state| state.arrived(LEASE) >= seen + 2)
            .await;
        std::fs::write(place.signal("stop"), "").expect("a stop file");
    };
    let mut run = Box::pin(attempt_within(&place, limits()));
    let code = tokio::select! {
        code = &mut run => code,
        () = beside => run.await,
    };
    assert_eq!(code, 0, "{}", strike.what);
    assert_complete(&place.shipped().manifest, &strike.what);
    assert_nothing_left(&standin, &before, &strike.what);
    assert!(place.leftovers().is_empty(), "{}", strike.what);
    Struck {
        row: strike.row,
        phase: strike.phase,
        codes: vec![vec![code]],
    }
}

#[test]
fn a_renewal_in_the_window() {
    let ended = strike_all(strikes(), struck);
    assert_documented("window", &table(ended, &[Phase::Window]));
}
