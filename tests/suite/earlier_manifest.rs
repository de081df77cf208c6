//! What an attempt shipped into a bucket is not lost to the next one, whatever the bucket answers.

use std::time::Duration;

use bucket::{Answer, Bucket, Fault as BucketFault};
use cluster_profiler_job::manifest::Manifest;
use rustix::process::Signal;
use standin::{Fault, RouteAnswer, RouteFault, Standin, Times};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::better_archive::complete;
use crate::harness::{Place, send, standin};
use crate::lock::{LEASE, record};
use crate::patience::{told_in_its_window, window_is_open};
use crate::s3::{assert_says, assert_shipped, bucket, into, key, large};

/// A run into a bucket that was told to stop in its window, and shipped all pods but one, whose dump failed.
async fn shipped_but_one(bucket: &Bucket, standin: &Standin) -> Place {
    standin.pod_fault(&standin.pods()[0], Fault::DumpFails(Times::Always));
    let place = into(bucket, standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "10m");
    told_in_its_window(&place).await;
    place
}

/// It was read before anything was dumped.
#[tokio::test]
async fn an_earlier_manifest_that_cannot_be_read_any_more_costs_no_dump() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = shipped_but_one(&bucket, &standin).await;
    let begun = bucket.seen().len();
    for pod in &standin.pods()[1..] {
        standin.pod_fault(pod, Fault::Slow(Duration::from_secs(1)));
    }
    let child = place.spawn();
    // The new archive is begun, and no pod is dumped yet.
    let looks_for_old_ones = |seen: &bucket::Seen| seen.target.contains("?uploads");
    bucket
        .wait_until(|state| state.seen[begun..].iter().any(looks_for_old_ones))
        .await;
    bucket.fault(BucketFault::always(
        "GET",
        ".json",
        Answer::Refused(403, "AccessDenied"),
    ));
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    bucket.clear_faults();
    assert_shipped(&bucket);
    assert_eq!(record(&standin), None);
}

/// One server of many, or a rule that is not everywhere yet: what is there is not known by one refusal, and what is
/// worse must not take its place, nor go beside it.
#[tokio::test]
async fn one_odd_refusal_does_not_hide_an_earlier_archive() {
    let get = |answer| BucketFault::always("GET", "profile-test-run.json", answer);
    let head = |answer| BucketFault::always("HEAD", "profile-test-run.tar.gz", answer);
    for fault in [
        get(Answer::Refused(403, "AccessDenied")),
        get(Answer::Refused(403, "SignatureDoesNotMatch")),
        get(Answer::Refused(401, "Unauthorized")),
        get(Answer::Refused(404, "NoSuchBucket")),
        get(Answer::ErrorIn200("InternalError")),
        head(Answer::Refused(403, "AccessDenied")),
    ] {
        let (standin, bucket) = (standin().await, bucket().await);
        let place = into(&bucket, &standin)
            .with("PROFILER_SETTLE", "1h")
            .with("PROFILER_GRACE", "10m");
        let child = place.spawn();
        window_is_open(&place).await;
        standin.remove_pod(&standin.pods()[0]);
        send(&child, Signal::TERM);
        assert_eq!(place.ended(child).await.code, 143);
        let archive = || std::fs::read(bucket.path(&key("tar.gz"))).expect("an archive");
        let before = archive();
        standin.remove_pod(&standin.pods()[0]);
        // Preflight is not refused.
        bucket.fault(fault.clone().after(1).times(1));
        let ended = place.run().await;
        assert_eq!(ended.code, 5, "{fault:?} {}", ended.log);
        assert_shipped(&bucket);
        assert!(archive() == before, "{fault:?}");
        assert_eq!(bucket.keys().len(), 2, "{fault:?} {:?}", bucket.keys());
    }
}

/// The manifest goes when all parts of the better archive are there, and comes back when that one never appears.
#[tokio::test]
async fn a_better_archive_that_never_appears_takes_no_manifest_away() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = shipped_but_one(&bucket, &standin).await;
    assert_shipped(&bucket);
    let manifest = || std::fs::read(bucket.path(&key("json"))).expect("a manifest");
    let read = || serde_json::from_slice::<Manifest>(&manifest()).expect("a manifest");
    let earlier = read();
    standin.clear_faults();
    let seen_before = bucket.seen().len();
    let denied = Answer::Refused(403, "AccessDenied");
    bucket.fault(BucketFault::always("POST", "uploadId=", denied));
    let ended = place.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    assert_shipped(&bucket);
    assert_eq!(read().archive, earlier.archive);
    assert_eq!(complete(&read()), standin.pods().len() - 1);
    let seen = bucket.seen().split_off(seen_before);
    let removed = |seen: &bucket::Seen| seen.method == "DELETE" && seen.target.contains(".json");
    let removal = seen
        .iter()
        .position(removed)
        .expect("the manifest gave way");
    let part = |seen: &bucket::Seen| seen.target.contains("partNumber=");
    assert!(seen.iter().rposition(part).expect("parts") < removal);
    // One odd refusal, when it is looked at what is there, costs no manifest either.
    let is_read = |seen: &&bucket::Seen| seen.method == "GET" && seen.target.contains(".json");
    let reads = seen[..removal].iter().filter(is_read).count();
    let denied = Answer::Refused(403, "AccessDenied");
    let odd = BucketFault::always("GET", ".json", denied);
    bucket.fault(odd.after(reads).times(1));
    let ended = place.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    assert_shipped(&bucket);
    assert_eq!(read().archive, earlier.archive);
    bucket.clear_faults();
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_shipped(&bucket);
    assert_eq!(complete(&read()), standin.pods().len());
    assert_eq!(standin.starts(), 1);
}

