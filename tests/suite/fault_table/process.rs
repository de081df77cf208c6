//! What strikes the process itself: signals, kill -9, and a clock that steps.

use std::cell::Cell;

use bucket::{Answer, Fault, Seen};
use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::{File, Manifest, Pod, State};
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::pprof::Kind;
use cluster_profiler_job::run::phase::Phase;
use cluster_profiler_job::run::run_with;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use standin::Standin;
use tokio::sync::mpsc;

use super::api::{phases_of, requests_of_a_run, with_baseline};
use super::bucket::of_program;
use super::{
    AT_ONCE, Table, assert_complete, assert_documented, assert_nothing_left, attempt_within,
    attempts, cluster, phases, scaled, short_and_restoring,
};
use crate::engines;
use crate::harness::{Place, until};
use crate::in_phase::{dumped_pages, enter, has_phase, let_go};
use crate::lock::off;
use crate::s3::{bucket, into};
use crate::signals::{Told, told};

const ROWS: [&str; 7] = [
    "SIGTERM",
    "SIGTERM, and SIGINT as soon as it is heard",
    "kill -9, and another attempt",
    "the kernel kills upstream's program for memory",
    "the same, and the runner with it (`memory.oom.group`)",
    "the clock steps an hour ahead",
    "the clock steps an hour back",
];

/// The codes of a run that is told to stop, and of its next attempt.
async fn told_to_stop(phase: Phase, twice: bool) -> Vec<u8> {
    let Told {
        ended,
        mut place,
        standin,
        before,
    } = told(phase, twice).await;
    let first = u8::try_from(ended.code).expect("an exit code");
    place.set("PROFILER_SETTLE", "50ms");
    let no_more_faults = || let_go(phase, &standin);
    let codes = attempts(first, || of_program(&place), no_more_faults).await;
    let what = format!("{codes:?}, told in {phase:?}, twice: {twice}");
    assert_eq!(codes.last(), Some(&0), "{what}");
    assert_all_complete(&standin, &place, &what);
    assert_nothing_left(&standin, &before, &what);
    assert_eq!(standin.starts(), 1, "{what}: a second window");
    codes
}

/// A run that was killed in a phase.
struct Killed {
    standin: Standin,
    /// Where its next attempt is short.
    place: Place,
    /// What the cluster was like before.
    before: Value,
}

/// Kills a run in a phase, with these settings beside its own.
async fn kill_in(phase: Phase, settings: &[(&str, &str)]) -> Killed {
    let standin = off().await;
    let before = standin.configuration();
    let mut place = has_phase(Place::new(&standin), phase)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_CONCURRENCY", 1);
    for (name, value) in settings {
        place.set(name, value);
    }
    let mut child = enter(phase, &standin, &place, Place::spawn_short_lease).await;
    child.kill().await.expect("it runs");
    let_go(phase, &standin);
    place.set("PROFILER_SETTLE", "50ms");
    Killed {
        standin,
        place,
        before,
    }
}

/// The codes of a run that is killed, and of its next attempt.
async fn killed(phase: Phase) -> Vec<u8> {
    let Killed {
        standin,
        place,
        before,
    } = kill_in(phase, &[("PROFILER_PREFLIGHT_RETRY", "1h")]).await;
    let ended = place.run().await;
    let what = format!("killed in {phase:?}: {}", ended.log);
    assert_eq!(ended.code, 0, "{what}");
    assert_all_complete(&standin, &place, &what);
    assert_nothing_left(&standin, &before, &what);
    vec![137, 0]
}

/// Every pod is complete, and nothing has a temporary name.
fn assert_all_complete(standin: &Standin, place: &Place, what: &str) {
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.pods.len(), standin.pods().len(), "{what}");
    for pod in &manifest.pods {
        assert_eq!(pod.state, State::Complete, "{what}: {:?}", pod.why);
    }
    assert!(place.leftovers().is_empty(), "{what}");
}

