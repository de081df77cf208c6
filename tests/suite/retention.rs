//! Earlier runs at a destination: what KEEP and KEEP_FOR remove, and what is nobody's to remove.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use bucket::{Answer, Fault};

use crate::harness::{Place, RUN_ID, file_name, listing, standin};
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
