//! docs/faults.md: what becomes of a run that a fault strikes, for every fault and every phase. Each test
//! makes one of its tables, and holds every cell to what must hold whatever happens.
//!
//! `BLESS=1 cargo test fault_table` writes the tables anew.

mod api;
mod bucket;
mod hanging;
mod hyperconverged;
mod process;
mod resumed;
mod table;
mod window;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::{Manifest, State};
use cluster_profiler_job::run::run_with;
use serde_json::Value;
use standin::Standin;
use table::{Table, assert_documented, attempts, phases};
use tokio::sync::mpsc;

use crate::harness::{Place, cluster};
use crate::lock::record;

/// Runs that are under way at once.
const AT_ONCE: usize = 6;

/// How many times shorter than in reality pauses and outages are.
const SCALE: u32 = 100;

/// Pauses that much shorter than the real ones, and limits that are long enough for a busy machine.
fn scaled() -> Limits {
    let real = Limits::default();
    Limits {
        call: std::time::Duration::from_secs(4),
        first_pause: real.first_pause / SCALE,
        longest_pause: real.longest_pause / SCALE,
        ..real
    }
}

/// A short run that turns the profiler on and off again.
fn short_and_restoring(place: Place) -> Place {
    place
        .with("PROFILER_FEATURE_GATE", "enable-and-restore")
        .with("PROFILER_PREFLIGHT_RETRY", "10m")
        .with("PROFILER_COMPONENTS", "virt-controller,virt-handler")
        .with("PROFILER_CONCURRENCY", 1)
}

/// One attempt, in this process.
async fn attempt(place: &Place) -> u8 {
    attempt_within(place, scaled()).await
}

/// One attempt with these limits.
async fn attempt_within(place: &Place, limits: Limits) -> u8 {
    let (_signals, receiver) = mpsc::channel(1);
    let code = run_with(place.variables(), receiver, limits, configured).await;
    code.number()
}

/// What must hold after the last attempt, whatever happened.
fn assert_nothing_left(standin: &Standin, before: &Value, what: &str) {
    assert!(standin.profiling().is_empty(), "{what}: pods profile");
    assert_eq!(&standin.configuration(), before, "{what}: the gate");
    assert_eq!(record(standin), None, "{what}: the journal");
}

/// No data is lost: every pod is complete.
fn assert_complete(manifest: &Manifest, what: &str) {
    for pod in &manifest.pods {
        assert_eq!(pod.state, State::Complete, "{what}: {:?}", pod.why);
    }
    assert_eq!(manifest.pods.len(), 2, "{what}");
}
