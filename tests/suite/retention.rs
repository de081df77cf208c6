//! Earlier runs at a destination: what KEEP and KEEP_FOR remove, and what is nobody's to remove.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use bucket::{Answer, Fault};
use rustix::process::Signal;

use crate::harness::{Place, RUN_ID, file_name, listing, send, standin};
use crate::s3::{bucket, into};

/// Ships a run, and has its files look as old as this many hours.
async fn shipped(place: Place, id: &str, hours: i64, directory: &Path) -> Place {
    let place = place.with("PROFILER_RUN_ID", id);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    for ending in ["json", "tar.gz"] {
        let file = File::open(directory.join(format!("profile-{id}.{ending}"))).expect("a file");
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        let then = SystemTime::from(then);
        file.set_modified(then).expect("its time is set");
    }
    place.with("PROFILER_RUN_ID", RUN_ID)
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = listing(directory).iter().map(|p| file_name(p)).collect();
    names.sort();
    names
}

/// Three earlier runs, of which the names' order is not that of their ages.
async fn three_earlier(mut place: Place, directory: &Path) -> Place {
    for (id, hours) in [("a-new", 1), ("b-oldest", 30), ("c-old", 20)] {
        place = shipped(place, id, hours, directory).await;
    }
    place
}

#[tokio::test]
async fn the_newest_stay_and_what_is_not_ours_stays_too() {
    let standin = standin().await;
    let place = Place::new(&standin);
    let out = place.out();
    let place = three_earlier(place, &out).await;
    // Of another cluster, which has just finished.
    let place = shipped(place, "d-newer", -1, &out).await;
    let others = [
        "profile-theirs.json",
        "profile-unfinished.tar.gz",
        "notes.txt",
    ];
    for other in others {
        std::fs::write(out.join(other), "{}").expect("a file");
        let file = File::open(out.join(other)).expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH)
            .expect("its time is set");
    }
    let before = names(&out);
    let dry = place
        .with("PROFILER_KEEP", 2)
        .with("PROFILER_DRY_RUN", "true");
    let ended = dry.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("would remove the earlier run b-oldest"));
    assert!(!ended.log.contains("would remove the earlier run a-new"));
    assert_eq!(names(&out), before);
    let place = dry.with("PROFILER_DRY_RUN", "");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let run = format!("profile-{RUN_ID}");
    let (json, archive) = (format!("{run}.json"), format!("{run}.tar.gz"));
    let mut expected = vec![
        "profile-a-new.json",
        "profile-a-new.tar.gz",
        "profile-d-newer.json",
        "profile-d-newer.tar.gz",
        &json,
        &archive,
    ];
    expected.extend(others);
    expected.sort();
    assert_eq!(names(&out), expected);
    assert!(place.shipped().manifest.warnings.is_empty());
}

#[tokio::test]
async fn what_is_young_enough_stays() {
    let standin = standin().await;
    let place = Place::new(&standin);
    let out = place.out();
    let place = three_earlier(place, &out).await;
    let place = place
        .with("PROFILER_KEEP", 1)
        .with("PROFILER_KEEP_FOR", "25h");
    assert_eq!(place.run().await.code, 0);
    let names = names(&out);
    assert!(
        !names.iter().any(|name| name.contains("b-oldest")),
        "{names:?}"
    );
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(place.shipped().manifest.warnings.is_empty());
}

/// A bucket answers a thousand names at once; the manifest of a run goes before its archive.
#[tokio::test]
async fn a_bucket_is_listed_to_its_end_and_a_denied_delete_is_a_warning() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = into(&bucket, &standin);
    let directory = bucket.path("nightly/a");
    let place = shipped(place, "zz-old", 30, &directory).await;
    for number in 0..1100 {
        let name = format!("profile-aa-{number}.tar.gz");
        std::fs::write(directory.join(name), "").expect("a file");
    }
    let place = place.with("PROFILER_KEEP", 1);
    let delete = Fault::always("DELETE", "zz-old", Answer::Refused(403, "AccessDenied"));
    bucket.fault(delete);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = || std::fs::read_to_string(directory.join(format!("profile-{RUN_ID}.json")));
    let manifest: serde_json::Value =
        serde_json::from_str(&manifest().expect("a manifest")).expect("JSON");
    let warning = manifest["warnings"][0].as_str().unwrap_or_default();
    assert!(
        warning.contains("zz-old") && warning.contains("docs/s3.md"),
        "{manifest}"
    );
    assert!(directory.join("profile-zz-old.tar.gz").exists());
    bucket.clear_faults();
    let next = place.with("PROFILER_RUN_ID", "next");
    assert_eq!(next.run().await.code, 0);
    let deleted = bucket
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "DELETE");
    let deleted: Vec<_> = deleted.map(|seen| seen.target).collect();
    let at = |name: &str| deleted.iter().rposition(|target| target.contains(name));
    assert!(
        at("profile-zz-old.json") < at("profile-zz-old.tar.gz"),
        "{deleted:?}"
    );
    let left = bucket.keys();
    assert!(
        !left
            .iter()
            .any(|key| key.contains("zz-old") || key.contains(RUN_ID))
    );
    assert_eq!(left.len(), 1102);
}

