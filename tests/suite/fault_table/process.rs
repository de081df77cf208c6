//! What strikes the process itself: signals, kill -9, and a clock that steps.

use std::cell::Cell;

use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::run::phase::Phase;
use cluster_profiler_job::run::run_with;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::{AT_ONCE, Table, assert_documented, phases, scaled};
use crate::harness::{Place, standin};
use crate::lock::record;
use crate::signals::{enter, told};

const ROWS: [&str; 5] = [
    "SIGTERM",
    "SIGTERM twice",
    "kill -9, and another attempt",
    "the clock steps an hour ahead",
    "the clock steps an hour back",
];

/// The codes of a run that is told to stop. Late in a run the order may come when the end is decided.
async fn told_to_stop(phase: Phase, times: usize) -> Vec<Vec<u8>> {
    let (ended, _) = told(phase, times).await;
    let code = u8::try_from(ended.code).expect("an exit code");
    match phase {
        Phase::Restore | Phase::Report => {
            assert!([0, 143].contains(&code), "{}", ended.log);
            vec![vec![0], vec![143]]
        }
        Phase::Preflight
        | Phase::Lock
        | Phase::Gate
        | Phase::Start
        | Phase::Window
        | Phase::Stop
        | Phase::Dump => vec![vec![code]],
    }
}

/// The codes of a run that is killed, and of its next attempt.
async fn killed(phase: Phase) -> Vec<Vec<u8>> {
    let standin = standin().await;
    let mut place = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_PREFLIGHT_RETRY", "1h")
        .with("PROFILER_FEATURE_GATE", "enable-and-restore")
        .with("PROFILER_CONCURRENCY", 1);
    let mut child = enter(phase, &standin, &place, Place::spawn_short_lease).await;
    child.kill().await.expect("it runs");
    standin.clear_faults();
    standin.set_unobserved(false);
    if phase == Phase::Lock {
        standin.remove_lease("cluster-profiler-job");
    }
    place.set("PROFILER_SETTLE", "50ms");
    let ended = place.run().await;
    let what = format!("killed in {phase:?}: {}", ended.log);
    assert_eq!(ended.code, 0, "{what}");
    assert!(standin.profiling().is_empty(), "{what}");
    let gate = &standin.configuration()["developerConfiguration"]["clusterProfiler"];
    assert_eq!(gate, phase != Phase::Gate, "{what}");
    assert_eq!(record(&standin), None, "{what}");
    assert_eq!(place.shipped().manifest.pods.len(), 8, "{what}");
    assert!(place.leftovers().is_empty(), "{what}");
    vec![vec![137, u8::try_from(ended.code).expect("an exit code")]]
}

thread_local! {
    /// How far the clock of this thread's runs is off.
    static STEP: Cell<SignedDuration> = const { Cell::new(SignedDuration::ZERO) };
}

fn stepped() -> Timestamp {
    Timestamp::now() + STEP.get()
}

/// The codes of a run in whose window the clock steps.
async fn with_a_step(step: SignedDuration) -> Vec<Vec<u8>> {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let (_signals, receiver) = mpsc::channel(1);
    let limits = Limits {
        now: stepped,
        ..scaled()
    };
    let run = run_with(
        place.variables(),
        receiver,
        limits,
        cluster_profiler_job::engine::configured,
    );
    let window = async {
        while !place.signal("ready").exists() {
            tokio::task::yield_now().await;
        }
        STEP.set(step);
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
    };
    let (code, ()) = tokio::join!(run, window);
    STEP.set(SignedDuration::ZERO);
    let window = place.shipped().manifest.window;
    let length = window.stop.duration_since(window.start);
    assert!(
        length.is_positive() && length < SignedDuration::from_mins(30),
        "{length}"
    );
    vec![vec![code.number()]]
}

#[tokio::test]
async fn signals_and_clocks() {
    let mut table = Table::default();
    let each = Phase::ALL.iter().enumerate().flat_map(|(column, phase)| {
        (0..3).map(move |row| async move {
            let codes = match row {
                0 => told_to_stop(*phase, 1).await,
                1 => told_to_stop(*phase, 2).await,
                _ => killed(*phase).await,
            };
            (row, column, codes)
        })
    });
    let mut ended: Vec<_> = stream::iter(each)
        .buffer_unordered(2 * AT_ONCE)
        .collect()
        .await;
    let window = Phase::ALL.iter().position(|phase| *phase == Phase::Window);
    for (row, hours) in [(3, 1), (4, -1)] {
        let codes = with_a_step(SignedDuration::from_hours(hours)).await;
        ended.push((row, window.expect("a phase"), codes));
    }
    for (row, column, codes) in ended {
        for codes in codes {
            table.note(row, column, codes);
        }
    }
    assert_documented("process", &table.markdown(&ROWS, &phases()));
}
