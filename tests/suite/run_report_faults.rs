//! What keeps a run from having a page, which costs it nothing else, and pages of several attempts.

use std::io;
use std::path::Path;
use std::time::Duration;

use bucket::{Answer, BUCKET, Bucket, Fault, Seen, State};
use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::{Manifest, StoredFile};
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::report_shipping::make;
use cluster_profiler_job::run::run_with;
use rustix::process::Signal;
use standin::Times;
use tokio::sync::mpsc;

use crate::harness::{Ended, Place, RUN_ID, Shipped, digest, send, standin};
use crate::patience::{limits, told_in_its_window};
use crate::run_report::{manifest, page_file, page_of, paged};
use crate::s3::{bucket, into, key};

fn denied() -> Answer {
    Answer::Refused(403, "AccessDenied")
}

fn puts_page(seen: &Seen) -> bool {
    seen.method == "PUT" && seen.target.contains(".html")
}

/// The manifest of a run whose archive is whole and which has no page, for a reason with these words.
fn without_page(out: &Path, words: &str) -> Manifest {
    let archive = std::fs::read(out.join(format!("profile-{RUN_ID}.tar.gz"))).expect("an archive");
    let manifest = Shipped::held_against(manifest(out), &archive).manifest;
    assert_eq!(manifest.report, None);
    let why = manifest.no_report.clone().unwrap_or_default();
    assert!(why.contains(words), "no {words:?} in {why:?}");
    assert!(!page_file(out).exists());
    manifest
}

fn assert_warned(ended: &Ended) {
    assert!(ended.log.contains("this run has no page"), "{}", ended.log);
}

#[tokio::test]
async fn a_page_that_cannot_be_written_costs_nothing_but_itself() {
    let (standin, bucket) = (standin().await, bucket().await);
    bucket.fault(Fault::always("PUT", ".html", denied()));
    let place = paged(into(&bucket, &standin));
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    without_page(&bucket.path("nightly/a"), "403");
    assert_warned(&ended);
    let got = place.run_with(&["get", RUN_ID, "--report"]).await;
    assert_eq!(got.code, 1, "{}", got.log);
    assert!(got.log.contains("403"), "{}", got.log);
    // The directory is another's by now.
    let place = paged(Place::new(&standin));
    std::fs::create_dir_all(page_file(&place.out())).expect("a directory");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    std::fs::remove_dir(page_file(&place.out())).expect("it is there still");
    without_page(&place.out(), "profile-test-run.html");
}

#[tokio::test]
async fn a_temporary_directory_that_takes_nothing_costs_the_page_alone() {
    let standin = standin().await;
    let mut place = paged(Place::new(&standin)).with("PROFILER_SETTLE", "1h");
    let signals = place.path("signals");
    std::fs::create_dir(&signals).expect("a directory");
    for name in ["stop", "ready", "done"] {
        let variable = format!("PROFILER_{}_FILE", name.to_uppercase());
        place.set(&variable, signals.join(name).display());
    }
    place.set("PROFILER_SETTLE", "0s");
    let child = place.spawn();
    let ready = place.run_with(&["ready", "--wait", "1m"]).await;
    assert_eq!(ready.code, 0, "{}", ready.log);
    std::fs::rename(place.path("tmp"), place.path("gone")).expect("it is there");
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    without_page(&place.out(), "temporary");
    assert_warned(&ended);
}

/// The run goes on with the reason, as after every other.
#[tokio::test]
async fn a_defect_in_what_makes_a_page_is_a_reason_for_none() {
    let made = make(|page| page.write_all(b"<html>")).await;
    assert_eq!(made.as_deref(), Ok(&b"<html>"[..]));
    let defect = make(|_| panic!("a page's defect")).await;
    let why = defect.expect_err("it panicked");
    assert!(why.contains("a defect in this program"), "{why}");
    assert!(why.contains("a page's defect"), "{why}");
    let endless = make(|page| while_it_can(|| page.write_all(&[b' '; 4096]))).await;
    let why = endless.expect_err("there is no end");
    assert!(why.contains("more than 16 MiB"), "{why}");
}

fn while_it_can(mut write: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        write()?;
    }
}

/// The manifest, and so the archive, does not wait for it for longer.
#[tokio::test]
async fn a_page_that_takes_too_long_is_left() {
    let standin = standin().await;
    let place = paged(Place::new(&standin));
    let (_signals, receiver) = mpsc::channel(1);
    let limits = Limits {
        report: Duration::ZERO,
        ..limits()
    };
    let code = run_with(place.variables(), receiver, limits, configured).await;
    assert_eq!(code, ExitCode::Complete);
    without_page(&place.out(), "longer than 0ns");
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_makes_no_page() {
    let standin = standin().await;
    let place = paged(Place::new(&standin))
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "10m");
    let ended = told_in_its_window(&place).await;
    without_page(&place.out(), "told to stop");
    assert_warned(&ended);
    // The run is over, and the next attempt leaves it alone.
    assert_eq!(place.run().await.code, 0);
    without_page(&place.out(), "told to stop");
}