/// Answers of a busy bucket, more than the one try of a request.
const BUSY: usize = 2;

/// The reads of each of a run's files before it looks for what an earlier attempt left.
const PREFLIGHT_READS: usize = 1;

/// A bucket that is busy for longer than one request is tried, at any read of what is there and at the removal of the
/// earlier manifest: the pods are not dumped once more, and the better archive takes its place.
#[tokio::test]
async fn a_bucket_that_is_busy_for_a_while_is_waited_for() {
    let busy = |method, object| {
        BucketFault::always(method, object, Answer::Refused(503, "SlowDown")).times(BUSY)
    };
    let json = "profile-test-run.json";
    let archive = "profile-test-run.tar.gz";
    for (method, object, reads) in [
        ("GET", json, PREFLIGHT_READS),
        ("HEAD", archive, PREFLIGHT_READS),
        ("GET", json, PREFLIGHT_READS + 1),
        ("DELETE", json, 0),
    ] {
        let (standin, bucket) = (standin().await, bucket().await);
        let place = shipped_but_one(&bucket, &standin).await;
        standin.clear_faults();
        bucket.fault(busy(method, object).after(reads));
        let ended = place.with("AWS_MAX_ATTEMPTS", 1).run().await;
        assert_eq!(ended.code, 0, "{method} {object} {reads}: {}", ended.log);
        assert_shipped(&bucket);
        let dumps = standin.arrived("dump-cluster-profiler");
        assert!(
            dumps < 3 * standin.pods().len(),
            "{method} {object} {reads}"
        );
    }
}

/// An upload that cannot be removed takes none of the time that a run which is told to stop has for its manifest.
#[tokio::test]
async fn an_archive_that_stays_is_told_of_though_the_new_one_cannot_be_removed() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = shipped_but_one(&bucket, &standin)
        .await
        .with("PROFILER_GRACE", "15s");
    standin.pod_fault(&standin.pods()[1], Fault::DumpFails(Times::Always));
    bucket.fault(BucketFault::always("DELETE", "uploadId=", Answer::Hangs));
    bucket.fault(BucketFault::always("GET", "?uploads", Answer::Hangs).after(1));
    let child = place.spawn();
    let is_removal =
        |seen: &bucket::Seen| seen.method == "DELETE" && seen.target.contains("uploadId=");
    bucket
        .wait_until(|state| state.seen.iter().any(is_removal))
        .await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_says(&ended, 143, &["an earlier attempt shipped that"]);
    bucket.clear_faults();
    standin.clear_faults();
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_shipped(&bucket);
    assert_eq!(standin.starts(), 1);
}

/// It comes back before anything else is removed, for a run that was told to stop has little time.
#[tokio::test]
async fn a_manifest_comes_back_before_what_else_is_removed() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = shipped_but_one(&bucket, &standin).await;
    standin.clear_faults();
    bucket.fault(BucketFault::always("POST", "uploadId=", Answer::Hangs));
    let begun = bucket.seen().len();
    let completing =
        |seen: &bucket::Seen| seen.method == "POST" && seen.target.contains("uploadId=");
    let place = place.with("PROFILER_GRACE", "2s");
    let child = place.spawn();
    bucket
        .wait_until(|state| state.seen[begun..].iter().any(completing))
        .await;
    assert_eq!(bucket.keys(), [key("tar.gz")]);
    bucket.fault(BucketFault::always("GET", "?uploads", Answer::Hangs));
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert_shipped(&bucket);
}

/// Nobody has taken the Lease: once it is renewed, this attempt is known to be alone.
#[tokio::test]
async fn a_manifest_comes_back_though_the_lease_could_not_be_renewed_meanwhile() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = shipped_but_one(&bucket, &standin).await;
    standin.clear_faults();
    bucket.fault(BucketFault::always(
        "POST",
        "uploadId=",
        Answer::Refused(503, "SlowDown"),
    ));
    let begun = bucket.seen().len();
    let mut child = place.spawn_short_lease();
    let is_removal = |seen: &bucket::Seen| {
        seen.method == "DELETE" && seen.target.contains("profile-test-run.json")
    };
    bucket
        .wait_until(|state| state.seen[begun..].iter().any(is_removal))
        .await;
    standin.route_fault(RouteFault::new(
        LEASE,
        RouteAnswer::Status(503),
        Times::Always,
    ));
    let log = child.stdout.take().expect("a pipe");
    let mut log = BufReader::new(log).lines();
    let mut read_to = async |text: &str| {
        while let Some(line) = log.next_line().await.expect("text") {
            if line.contains(text) {
                return;
            }
        }
        panic!("the run ended without {text}");
    };
    read_to("could not be renewed for").await;
    bucket.clear_faults();
    let denied = Answer::Refused(403, "AccessDenied");
    bucket.fault(BucketFault::always("POST", "uploadId=", denied));
    // The archive is given up, and its upload removed.
    let is_aborted =
        |seen: &bucket::Seen| seen.method == "DELETE" && seen.target.contains("uploadId=");
    bucket
        .wait_until(|state| state.seen[begun..].iter().any(is_aborted))
        .await;
    assert_eq!(bucket.keys(), [key("tar.gz")]);
    standin.clear_faults();
    read_to("its manifest is put back").await;
    let ended = child.wait().await.expect("an end");
    assert_eq!(ended.code(), Some(4));
    assert_shipped(&bucket);
}
