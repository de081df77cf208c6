//! What goes wrong between a run and its bucket in the middle of an upload: the rows of docs/s3.md.

use bucket::{Answer, Bucket, Fault};
use cluster_profiler_job::manifest::{Manifest, State};
use rustix::process::Signal;
use standin::Standin;
use tokio::process::Child;

use crate::harness::{Place, send, standin};
use crate::s3::{assert_nothing, assert_says, assert_shipped, bucket, into, key, large};

/// Faults in mid-upload that pass: the data arrive all the same, and whole.
#[tokio::test]
async fn faults_that_pass_cost_nothing_but_time() {
    let part = "partNumber=";
    for fault in [
        Fault::always("PUT", part, Answer::Refused(503, "SlowDown")).times(3),
        Fault::always("PUT", part, Answer::Refused(500, "InternalError"))
            .after(1)
            .times(2),
        Fault::always("PUT", part, Answer::Reset).after(1).times(1),
        // By HTTP/2.
        Fault::always("PUT", part, Answer::Reset).times(1),
        Fault::always("PUT", part, Answer::Unheard).times(1),
        Fault::always("PUT", part, Answer::LastOfConnection),
        Fault::always("POST", "uploadId=", Answer::ErrorIn200("InternalError")).times(1),
        Fault::always("POST", "uploadId=", Answer::Unheard).times(1),
        Fault::always("PUT", ".json", Answer::Refused(503, "SlowDown")).times(2),
        Fault::always(
            "PUT",
            part,
            Answer::Redirected(307, "https://other.example:9000"),
        )
        .times(1),
        Fault::always("PUT", part, Answer::Elsewhere(301, "other.example")).times(2),
        Fault::always(
            "POST",
            "uploadId=",
            Answer::Redirected(301, "https://other.example"),
        )
        .times(1),
        Fault::always("PUT", part, Answer::TooMany(None)).times(2),
        Fault::always("PUT", part, Answer::TooMany(Some(1))).times(1),
        Fault::always("POST", "?uploads", Answer::TooMany(None)).times(1),
        Fault::always("PUT", "probe", Answer::TooMany(None)).times(2),
        Fault::always("HEAD", "", Answer::TooMany(Some(1))).times(1),
    ] {
        let http2 = fault.answer == Answer::Reset && fault.after == 0;
        let bucket = match http2 {
            true => Bucket::start_http2().await.expect("a bucket"),
            false => bucket().await,
        };
        let standin = large().await;
        bucket.fault(fault.clone());
        if fault.method == "POST" && fault.answer == Answer::Unheard {
            // What S3 answers to a second completion; s3s-fs answers 403.
            let gone = Answer::Refused(404, "NoSuchUpload");
            bucket.fault(Fault::always("POST", fault.holds, gone));
        }
        let ended = into(&bucket, &standin).run().await;
        assert_eq!(ended.code, 0, "{fault:?}: {}", ended.termination);
        assert_shipped(&bucket);
        assert_eq!(standin.starts(), 1, "{fault:?}");
    }
}

/// More refusals than the SDK would take of one request, of a part and of the manifest.
#[tokio::test]
async fn a_bucket_that_is_busy_for_long_is_waited_for() {
    for holds in ["partNumber=", ".json"] {
        let (standin, bucket) = (large().await, bucket().await);
        let busy = Answer::Refused(503, "SlowDown");
        // Parts are sent two at a time.
        let times = if holds == ".json" { 7 } else { 14 };
        bucket.fault(Fault::always("PUT", holds, busy).times(times));
        let ended = into(&bucket, &standin).run().await;
        assert_eq!(ended.code, 0, "{holds}: {}", ended.log);
        assert_shipped(&bucket);
    }
}

/// It has confirmed the archive, so nothing that it answers when it is asked how large that is makes it any less.
#[tokio::test]
async fn an_archive_that_was_confirmed_and_cannot_be_looked_at_is_shipped() {
    let (reference, bucket_of_it) = (large().await, bucket().await);
    let ended = into(&bucket_of_it, &reference).run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let heads = bucket_of_it.seen().into_iter();
    let heads = heads.filter(|seen| seen.method == "HEAD").count();
    for answer in [
        Answer::Elsewhere(301, "s3.eu-west-1.amazonaws.com"),
        Answer::Refused(400, "BadRequest"),
        Answer::Refused(401, "Unauthorized"),
        Answer::Refused(403, "AccessDenied"),
        Answer::Refused(503, "SlowDown"),
    ] {
        let (standin, bucket) = (large().await, bucket().await);
        // The last one is of the archive that was confirmed.
        bucket.fault(Fault::always("HEAD", "", answer.clone()).after(heads - 1));
        let ended = into(&bucket, &standin)
            .with("AWS_MAX_ATTEMPTS", 2)
            .run()
            .await;
        assert_eq!(ended.code, 0, "{answer:?}: {}", ended.log);
        assert!(
            ended.log.contains("not checked"),
            "{answer:?}: {}",
            ended.log
        );
        assert_shipped(&bucket);
    }
}

