//! `accept`: a level that is the new normal, for `diff`, for runs that compare themselves, for `ls` and for retention.

use std::path::Path;

use serde_json::{Value, json};

use crate::compared_run::{comparing, id, keep, nights, steady_and};
use crate::harness::{Ended, Place, file_name, listing};
use crate::s3::{at, bucket, into};

/// Far above what is steady, and steady itself.
const HIGH: [u64; 8] = [2000, 2040, 1980, 2020, 1960, 2000, 2010, 1990];

/// A place at a directory with these runs.
fn kept(heaps: &[u64]) -> Place {
    let place = Place::empty();
    keep(&place.out(), heaps);
    let out = format!("file://{}", place.out().display());
    place.with("PROFILER_DESTINATION", out)
}

async fn accept(place: &Place, night: usize, more: &[&str]) -> Ended {
    let id = id(night);
    let arguments = [&["accept", &id], more].concat();
    place.run_with(&arguments).await
}

async fn document(place: &Place, more: &[&str]) -> Value {
    let ended = place.run_with(&[&["diff", "--json"], more].concat()).await;
    serde_json::from_str(&ended.log).unwrap_or_else(|error| panic!("{error}: {}", ended.log))
}

fn marker(directory: &Path, night: usize) -> Value {
    let path = directory.join(format!("profile-{}.accepted.json", id(night)));
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

fn earlier(document: &Value) -> Vec<&str> {
    let runs = document["earlier"].as_array().expect("a list").iter();
    runs.map(|run| run["run_id"].as_str().expect("an id"))
        .collect()
}

#[tokio::test]
async fn no_run_before_the_newest_that_was_accepted_counts() {
    let heaps = steady_and(&HIGH);
    let here = kept(&heaps);
    let bucket = bucket().await;
    keep(&bucket.path("nightly/a"), &heaps);
    let there = at(&bucket, Place::empty());
    for (place, directory) in [(&here, here.out()), (&there, bucket.path("nightly/a"))] {
        let before = place.run_with(&["diff"]).await;
        assert_eq!(before.code, 0, "{}", before.log);
        // Half of the earlier runs are steady, and their scatter hides everything.
        assert!(
            before.log.contains("earlier: 13 runs, night-000"),
            "{}",
            before.log
        );
        for night in [2, 6] {
            let said = accept(place, night, &["--by", "kim", "--why", "v1.9 caches\u{7}"]).await;
            assert_eq!(said.code, 0, "{}", said.log);
            assert!(said.log.contains(".accepted.json"), "{}", said.log);
            let marker = marker(&directory, night);
            assert_eq!(marker["schema_version"], 1);
            assert_eq!(
                (&marker["run_id"], &marker["by"]),
                (&json!(id(night)), &json!("kim"))
            );
            let why = marker["why"].as_str().expect("a text");
            assert!(
                why.starts_with("v1.9 caches") && !why.contains('\u{7}'),
                "{why:?}"
            );
            assert!(marker["at"].as_str().expect("a time").ends_with('Z'));
        }
        let said = document(place, &[]).await;
        let from_6: Vec<_> = (6..13).map(id).collect();
        assert_eq!(earlier(&said), from_6);
        assert_eq!(
            (&said["accepted"]["run_id"], &said["accepted"]["by"]),
            (&json!(id(6)), &json!("kim"))
        );
        let shown = place.run_with(&["diff"]).await.log;
        assert!(
            shown.contains("since:   night-006, accepted as the new normal by kim on 2"),
            "{shown}"
        );
        let listed = place.run_with(&["ls"]).await.log;
        for line in listed.lines().skip(1) {
            let of_accepted = line.starts_with(&id(2)) || line.starts_with(&id(6));
            assert_eq!(line.ends_with('Z'), of_accepted, "{line}");
        }
        // Two runs that are named are compared whatever was accepted.
        assert_eq!(
            document(place, &["night-000", "night-013"]).await["earlier"][0]["run_id"],
            id(0)
        );
    }
    // Elsewhere something else may be normal.
    let against = format!("file://{}", here.out().display());
    let new = kept(&steady_and(&HIGH));
    assert_eq!(accept(&new, 13, &[]).await.code, 0);
    assert_eq!(
        document(&new, &["--against", &against]).await["accepted"]["run_id"],
        id(6)
    );
}

#[tokio::test]
async fn a_level_that_is_new_has_no_verdict_until_there_are_enough_runs() {
    let place = kept(&steady_and(&HIGH[..3]));
    let high = place.run_with(&["diff", "--last", "3"]).await;
    assert_eq!(high.code, 7, "{}", high.log);
    assert_eq!(accept(&place, 6, &[]).await.code, 0);
    for (last, runs) in [("1", 2), ("3", 0)] {
        let said = place.run_with(&["diff", "--last", last]).await;
        assert_eq!(said.code, 0, "{}", said.log);
        let begin = format!("no verdict: {runs} comparable runs since night-006 was accepted");
        assert!(said.log.starts_with(&begin), "{}", said.log);
    }
    keep(&place.out(), &steady_and(&HIGH));
    let said = place.run_with(&["diff"]).await;
    assert!(said.log.starts_with("no change seen\n"), "{}", said.log);
}

#[tokio::test]
async fn only_a_complete_run_that_is_there_is_accepted() {
    let place = kept(&HIGH[..2]);
    let path = place.out().join(format!("profile-{}.json", id(1)));
    let mut run: Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    run["pods"][0]["state"] = json!("missing");
    std::fs::write(&path, run.to_string()).expect("a file");
    for (night, words) in [
        (1, "7 of 8 pods are complete"),
        (9, "there is no run night-009"),
    ] {
        let said = accept(&place, night, &[]).await;
        assert_eq!(said.code, 1, "{}", said.log);
        assert!(said.log.contains(words), "{}", said.log);
    }
    assert_eq!(listing(&place.out()).len(), 4);
    // What somebody else wrote there says that much by its name.
    let foreign = place.out().join(format!("profile-{}.accepted.json", id(0)));
    std::fs::write(&foreign, "{\"by\":").expect("a file");
    keep(&place.out(), &HIGH[..2]);
    assert_eq!(
        document(&place, &[]).await["accepted"],
        json!({ "run_id": id(0) })
    );
}

/// The runs that are made are of a cluster that the stand-in is not: they are compared by their key.
#[tokio::test]
async fn a_run_compares_itself_with_the_level_that_was_accepted() {
    let standin = nights().await;
    let bucket = bucket().await;
    let high = 1 << 40;
    let heaps = steady_and(&[high, high]);
    let (here, there) = (Place::new(&standin), into(&bucket, &standin));
    let directories = [here.out(), bucket.path("nightly/a")];
    for (place, directory) in [here, there].into_iter().zip(directories) {
        let place = comparing(place).with("PROFILER_FAIL_ON_REGRESSION", "true");
        keep(&directory, &heaps);
        assert_eq!(accept(&place, 6, &[]).await.code, 0);
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let reason = ended.termination["reason"].as_str().expect("a reason");
        let said = "no verdict: 2 comparable runs since night-006 was accepted";
        assert!(reason.contains(said), "{reason}");
        let path = directory.join("profile-test-run.json");
        let manifest: Value =
            serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
        assert_eq!(manifest["comparison"]["accepted"], id(6));
    }
}

fn runs(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = listing(directory)
        .iter()
        .map(|path| file_name(path))
        .collect();
    names.retain(|name| name.ends_with(".json"));
    names.sort();
    names
}

/// Runs of this cluster, one after the other: the seventh is the first that is not needed.
#[tokio::test]
async fn as_many_runs_stay_as_a_verdict_needs() {
    let standin = nights().await;
    let place = Place::new(&standin);
    let out = place.out();
    let mut place = place;
    for night in 0..8 {
        place.set("PROFILER_RUN_ID", id(night));
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let file = std::fs::File::options();
        let at = std::time::SystemTime::now() - std::time::Duration::from_hours(9 - night as u64);
        let path = out.join(format!("profile-{}.json", id(night)));
        let file = file.clone().write(true).open(path).expect("the file");
        file.set_modified(at).expect("a time");
    }
    assert_eq!(accept(&place, 0, &[]).await.code, 0);
    let place = place
        .with("PROFILER_RUN_ID", id(8))
        .with("PROFILER_BASELINE", "true")
        .with("PROFILER_COMPARE", "true")
        .with("PROFILER_KEEP", 2);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("PROFILER_KEEP=2 is taken for 7"),
        "{}",
        ended.log
    );
    let newest: Vec<_> = (2..9)
        .map(|night| format!("profile-{}.json", id(night)))
        .collect();
    // With what was accepted of the one that is gone.
    assert_eq!(runs(&out), newest);
    let place = place
        .with("PROFILER_RUN_ID", id(9))
        .with("PROFILER_KEEP", "")
        .with("PROFILER_KEEP_FOR", "1m");
    let ended = place.run().await;
    assert!(!ended.log.contains("is taken for"), "{}", ended.log);
    assert_eq!(runs(&out).len(), 7);
    // Without the comparison they say what they say.
    let place = place
        .with("PROFILER_RUN_ID", "last")
        .with("PROFILER_COMPARE", "")
        .with("PROFILER_KEEP", 2)
        .with("PROFILER_KEEP_FOR", "");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(runs(&out).len(), 2);
}
