//! A destination that fails: the run goes to the fallback, whole, and says where it is and why.

use bucket::{Answer, Bucket, Fault};
use rustix::process::Signal;
use standin::{Options, Standin};

use crate::harness::{Place, listing, send, standin};
use crate::s3::{bucket, into, key, large};

/// Into a bucket, or else into the directory that [`Place::shipped`] looks into.
fn or_directory(bucket: &Bucket, standin: &Standin) -> Place {
    let place = into(bucket, standin).with("AWS_MAX_ATTEMPTS", 2);
    let fallback = format!("file://{}", place.out().display());
    let results = place.path("results").display().to_string();
    place
        .with("PROFILER_FALLBACK", fallback)
        .with("PROFILER_RESULTS_DIR", results)
}

fn denied() -> Answer {
    Answer::Refused(403, "AccessDenied")
}

#[tokio::test]
async fn whatever_fails_of_an_upload_the_run_is_at_the_fallback() {
    let slow_down = Answer::Refused(503, "SlowDown");
    for fault in [
        Fault::always("POST", "?uploads", denied()),
        Fault::always("PUT", "partNumber=", denied()).after(1),
        Fault::always("PUT", "partNumber=", slow_down),
        Fault::always("POST", "uploadId=", Answer::ErrorIn200("AccessDenied")),
    ] {
        let (standin, bucket) = (large().await, bucket().await);
        bucket.fault(fault.clone());
        let place = or_directory(&bucket, &standin);
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{fault:?}: {}", ended.log);
        let manifest = place.shipped().manifest;
        let why = manifest.fallback_reason.unwrap_or_default();
        assert!(why.contains("s3://profiles/nightly/a"), "{fault:?}: {why}");
        let uri = format!("file://{}", place.archive().display());
        assert_eq!(manifest.archive.uri, uri);
        assert_eq!(ended.termination["uri"], uri);
        let result = |name| std::fs::read_to_string(place.path("results").join(name));
        assert_eq!(result("uri").expect("a result"), uri);
        let reason = result("reason").expect("a result");
        assert!(reason.contains("PROFILER_FALLBACK"), "{reason}");
        assert_eq!(ended.termination["reason"], reason);
        assert_eq!(standin.starts(), 1, "{fault:?}");
        assert_eq!((bucket.uploads(), bucket.keys().len()), (0, 0), "{fault:?}");
        // It is there already, wherever it is.
        let again = place.run().await;
        assert_eq!(again.code, 0, "{}", again.log);
        assert!(again.log.contains("already there"), "{}", again.log);
        assert_eq!(standin.starts(), 1, "{fault:?}");
    }
}