/// The codes of a run that is killed while it writes its manifest, and of its next attempt.
async fn killed_before_its_manifest() -> Vec<u8> {
    let (standin, bucket) = (cluster(0).await, bucket().await);
    let before = standin.configuration();
    let place = short_and_restoring(into(&bucket, &standin));
    bucket.fault(Fault::always("PUT", ".json", Answer::Hangs));
    let mut child = place.spawn_short_lease();
    let is_manifest = |seen: &Seen| seen.method == "PUT" && seen.target.contains(".json");
    until("a manifest that is written", || {
        bucket.seen().iter().any(is_manifest)
    })
    .await;
    child.kill().await.expect("it runs");
    bucket.clear_faults();
    let ended = place.run().await;
    let what = format!("killed before its manifest: {}", ended.log);
    assert_eq!(ended.code, 0, "{what}");
    assert_nothing_left(&standin, &before, &what);
    super::bucket::assert_shipped(&bucket, &what);
    vec![137, u8::try_from(ended.code).expect("an exit code")]
}

/// The codes of a run in whose dump upstream's program is killed, as it is for memory, and of the next attempt
/// where the runner is killed with it.
async fn out_of_memory(with_runner: bool) -> Vec<u8> {
    let standin = off().await;
    let before = standin.configuration();
    // It has dumped some pods, and would never end.
    let place = engines::place(&standin, "hang-after:1")
        .with("PROFILER_FEATURE_GATE", "enable-and-restore")
        .with("PROFILER_PAGE_SIZE", 1);
    let mut child = place.spawn_short_lease();
    standin.wait_until(|state| dumped_pages(state) > 0).await;
    let program = engines::calls(&place)[0]["pid"].as_i64();
    let program = program.and_then(|pid| Pid::from_raw(pid as i32));
    let mut codes = Vec::new();
    if with_runner {
        child.kill().await.expect("it runs");
        codes.push(137);
    }
    kill_process(program.expect("a pid"), Signal::KILL).expect("it hangs");
    if with_runner {
        child = place.spawn_short_lease();
    } else {
        // Every component has a call of its own.
        std::fs::write(place.path("script"), "").expect("a script");
    }
    let ended = place.ended(child).await;
    let what = format!("killed with the runner: {with_runner}: {}", ended.log);
    assert_eq!(ended.code, 0, "{what}");
    assert_nothing_left(&standin, &before, &what);
    assert_all_complete(&standin, &place, &what);
    codes.push(u8::try_from(ended.code).expect("an exit code"));
    codes
}

thread_local! {
    /// How far the clock of this thread's runs is off.
    static STEP: Cell<SignedDuration> = const { Cell::new(SignedDuration::ZERO) };
}

fn stepped() -> Timestamp {
    Timestamp::now() + STEP.get()
}

/// Whether the window's times are taken from the clock as it is after a step in this phase.
fn is_before_start(phase: Phase) -> bool {
    match phase {
        Phase::Preflight | Phase::Lock | Phase::Gate | Phase::Baseline | Phase::Start => true,
        Phase::Window | Phase::Stop | Phase::Dump | Phase::Restore | Phase::Report => false,
    }
}

/// Every file of every pod is in the archive, though by their times the cpu profiles are not of the window.
fn assert_all_is_there(manifest: &Manifest, what: &str) {
    assert_eq!(manifest.pods.len(), 2, "{what}");
    for pod in &manifest.pods {
        let why = pod.why.as_deref().unwrap_or_default();
        assert!(why.contains("the clocks"), "{what}: {why}");
        let has = |kind: Kind| {
            let of_kind = |file: &File| file.path.ends_with(&format!("/{}", kind.file_name()));
            pod.files.iter().any(of_kind)
        };
        assert!(Kind::ALL.into_iter().all(has), "{what}: {:?}", pod.files);
    }
}

/// The codes of a run whose clock steps when it has come into a phase, by this request.
async fn with_a_step(phase: Phase, request: usize, step: SignedDuration) -> Vec<u8> {
    let standin = cluster(0).await;
    let before = standin.configuration();
    let place = with_baseline(&standin);
    let (_signals, receiver) = mpsc::channel(1);
    let limits = Limits {
        now: stepped,
        ..scaled()
    };
    let run = run_with(place.variables(), receiver, limits, configured);
    let stepping = async {
        if phase == Phase::Window {
            place.until_ready().await;
        } else {
            standin
                .wait_until(|state| state.requests().len() > request)
                .await;
        }
        STEP.set(step);
    };
    let (code, ()) = tokio::join!(run, stepping);
    STEP.set(SignedDuration::ZERO);
    let what = format!("{step} in {phase:?}");
    let manifest = place.shipped().manifest;
    if is_before_start(phase) {
        assert_eq!(code, ExitCode::Incomplete, "{what}");
        assert_all_is_there(&manifest, &what);
    } else {
        assert_eq!(code, ExitCode::Complete, "{what}");
        assert_complete(&manifest, &what);
    }
    assert_nothing_left(&standin, &before, &what);
    assert!(place.leftovers().is_empty(), "{what}");
    let length = manifest.window.stop.duration_since(manifest.window.start);
    assert!(
        length.is_positive() && length < SignedDuration::from_mins(30),
        "{what}: {length}"
    );
    vec![code.number()]
}

