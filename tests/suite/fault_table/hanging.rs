//! Pairs: a run is told to stop while the place that it ships to never answers.

use bucket::{Answer, Bucket, Fault, Seen, State};
use cluster_profiler_job::manifest::Manifest;
use cluster_profiler_job::run::phase::Phase;
use futures::{StreamExt, stream};
use rustix::process::Signal;
use standin::Standin;
use tokio::process::Child;

use super::bucket::of_program;
use super::{
    AT_ONCE, Table, assert_complete, assert_documented, assert_nothing_left, attempts, cluster,
    short_and_restoring,
};
use crate::harness::{Place, RUN_ID, Shipped, send};
use crate::in_phase::{enter, let_go};
use crate::s3::{bucket, into};

const ROWS: [&str; 3] = [
    "SIGTERM, and the bucket hangs",
    "the same, and the fallback hangs, too",
    "SIGTERM, and the fallback hangs, for the bucket has refused",
];

/// The phases that ask anything of a destination once start was sent.
const STRUCK: [Phase; 3] = [Phase::Dump, Phase::Restore, Phase::Report];

/// How far the keys of the run's places are told apart.
const PLACES: [&str; 2] = ["nightly/a/", "fallback/"];

/// What a run has from the signal on. It is the longest that a cell of the table waits.
const GRACE: &str = "15s";

/// The requests for the run's own files that hang, so that the run is in this phase when they do.
fn held(phase: Phase, in_fallback: bool) -> Option<Fault> {
    let hangs = |holds| Some(Fault::always("PUT", holds, Answer::Hangs));
    match (phase, in_fallback) {
        (Phase::Dump, false) => hangs("nightly/a/profile-test-run.tar.gz"),
        (Phase::Dump, true) => hangs("fallback/profile-test-run.tar.gz"),
        // The first one is written before the gate is put back.
        (Phase::Report, false) => {
            hangs("nightly/a/profile-test-run.json").map(|fault| fault.after(1))
        }
        (Phase::Report, true) => {
            hangs("fallback/profile-test-run.json").map(|fault| fault.after(1))
        }
        _ => None,
    }
}

/// Begins the run, and returns when it is in the phase.
async fn begun(
    phase: Phase,
    standin: &Standin,
    there: &Bucket,
    place: &Place,
    in_fallback: bool,
) -> Child {
    let Some(fault) = held(phase, in_fallback) else {
        return enter(phase, standin, place, Place::spawn).await;
    };
    there.fault(fault.clone());
    let child = place.spawn();
    let is_held = |seen: &&Seen| seen.method == "PUT" && seen.target.contains(fault.holds);
    let hangs = |state: &State| state.seen.iter().filter(is_held).count() > fault.after;
    there.wait_until(hangs).await;
    child
}

/// The codes of a run that is told to stop in a phase while its place hangs, and of its next attempts.
async fn told(row: usize, phase: Phase) -> Vec<u8> {
    let (standin, there) = (cluster(0).await, bucket().await);
    let before = standin.configuration();
    let mut place = short_and_restoring(into(&there, &standin))
        .with("PROFILER_GRACE", GRACE)
        .with("AWS_MAX_ATTEMPTS", 2);
    if row > 0 {
        place.set("PROFILER_FALLBACK", "s3://profiles/fallback");
    }
    if phase == Phase::Restore {
        place.set("PROFILER_SETTLE", "1h");
    }
    let in_fallback = row == 2;
    if in_fallback {
        let denied = Answer::Refused(403, "AccessDenied");
        there.fault(Fault::always("PUT", "nightly/a/profile-test-run", denied));
    }
    let child = begun(phase, &standin, &there, &place, in_fallback).await;
    let hanging = match row {
        0 => &PLACES[..1],
        1 => &PLACES[..],
        _ => &PLACES[1..],
    };
    for keys in hanging {
        there.fault(Fault::always("", keys, Answer::Hangs));
    }
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    let first = u8::try_from(ended.code).expect("an exit code");
    let what = format!("{}, in {phase:?}: {}", ROWS[row], ended.log);
    assert!(standin.profiling().is_empty(), "{what}");
    assert_eq!(standin.configuration(), before, "{what}");
    let codes = attempts(
        first,
        || of_program(&place),
        || {
            there.clear_faults();
            let_go(phase, &standin);
        },
    )
    .await;
    let what = format!("{codes:?} {what}");
    assert_eq!(codes.last(), Some(&0), "{what}");
    assert_nothing_left(&standin, &before, &what);
    assert_eq!(standin.starts(), 1, "{what}");
    assert_shipped_once(&there, &what);
    codes
}

/// The archive and its manifest are at one of the places, agree, and nothing else is at any.
fn assert_shipped_once(there: &Bucket, what: &str) {
    let keys = there.keys();
    let name = |keys: &str, ending| format!("{keys}profile-{RUN_ID}.{ending}");
    let is_there = |place: &&&str| keys.contains(&name(place, "json"));
    let place = PLACES.iter().find(is_there).expect("a manifest");
    assert_eq!(keys, [name(place, "json"), name(place, "tar.gz")], "{what}");
    assert_eq!(there.uploads(), 0, "{what}");
    let read = |ending| std::fs::read(there.path(&name(place, ending))).expect("a file");
    let manifest: Manifest = serde_json::from_slice(&read("json")).expect("a manifest");
    assert_eq!(
        (manifest.exit_code, manifest.gate.after),
        (0, false),
        "{what}"
    );
    assert_complete(
        &Shipped::held_against(manifest, &read("tar.gz")).manifest,
        what,
    );
}

#[tokio::test]
async fn told_while_a_destination_hangs() {
    let each = (0..ROWS.len()).flat_map(|row| {
        let columns = STRUCK.into_iter().enumerate();
        columns.map(move |(column, phase)| async move { (row, column, told(row, phase).await) })
    });
    let mut ended = stream::iter(each).buffer_unordered(AT_ONCE);
    let mut table = Table::default();
    while let Some((row, column, codes)) = ended.next().await {
        table.note(row, column, codes);
    }
    assert_documented("hanging", &table.markdown(&ROWS, &STRUCK.map(Phase::name)));
}