/// The manifest is there without them: a bucket that hangs then makes nothing of the run undone.
#[tokio::test]
async fn a_run_that_is_told_to_stop_while_it_adds_warnings_has_shipped() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = into(&bucket, &standin);
    let place = shipped(place, "zz-old", 30, &bucket.path("nightly/a")).await;
    let place = place.with("PROFILER_KEEP", 1).with("PROFILER_GRACE", "15s");
    let denied = Answer::Refused(403, "AccessDenied");
    bucket.fault(Fault::always("DELETE", "zz-old", denied));
    // Preflight looks for the manifest, and the dump for an earlier attempt's.
    let own = format!("profile-{RUN_ID}.json");
    let looks_before = 2;
    let look = Fault::always("GET", "profile-test-run.json", Answer::Hangs);
    bucket.fault(look.after(looks_before));
    let child = place.spawn();
    let is_look = |seen: &&bucket::Seen| seen.method == "GET" && seen.target.contains(&own);
    bucket
        .wait_until(|state| state.seen.iter().filter(is_look).count() > looks_before)
        .await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("without its warnings"), "{}", ended.log);
    bucket.clear_faults();
    let again = place.run().await;
    assert!(again.log.contains("already there"), "{}", again.log);
    assert_eq!(standin.starts(), 2);
}

/// Has the manifest of a run name another cluster, or none as those of earlier versions.
fn of_cluster(directory: &Path, id: &str, uid: Option<&str>) {
    let path = directory.join(format!("profile-{id}.json"));
    let then = path.metadata().and_then(|file| file.modified());
    let json = std::fs::read(&path).expect("a manifest");
    let mut json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let kubevirt = json["kubevirt"].as_object_mut().expect("an object");
    let own = kubevirt.remove("uid");
    assert!(own.is_some_and(|own| own.is_string()));
    if let Some(uid) = uid {
        kubevirt.insert("uid".to_owned(), uid.into());
    }
    std::fs::write(&path, json.to_string()).expect("a file");
    let file = File::open(&path).expect("a file");
    file.set_modified(then.expect("a time"))
        .expect("its time is set");
}

#[tokio::test]
async fn runs_of_other_clusters_and_of_none_are_never_removed() {
    let (standin, bucket) = (standin().await, bucket().await);
    let in_bucket = (into(&bucket, &standin), bucket.path("nightly/a"));
    let place = Place::new(&standin);
    let out = place.out();
    for (mut place, out) in [(place, out), in_bucket] {
        for (id, hours) in [("ours", 50), ("theirs", 40), ("older", 30), ("oldest", 60)] {
            place = shipped(place, id, hours, &out).await;
        }
        of_cluster(&out, "theirs", Some("another"));
        of_cluster(&out, "older", None);
        of_cluster(&out, "oldest", None);
        let table = place.run_with(&["ls"]).await.log;
        let cluster = |id: &str| {
            let mut lines = table.lines();
            let row = lines.find(|line| line.starts_with(&format!("{id} ")));
            let mut cells = row.expect("a row").split_whitespace();
            cells.nth(6).unwrap_or_default().to_owned()
        };
        assert_eq!(cluster("theirs"), "another", "{table}");
        assert_eq!(cluster("older"), "-", "{table}");
        assert_eq!(cluster("ours").len(), 36, "{table}");
        let place = place.with("PROFILER_KEEP", 1);
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let said = ended.log.matches("names no cluster").count();
        assert_eq!(said, 1, "{}", ended.log);
        let left = names(&out);
        assert!(!left.iter().any(|name| name.contains("ours")), "{left:?}");
        assert_eq!(left.len(), 8, "{left:?}");
        // A run of the same name is not taken for this cluster's, and not replaced.
        let starts = standin.starts();
        let same = place.with("PROFILER_RUN_ID", "theirs");
        let ended = same.run().await;
        assert_eq!(ended.code, 4, "{}", ended.log);
        assert!(ended.log.contains("another cluster"), "{}", ended.log);
        assert_eq!(standin.starts(), starts);
        assert_eq!(names(&out), left);
    }
}
