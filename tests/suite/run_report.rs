//! The page that a run puts beside its archive: what it is, where it goes, and what becomes of it later.

use std::path::{Path, PathBuf};
use std::process::Output;

use bucket::{Bucket, Seen};
use cluster_profiler_job::manifest::{Manifest, StoredFile};
use standin::{Options, Profiles, Standin};

use crate::harness::{Place, RUN_ID, digest, file_name, listing, standin};
use crate::s3::{bucket, into, key};

/// A run that makes a page, as one does if nothing is said.
pub(crate) fn paged(place: Place) -> Place {
    place.with("PROFILER_REPORT", "")
}

/// A place in a directory and one in a bucket, each with the directory that has what is shipped.
fn places(standin: &Standin, bucket: &Bucket) -> [(Place, PathBuf); 2] {
    let place = Place::new(standin);
    let out = place.out();
    [
        (paged(place), out),
        (paged(into(bucket, standin)), bucket.path("nightly/a")),
    ]
}

pub(crate) fn manifest(out: &Path) -> Manifest {
    let json = std::fs::read(out.join(format!("profile-{RUN_ID}.json"))).expect("a manifest");
    serde_json::from_slice(&json).expect("a manifest of the documented form")
}

pub(crate) fn page_file(out: &Path) -> PathBuf {
    out.join(format!("profile-{RUN_ID}.html"))
}

/// The page that is there, held against what the manifest says of it.
pub(crate) fn page_of(out: &Path, manifest: &Manifest) -> Vec<u8> {
    let StoredFile { uri, bytes, sha256 } = manifest.report.clone().expect("a page");
    assert_eq!(manifest.no_report, None);
    let page = std::fs::read(page_file(out)).expect("a page");
    assert!(uri.ends_with(&format!("/profile-{RUN_ID}.html")), "{uri}");
    assert_eq!((page.len() as u64, digest(&page)), (bytes, sha256));
    page
}

/// The page that `report` makes of the archive that is there.
async fn page_of_archive(place: &Place) -> Vec<u8> {
    let page = place.path("made.html");
    let arguments = ["report", RUN_ID, "-o", &page.display().to_string()].map(str::to_owned);
    let ended = place
        .run_with(&arguments.each_ref().map(String::as_str))
        .await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    std::fs::read(page).expect("a page")
}

