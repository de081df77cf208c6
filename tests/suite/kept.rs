//! What is at a destination: `ls`, `get` and `hold`.

use std::process::Output;

use bucket::{Answer, Fault};
use rustix::process::Signal;
use standin::Standin;

use crate::harness::{Place, RUN_ID, entries, send, standin};
use crate::s3::{bucket, into, key};

async fn got(place: &Place, run: &str) -> Output {
    let child = place.spawn_with(&["get", run]);
    child.wait_with_output().await.expect("its output")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A place with a complete run and an incomplete one.
async fn two_runs(place: Place, standin: &Standin) -> Place {
    assert_eq!(place.run().await.code, 0);
    let fault = standin::Damage::MissingFile("heap.pprof".to_owned());
    let fault = standin::Fault::Damaged(fault, standin::Times::Always);
    standin.pod_fault(&standin.pods()[0], fault);
    let place = place.with("PROFILER_RUN_ID", "worse");
    assert_eq!(place.run().await.code, 5);
    place
}

/// The cells of the row of a run.
fn row<'a>(table: &'a str, run: &str) -> Vec<&'a str> {
    let row = table.lines().find(|line| line.starts_with(run));
    row.expect("a row").split_whitespace().collect()
}

#[tokio::test]
async fn ls_tells_what_became_of_each_run() {
    let (standin, bucket) = (standin().await, bucket().await);
    for place in [Place::new(&standin), into(&bucket, &standin)] {
        let place = two_runs(place, &standin).await;
        standin.clear_faults();
        for out in [place.out(), bucket.path("nightly/a")] {
            if out.exists() {
                std::fs::write(out.join("profile-half.tar.gz"), "half").expect("a file");
                std::fs::write(out.join("notes.txt"), "notes").expect("a file");
            }
        }
        let ended = place.run_with(&["ls"]).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let table = ended.log;
        assert_eq!(table.lines().count(), 4, "{table}");
        let complete = row(&table, RUN_ID);
        assert_eq!((complete[1], complete[3]), ("complete", "8/8"), "{table}");
        assert!(complete[5].ends_with("profile-test-run.tar.gz"), "{table}");
        let worse = row(&table, "worse");
        assert_eq!((worse[1], worse[3]), ("incomplete", "7/8"), "{table}");
        assert_eq!(row(&table, "half")[1], "unfinished", "{table}");
    }
}

#[tokio::test]
async fn get_writes_the_archive_and_notices_one_that_is_another() {
    let (standin, bucket) = (standin().await, bucket().await);
    for (place, archive) in [
        (Place::new(&standin), None),
        (into(&bucket, &standin), Some(bucket.path(&key("tar.gz")))),
    ] {
        assert_eq!(place.run().await.code, 0);
        let archive = archive.unwrap_or_else(|| place.archive());
        let output = got(&place, RUN_ID).await;
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let before = std::fs::read(&archive).expect("an archive");
        assert_eq!(output.stdout, before);
        assert!(!entries(&output.stdout).is_empty());
        // One byte is another, and the size is the same.
        let mut damaged = before.clone();
        damaged[before.len() / 2] ^= 1;
        std::fs::write(&archive, damaged).expect("a file");
        let output = got(&place, RUN_ID).await;
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("do not use"), "{}", said(&output));
        std::fs::write(&archive, &before[..before.len() / 2]).expect("a file");
        let output = got(&place, RUN_ID).await;
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let why = "has another size";
        assert!(said(&output).contains(why), "{}", said(&output));
        let table = place.run_with(&["ls"]).await.log;
        assert_eq!(row(&table, RUN_ID)[1], "invalid", "{table}");
        let manifest = archive.with_file_name(format!("profile-{RUN_ID}.json"));
        std::fs::remove_file(manifest).expect("it is there");
        let output = got(&place, RUN_ID).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("unfinished"), "{}", said(&output));
        assert_eq!(output.stdout, b"");
        let output = got(&place, "nobody").await;
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("no run nobody"), "{}", said(&output));
    }
    assert_eq!(
        got(&Place::new(&standin), "A/../B").await.status.code(),
        Some(2)
    );
    for (answer, why) in [
        (Answer::Refused(404, "NoSuchBucket"), "create the bucket"),
        (
            Answer::Refused(403, "InvalidAccessKeyId"),
            "credentials are wrong",
        ),
    ] {
        bucket.clear_faults();
        for method in ["HEAD", "GET"] {
            bucket.fault(Fault::always(method, "", answer.clone()));
        }
        let place = into(&bucket, &standin);
        let output = got(&place, RUN_ID).await;
        assert_eq!(output.status.code(), Some(4), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
    }
}

#[tokio::test]
async fn get_and_ls_look_at_the_fallback_too() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = into(&bucket, &standin);
    let fallback = format!("file://{}", place.out().display());
    let place = place.with("PROFILER_FALLBACK", fallback);
    bucket.fault(Fault::always(
        "PUT",
        "tar.gz",
        Answer::Refused(403, "AccessDenied"),
    ));
    assert_eq!(place.run().await.code, 0);
    let output = got(&place, RUN_ID).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        output.stdout,
        std::fs::read(place.archive()).expect("an archive")
    );
    let table = place.run_with(&["ls"]).await.log;
    assert_eq!(row(&table, RUN_ID)[1], "complete", "{table}");
}

#[tokio::test]
async fn only_the_destinations_variables_are_needed() {
    let place = Place::empty();
    let destination = format!("file://{}", place.path("nothing").display());
    let place = place.with("PROFILER_DESTINATION", destination);
    let ended = place.run_with(&["ls"]).await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    let misspelt = place.with("PROFILER_DESTINATOIN", "file:///x");
    assert_eq!(misspelt.run_with(&["ls"]).await.code, 2);
}

#[tokio::test]
async fn hold_ends_with_its_time_or_at_once_with_a_signal() {
    let place = Place::empty();
    assert_eq!(place.run_with(&["hold", "--for", "10ms"]).await.code, 0);
    let mut child = place.spawn_with(&["hold", "--for", "1h"]);
    // It says so once it hears signals.
    let mut said = [0; 1];
    let out = child.stdout.as_mut().expect("its output");
    tokio::io::AsyncReadExt::read_exact(out, &mut said)
        .await
        .expect("a line");
    send(&child, Signal::TERM);
    assert_eq!(place.ended(child).await.code, 0);
}