/// The codes of a run that is killed, and of its next attempt, whose clock is so far off.
async fn killed_and_stepped(phase: Phase, step: SignedDuration) -> Vec<u8> {
    let Killed {
        standin,
        place,
        before,
    } = kill_in(phase, &[]).await;
    STEP.set(step);
    let limits = Limits {
        now: stepped,
        ..scaled()
    };
    let code = attempt_within(&place, limits).await;
    STEP.set(SignedDuration::ZERO);
    let what = format!("killed in {phase:?}, and {step}: {code}");
    assert_nothing_left(&standin, &before, &what);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.pods.len(), 8, "{what}");
    let window = &manifest.window;
    assert!(window.stop >= window.start, "{what}: {window:?}");
    let warned = manifest.warnings.join("\n");
    assert_eq!(
        warned.contains("was set back"),
        step.is_negative(),
        "{what}: {warned}"
    );
    let has_no_end = step.is_negative() && phase == Phase::Window;
    assert_eq!(
        warned.contains("is not known"),
        has_no_end,
        "{what}: {warned}"
    );
    let is_blamed = |pod: &Pod| {
        let why = pod.why.as_deref().unwrap_or_default();
        pod.state == State::Complete || why.contains("of the window's")
    };
    assert!(manifest.pods.iter().all(is_blamed), "{what}");
    assert!(place.leftovers().is_empty(), "{what}");
    vec![137, code]
}

#[tokio::test]
async fn signals_and_clocks() {
    let mut table = Table::default();
    let each = Phase::ALL.iter().enumerate().flat_map(|(column, phase)| {
        (0..3).map(move |row| async move {
            let codes = match row {
                0 => told_to_stop(*phase, false).await,
                1 => told_to_stop(*phase, true).await,
                _ => killed(*phase).await,
            };
            (row, column, codes)
        })
    });
    let mut ended: Vec<_> = stream::iter(each)
        .buffer_unordered(2 * AT_ONCE)
        .collect()
        .await;
    // The program runs in the dump alone.
    let dump = Phase::ALL.iter().position(|phase| *phase == Phase::Dump);
    for (row, with_runner) in [(3, false), (4, true)] {
        let codes = out_of_memory(with_runner).await;
        ended.push((row, dump.expect("a phase"), codes));
    }
    let report = Phase::ALL.iter().position(|phase| *phase == Phase::Report);
    let codes = killed_before_its_manifest().await;
    ended.push((2, report.expect("a phase"), codes));
    let requests = requests_of_a_run().await;
    let entered = phases_of(&requests);
    for (column, phase) in Phase::ALL.into_iter().enumerate() {
        let request = entered.iter().position(|other| *other == phase);
        for (row, hours) in [(5, 1), (6, -1)] {
            let step = SignedDuration::from_hours(hours);
            let codes = with_a_step(phase, request.unwrap_or_default(), step).await;
            ended.push((row, column, codes));
        }
    }
    for (row, column, codes) in ended {
        table.note(row, column, codes);
    }
    assert_documented("process", &table.markdown(&ROWS, &phases()));
}

#[tokio::test]
async fn a_clock_that_differs_from_that_of_an_attempt_that_was_killed() {
    // Before a window no time is noted.
    let struck = [Phase::Window, Phase::Stop, Phase::Dump];
    let mut table = Table::default();
    for (row, hours) in [1, -1].into_iter().enumerate() {
        for (column, phase) in struck.into_iter().enumerate() {
            let codes = killed_and_stepped(phase, SignedDuration::from_hours(hours)).await;
            table.note(row, column, codes);
        }
    }
    let rows = [
        "kill -9, and the next attempt's clock is an hour ahead",
        "kill -9, and the next attempt's clock is an hour back",
    ];
    assert_documented("attempts", &table.markdown(&rows, &struck.map(Phase::name)));
}