/// By then the gate is closed, and a dump needs it.
#[tokio::test]
async fn a_manifest_that_is_refused_opens_the_gate_once_more() {
    let options = Options {
        gate: false,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let (before, bucket) = (standin.configuration(), bucket().await);
    bucket.fault(Fault::always("PUT", ".json", denied()));
    let place = or_directory(&bucket, &standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let gate = place.shipped().manifest.gate;
    assert!(gate.changed.is_some() && !gate.before && !gate.after);
    assert_eq!(standin.configuration(), before);
    assert!(!bucket.keys().contains(&key("json")));
    assert_eq!(standin.starts(), 1);
}

/// By then the destination has a manifest of the same archive, which nobody can bring up to date.
#[tokio::test]
async fn a_last_manifest_that_is_refused_takes_the_run_to_the_fallback_too() {
    let options = Options {
        gate: false,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let (before, bucket) = (standin.configuration(), bucket().await);
    bucket.fault(Fault::always("PUT", ".json", denied()).after(1));
    let place = or_directory(&bucket, &standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.exit_code, 0, "{}", manifest.reason);
    assert!(manifest.fallback_reason.is_some());
    assert_eq!(standin.configuration(), before);
    // What is there for good is found before what is not.
    let again = place.run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    assert!(again.log.contains("already there"), "{}", again.log);
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn where_the_fallback_fails_too_both_are_named_and_nothing_is_lost() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = into(&bucket, &standin)
        .with("AWS_MAX_ATTEMPTS", 1)
        .with("PROFILER_FALLBACK", "s3://profiles/fallback");
    bucket.fault(Fault::always(
        "PUT",
        "nightly/a/profile",
        Answer::Refused(503, "SlowDown"),
    ));
    bucket.fault(Fault::always("PUT", "fallback/profile", denied()));
    let ended = place.run().await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    for words in [
        "nightly/a/profile",
        "the fallback failed too",
        "profiles/fallback",
    ] {
        assert!(reason.contains(words), "no {words:?} in {reason}");
    }
    assert_eq!(bucket.uploads(), 0);
    assert!(standin.profiling().is_empty());
    bucket.clear_faults();
    let again = place.run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    assert_eq!(bucket.keys(), [key("json"), key("tar.gz")]);
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn a_fallback_that_cannot_be_written_is_told_before_the_cluster_is_touched() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = or_directory(&bucket, &standin);
    std::fs::write(place.out(), "in the way").expect("a file");
    let ended = place.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    assert_eq!(standin.starts(), 0);
    let same = into(&bucket, &standin).with("PROFILER_FALLBACK", "s3://profiles/nightly/a/");
    let ended = same.run().await;
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(
        ended.log.contains("the destination itself"),
        "{}",
        ended.log
    );
}

/// The bucket has a part of the run, whose manifest cannot be removed, and the fallback has all of it.
#[tokio::test]
async fn what_is_there_for_good_counts_wherever_it_is() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = or_directory(&bucket, &standin);
    let place = place
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_GRACE", "15s");
    let child = place.spawn();
    let all = standin.pods().len();
    let profiling = |state: &standin::State| state.profiling().len() == all;
    standin.wait_until(profiling).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert_eq!(bucket.keys(), [key("json"), key("tar.gz")]);
    bucket.fault(Fault::always("DELETE", ".json", denied()));
    let again = place.run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    place.shipped();
    let third = place.run().await;
    assert_eq!(third.code, 0, "{}", third.log);
    assert!(third.log.contains("already there"), "{}", third.log);
    assert_eq!(standin.starts(), 1);
}

/// There is no time to dump again: its next attempt has it.
#[tokio::test]
async fn a_run_that_was_told_to_stop_leaves_the_fallback_to_its_next_attempt() {
    let (standin, bucket) = (large().await, bucket().await);
    let place = or_directory(&bucket, &standin)
        .with("PROFILER_GRACE", "16s")
        .with("PROFILER_SETTLE", "1h");
    bucket.fault(Fault::always("PUT", "tar.gz", denied()));
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 5)
        .await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    // No Job's policy takes that for the end.
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert!(listing(&place.out()).is_empty());
    // Nothing is written there any more, not even a probe.
    bucket.fault(Fault::always("PUT", "nightly", denied()));
    let again = place.run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    place.shipped();
    assert_eq!(standin.starts(), 1);
}

/// By then the destination works again, and no attempt has anything to do with the fallback.
#[tokio::test]
async fn what_a_killed_attempt_uploaded_to_the_fallback_goes_with_the_next_one() {
    let (standin, bucket) = (large().await, bucket().await);
    bucket.fault(Fault::always(
        "PUT",
        "nightly/a/profile-test-run.tar.gz",
        denied(),
    ));
    let to_fallback = |seen: &bucket::Seen| {
        seen.method == "PUT" && seen.target.contains("fallback/profile-test-run.tar.gz")
    };
    bucket.fault(Fault::always(
        "PUT",
        "fallback/profile-test-run.tar.gz",
        Answer::Hangs,
    ));
    let place = into(&bucket, &standin).with("PROFILER_FALLBACK", "s3://profiles/fallback");
    let mut child = place.spawn();
    bucket
        .wait_until(|state| state.seen.iter().any(to_fallback))
        .await;
    child.kill().await.expect("it runs");
    assert_eq!(bucket.uploads(), 1);
    bucket.clear_faults();
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(bucket.uploads(), 0);
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn what_a_killed_attempt_left_in_a_directory_that_is_the_fallback_goes_with_the_next_one() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = or_directory(&bucket, &standin);
    let [own, others] = ["test-run", "other"].map(|run| place.leave_unfinished(run));
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!own.exists());
    assert_eq!(listing(&place.out()), [others]);
}