async fn got(place: &Place, arguments: &[&str]) -> Output {
    let child = place.spawn_with(&[&["get", RUN_ID, "--report"], arguments].concat());
    child.wait_with_output().await.expect("its output")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_leaves_the_page_that_report_makes_of_its_archive() {
    let options = Options {
        profiles: Profiles::Window,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let bucket = bucket().await;
    for (place, out) in places(&standin, &bucket) {
        let place = place
            .with("PROFILER_BASELINE", "true")
            .with("PROFILER_SNAPSHOT_EVERY", "1s")
            .with("PROFILER_SETTLE", "1500ms");
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert!(!ended.log.contains("no page"), "{}", ended.log);
        let manifest = manifest(&out);
        let page = page_of(&out, &manifest);
        assert!(manifest.warnings.is_empty(), "{:?}", manifest.warnings);
        assert!(page == page_of_archive(&place).await, "it is another page");
        let text = String::from_utf8(page.clone()).expect("text");
        for pod in &manifest.pods {
            assert!(text.contains(&pod.pod.name));
        }
        assert!(text.contains("001-1s"), "no snapshot");
        let output = got(&place, &[]).await;
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(output.stdout == page);
        assert_eq!(listing(&out).len(), 3, "{:?}", listing(&out));
    }
    let puts = bucket
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "PUT");
    let puts: Vec<_> = puts
        .filter(|seen| seen.target.contains("profile-"))
        .collect();
    let targets: Vec<_> = puts.iter().map(|seen| seen.target.as_str()).collect();
    let at = |suffix: &str| {
        targets
            .iter()
            .position(|target| target.contains(&key(suffix)))
    };
    assert!(
        at("tar.gz") < at("html") && at("html") < at("json"),
        "{targets:?}"
    );
    let of_page = |seen: &&Seen| seen.target.contains(".html");
    let page = puts.iter().find(of_page).expect("a page");
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
}

#[tokio::test]
async fn a_run_without_a_page_leaves_none_and_says_how_to_make_one() {
    let standin = standin().await;
    let place = paged(Place::new(&standin)).with("PROFILER_DRY_RUN", "true");
    let dry = place.run().await;
    assert!(
        dry.log.contains(&format!("profile-{RUN_ID}.html")),
        "{}",
        dry.log
    );
    let place = place
        .with("PROFILER_DRY_RUN", "")
        .with("PROFILER_REPORT", "false");
    assert_eq!(place.run().await.code, 0);
    let manifest = manifest(&place.out());
    assert_eq!((&manifest.report, &manifest.no_report), (&None, &None));
    assert_eq!(
        listing(&place.out()).len(),
        2,
        "{:?}",
        listing(&place.out())
    );
    let output = got(&place, &[]).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for words in [
        "has no page",
        "PROFILER_REPORT",
        "cluster-profiler-job report",
    ] {
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    assert_eq!(output.stdout, b"");
}

#[tokio::test]
async fn get_notices_a_page_that_is_another() {
    let (standin, bucket) = (standin().await, bucket().await);
    for (place, out) in places(&standin, &bucket) {
        assert_eq!(place.run().await.code, 0);
        let fetched = place.path("fetched.html");
        let to = fetched.display().to_string();
        let output = got(&place, &["-o", &to]).await;
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let page = page_of(&out, &manifest(&out));
        assert!(std::fs::read(&fetched).expect("a page") == page);
        std::fs::remove_file(&fetched).expect("it is there");
        let mut damaged = page.clone();
        damaged[page.len() / 2] ^= 1;
        std::fs::write(page_file(&out), &damaged).expect("a file");
        let output = got(&place, &["-o", &to]).await;
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(
            said(&output).contains("NOT what its manifest says"),
            "{}",
            said(&output)
        );
        assert!(!fetched.exists());
        let output = got(&place, &[]).await;
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("do not use"), "{}", said(&output));
        std::fs::remove_file(page_file(&out)).expect("it is there");
        let output = got(&place, &[]).await;
        assert_eq!(output.status.code(), Some(4), "{}", said(&output));
        // The archive is there nevertheless.
        let archive = place.path("fetched.tar.gz");
        let to = archive.display().to_string();
        let ended = place.run_with(&["get", RUN_ID, "-o", &to]).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let shipped = std::fs::read(out.join(format!("profile-{RUN_ID}.tar.gz")));
        assert!(std::fs::read(archive).expect("an archive") == shipped.expect("an archive"));
        assert_eq!(place.run().await.code, 0);
        assert_eq!(place.run_with(&["ls"]).await.code, 0);
    }
}

#[tokio::test]
async fn a_page_goes_with_its_run() {
    let (standin, bucket) = (standin().await, bucket().await);
    for (place, out) in places(&standin, &bucket) {
        assert_eq!(place.run().await.code, 0);
        page_of(&out, &manifest(&out));
        let next = place
            .with("PROFILER_RUN_ID", "zz-next")
            .with("PROFILER_KEEP", 1);
        let ended = next.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let mut names: Vec<_> = listing(&out).iter().map(|path| file_name(path)).collect();
        names.sort();
        let expected = ["html", "json", "tar.gz"].map(|end| format!("profile-zz-next.{end}"));
        assert_eq!(names, expected);
    }
    let deleted = bucket
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "DELETE");
    let deleted: Vec<_> = deleted.map(|seen| seen.target).collect();
    let at = |suffix: &str| {
        deleted
            .iter()
            .position(|target| target.contains(&key(suffix)))
    };
    assert!(at("json").is_some(), "{deleted:?}");
    assert!(
        at("json") < at("html") && at("html") < at("tar.gz"),
        "{deleted:?}"
    );
}