/// One that never says how large it is gets no more time than it has for showing what it has.
#[tokio::test]
async fn an_archive_that_was_confirmed_and_is_never_told_of_is_shipped() {
    let (standin, bucket) = (standin().await, bucket().await);
    bucket.fault(look_hangs());
    let place = into(&bucket, &standin);
    let ended = place.ended(place.spawn_small_bucket()).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("does not answer"), "{}", ended.log);
    assert_shipped(&bucket);
}

/// Nor does that look take the time that a run which is told to stop has for its manifest.
#[tokio::test]
async fn a_run_that_is_told_to_stop_while_it_looks_at_its_archive_is_shipped() {
    let (standin, bucket) = (standin().await, bucket().await);
    bucket.fault(look_hangs());
    let place = into(&bucket, &standin).with("PROFILER_GRACE", "15s");
    let child = place.spawn();
    let is_look = |seen: &&bucket::Seen| seen.method == "HEAD" && seen.target.contains("tar.gz");
    bucket
        .wait_until(|state| state.seen.iter().filter(is_look).count() > LOOKS_BEFORE)
        .await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_says(&ended, 143, &["all 8 pods are complete"]);
    assert_shipped(&bucket);
    bucket.clear_faults();
    let again = place.run().await;
    assert_says(&again, 0, &["already there"]);
    assert_eq!(standin.starts(), 1);
}

/// The looks for an archive before there is one: in preflight, and for an earlier attempt's.
const LOOKS_BEFORE: usize = 2;

/// The bucket never says how large the archive is that it has confirmed.
fn look_hangs() -> Fault {
    Fault::always("HEAD", "tar.gz", Answer::Hangs).after(LOOKS_BEFORE)
}

/// A server that wants to be left alone for longer than there is patience is not asked again.
#[tokio::test]
async fn a_part_is_not_sent_before_the_bucket_wants_it() {
    let (standin, bucket) = (large().await, bucket().await);
    bucket.fault(Fault::always(
        "PUT",
        "partNumber=1",
        Answer::TooMany(Some(3600)),
    ));
    let ended = into(&bucket, &standin).run().await;
    assert_says(&ended, 75, &["429", "s3://profiles/nightly/a"]);
    let seen = bucket.seen();
    let first = seen
        .iter()
        .filter(|seen| seen.target.contains("partNumber=1&"));
    assert_eq!(first.count(), 1);
    assert_eq!(bucket.uploads(), 0);
}

/// It is given up after two minutes, and sent again.
#[tokio::test]
async fn a_part_that_hangs_is_sent_again() {
    let (standin, bucket) = (large().await, bucket().await);
    bucket.fault(Fault::always("PUT", "partNumber=", Answer::Hangs).times(1));
    let ended = into(&bucket, &standin).run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_shipped(&bucket);
}

/// Faults that stay: the exit code says so, and no upload is left open.
#[tokio::test]
async fn faults_in_mid_upload_that_stay_leave_no_upload_open() {
    let part = "partNumber=";
    let denied = Answer::Refused(403, "AccessDenied");
    for (fault, code) in [
        (Fault::always("PUT", part, denied.clone()).after(1), 4),
        (Fault::always("POST", "uploadId=", denied.clone()), 4),
        (Fault::always("PUT", ".json", denied), 4),
        (
            Fault::always("PUT", part, Answer::Refused(503, "SlowDown")),
            75,
        ),
        (
            Fault::always("POST", "uploadId=", Answer::ErrorIn200("AccessDenied")),
            4,
        ),
    ] {
        let (standin, bucket) = (large().await, bucket().await);
        bucket.fault(fault.clone());
        let place = into(&bucket, &standin).with("AWS_MAX_ATTEMPTS", 2);
        let ended = place.run().await;
        assert_says(&ended, code, &["s3://profiles/nightly/a"]);
        assert_eq!(bucket.uploads(), 0, "{fault:?}");
        assert!(!bucket.keys().contains(&key("json")), "{fault:?}");
        assert!(standin.profiling().is_empty(), "{fault:?}");
        // What the pods have is shipped by the next attempt, without a second window.
        bucket.clear_faults();
        let again = place.run().await;
        assert_eq!(again.code, 0, "{fault:?}: {}", again.log);
        assert_shipped(&bucket);
        assert_eq!(standin.starts(), 1, "{fault:?}");
    }
}