/// A run into a bucket that takes no page and does not say so, until its page is on the way.
async fn writing_its_page(bucket: &Bucket, place: &Place) -> tokio::process::Child {
    bucket.fault(Fault::always("PUT", ".html", Answer::Hangs));
    let child = place.spawn_short_lease();
    let begun = |state: &State| state.seen.iter().any(puts_page);
    bucket.wait_until(begun).await;
    child
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_leaves_the_page_that_is_under_way() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = paged(into(&bucket, &standin));
    let child = writing_its_page(&bucket, &place).await;
    assert!(!bucket.keys().contains(&key("json")));
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    // Nothing was lacking when it was told.
    assert_eq!(ended.code, 0, "{}", ended.log);
    without_page(&bucket.path("nightly/a"), "told to stop");
}

/// It died of its page, for all that is known, and its archive has no manifest yet.
#[tokio::test]
async fn an_attempt_after_one_that_died_of_its_page_makes_none() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = paged(into(&bucket, &standin));
    let mut child = writing_its_page(&bucket, &place).await;
    child.kill().await.expect("it runs");
    bucket.clear_faults();
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    without_page(&bucket.path("nightly/a"), "making its page");
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn the_page_goes_where_the_archive_went() {
    let (standin, bucket) = (standin().await, bucket().await);
    for refused in ["tar.gz", ".json"] {
        bucket.clear_faults();
        bucket.fault(Fault::always("PUT", refused, denied()));
        let place = paged(into(&bucket, &standin)).with("AWS_MAX_ATTEMPTS", 2);
        let fallback = format!("file://{}", place.out().display());
        let place = place.with("PROFILER_FALLBACK", fallback);
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{refused}: {}", ended.log);
        page_of(&place.out(), &place.shipped().manifest);
        let has_page = bucket.keys().contains(&key("html"));
        // There is no manifest that lists it.
        assert_eq!(has_page, refused == ".json");
        assert!(!bucket.keys().contains(&key("json")));
        let got = place.spawn_with(&["get", RUN_ID, "--report"]);
        let got = got.wait_with_output().await.expect("its output");
        assert!(got.stdout == std::fs::read(page_file(&place.out())).expect("a page"));
    }
}

/// A run that was told to stop and shipped all pods but one, so that its next attempt may bring more. It has a page, as
/// if it had been told just after that.
async fn shipped_but_one(standin: &standin::Standin, bucket: &Bucket) -> Place {
    let fault = standin::Fault::DumpFails(Times::Always);
    standin.pod_fault(&standin.pods()[0], fault);
    let place = paged(into(bucket, standin))
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "10m");
    told_in_its_window(&place).await;
    let out = bucket.path("nightly/a");
    let mut told = without_page(&out, "told to stop");
    let page = b"the page of an earlier attempt";
    std::fs::write(page_file(&out), page).expect("a file");
    told.no_report = None;
    told.report = Some(StoredFile {
        uri: format!("s3://{BUCKET}/{}", key("html")),
        bytes: page.len() as u64,
        sha256: digest(page),
    });
    let json = serde_json::to_vec(&told).expect("JSON");
    std::fs::write(out.join(format!("profile-{RUN_ID}.json")), json).expect("a file");
    page_of(&out, &told);
    standin.clear_faults();
    place
}

#[tokio::test]
async fn an_archive_keeps_its_page_where_a_later_attempt_brings_less() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = shipped_but_one(&standin, &bucket).await;
    let out = bucket.path("nightly/a");
    let before = (manifest(&out), page_of(&out, &manifest(&out)));
    for pod in &standin.pods()[1..] {
        standin.pod_fault(pod, standin::Fault::DumpFails(Times::Always));
    }
    let ended = place.run().await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    let after = manifest(&out);
    assert_eq!((after.exit_code, standin.starts()), (5, 1));
    assert_eq!(after.archive, before.0.archive);
    assert_eq!(after.report, before.0.report);
    assert!(page_of(&out, &after) == before.1);
}

#[tokio::test]
async fn an_archive_that_takes_anothers_place_has_its_own_page_or_none() {
    for (refused, words) in [
        (None, ""),
        (Some(("PUT", ".html")), "403"),
        (Some(("", ".html")), "403"),
    ] {
        let (standin, bucket) = (standin().await, bucket().await);
        let place = shipped_but_one(&standin, &bucket).await;
        let out = bucket.path("nightly/a");
        let before = page_of(&out, &manifest(&out));
        if let Some((method, holds)) = refused {
            bucket.fault(Fault::always(method, holds, denied()));
        }
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{refused:?}: {}", ended.log);
        let after = manifest(&out);
        let Some((method, _)) = refused else {
            assert!(page_of(&out, &after) != before);
            continue;
        };
        let stays = method.is_empty();
        if !stays {
            without_page(&out, words);
        }
        assert_eq!(after.report, None);
        assert_eq!(page_file(&out).exists(), stays);
        let warned = after
            .warnings
            .iter()
            .any(|warning| warning.contains("earlier attempt"));
        assert_eq!(warned, stays, "{:?}", after.warnings);
    }
}