/// No other try brings it back, but another upload does.
#[tokio::test]
async fn an_upload_that_has_lost_a_part_is_given_up_soon() {
    for with_fallback in [false, true] {
        let (standin, bucket) = (large().await, bucket().await);
        let gone = Answer::Refused(400, "InvalidPart");
        bucket.fault(Fault::always("POST", "uploadId=", gone));
        let mut place = into(&bucket, &standin);
        if with_fallback {
            place.set(
                "PROFILER_FALLBACK",
                format!("file://{}", place.out().display()),
            );
        }
        let completes =
            |seen: &&bucket::Seen| seen.method == "POST" && seen.target.contains("uploadId=");
        let ended = tokio::select! {
            ended = place.run() => ended,
            () = bucket.wait_until(|state| state.seen.iter().filter(completes).count() > 4) => {
                panic!("it is asked a fifth time");
            }
        };
        assert_eq!(bucket.seen().iter().filter(completes).count(), 4);
        assert_nothing(&bucket);
        if with_fallback {
            assert_eq!(ended.code, 0, "{}", ended.log);
            assert!(place.shipped().manifest.fallback_reason.is_some());
        } else {
            assert_says(&ended, 75, &["InvalidPart"]);
            bucket.clear_faults();
            assert_eq!(place.run().await.code, 0);
            assert_shipped(&bucket);
        }
        assert_eq!(standin.starts(), 1);
    }
}

/// The upload that the client never heard of is nobody's, and goes with the one that it knows.
#[tokio::test]
async fn an_upload_whose_beginning_was_not_heard_is_not_left_open() {
    for denied in [true, false] {
        let (standin, bucket) = (large().await, bucket().await);
        bucket.fault(Fault::always("POST", "?uploads", Answer::Unheard).times(1));
        if denied {
            let answer = Answer::Refused(403, "AccessDenied");
            bucket.fault(Fault::always("PUT", "partNumber=", answer).after(1));
        }
        let ended = into(&bucket, &standin).run().await;
        assert_eq!(ended.code, if denied { 4 } else { 0 }, "{}", ended.log);
        assert_eq!(bucket.uploads(), 0);
    }
}

#[tokio::test]
async fn a_run_that_is_killed_in_mid_upload_is_shipped_by_its_next_attempt() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = into(&bucket, &standin);
    let child = in_mid_upload(&place, &bucket).await;
    send(&child, Signal::KILL);
    drop(place.ended(child).await);
    assert_eq!(bucket.uploads(), 1, "it was killed");
    assert!(!bucket.keys().contains(&key("tar.gz")));
    bucket.clear_faults();
    expire_lease(&standin);
    let again = place.run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    assert_shipped(&bucket);
    assert_eq!(standin.starts(), 1);
}

/// A bucket that takes no more in the grace: the upload is given up, and the next attempt ships.
#[tokio::test]
async fn sigterm_in_mid_upload_leaves_no_upload_open() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = into(&bucket, &standin).with("PROFILER_GRACE", "2s");
    let child = in_mid_upload(&place, &bucket).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_says(&ended, 143, &["the next attempt of this run ships it"]);
    assert_nothing(&bucket);
    assert!(standin.profiling().is_empty());
    bucket.clear_faults();
    let again = place.run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    assert_shipped(&bucket);
    assert_eq!(standin.starts(), 1);
}

/// A run of which the first part is there, and no other is taken.
async fn in_mid_upload(place: &Place, bucket: &Bucket) -> Child {
    bucket.fault(Fault::always("PUT", "partNumber=", Answer::Hangs).after(1));
    let child = place.spawn();
    let parts = |state: &bucket::State| {
        let mut parts = state.seen.iter();
        parts.any(|seen| seen.target.contains("partNumber=2"))
    };
    bucket.wait_until(parts).await;
    child
}

/// The holder of the lock is dead: nobody has to wait a minute for that to show.
fn expire_lease(standin: &Standin) {
    let name = "cluster-profiler-job";
    let mut lease = standin.lease(name).expect("a Lease");
    lease["spec"]["leaseDurationSeconds"] = serde_json::json!(1);
    standin.set_lease(name, lease);
}

/// The scaled down limit is ten MiB, and the pods bring fifteen.
#[tokio::test]
async fn what_fits_into_the_parts_of_one_object_is_shipped() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = into(&bucket, &standin);
    let ended = place.ended(place.spawn_small_bucket()).await;
    assert_says(&ended, 5, &["PROFILER_ORIGINALS", "PROFILER_COMPONENTS"]);
    assert_shipped(&bucket);
    let json = std::fs::read(bucket.path(&key("json"))).expect("a manifest");
    let manifest: Manifest = serde_json::from_slice(&json).expect("a manifest");
    let (missing, whole): (Vec<_>, Vec<_>) =
        (manifest.pods.iter()).partition(|pod| pod.state == State::Missing);
    assert_eq!((missing.len(), whole.len()), (2, 3));
    for why in missing.iter().filter_map(|pod| pod.why.as_ref()) {
        assert!(
            why.contains("PROFILER_ORIGINALS") && why.contains("PROFILER_COMPONENTS"),
            "{why}"
        );
    }
    assert!(standin.profiling().is_empty());
}
