//! A bucket as destination: what comes there is whole, or nothing does and the exit code says why.

use bucket::{ACCESS_KEY, Answer, BUCKET, Bucket, Fault, SECRET_KEY};
use cluster_profiler_job::destination::endpoint_of;
use standin::{Options, Standin};

use crate::harness::{Ended, Place, RUN_ID, Shipped, standin};

const PREFIX: &str = "nightly/a";

/// A place whose runs go into the bucket.
pub(crate) fn into(bucket: &Bucket, standin: &Standin) -> Place {
    at(bucket, Place::new(standin))
}

/// The place with the bucket for destination.
pub(crate) fn at(bucket: &Bucket, place: Place) -> Place {
    let set = bucket.environment(&place.path("")).expect("a file");
    let place = place.with("PROFILER_DESTINATION", format!("s3://{BUCKET}/{PREFIX}"));
    set.into_iter()
        .fold(place, |place, (name, value)| place.with(name, value))
}

pub(crate) fn key(suffix: &str) -> String {
    format!("{PREFIX}/profile-{RUN_ID}.{suffix}")
}

/// Profiles of which the archive is more than two parts.
pub(crate) async fn large() -> Standin {
    let options = Options {
        pods: 5,
        cpu_padding: 3 << 20,
        ..Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

pub(crate) async fn bucket() -> Bucket {
    Bucket::start().await.expect("a bucket")
}

/// The archive and its manifest are there, agree, and nothing else is.
pub(crate) fn assert_shipped(bucket: &Bucket) {
    assert_eq!(bucket.keys(), [key("json"), key("tar.gz")]);
    assert_eq!(bucket.uploads(), 0);
    let read = |suffix| std::fs::read(bucket.path(&key(suffix))).expect("a file");
    let manifest = serde_json::from_slice(&read("json")).expect("a manifest");
    let shipped = Shipped::held_against(manifest, &read("tar.gz"));
    let uri = format!("s3://{BUCKET}/{}", key("tar.gz"));
    assert_eq!(shipped.manifest.archive.uri, uri);
}

pub(crate) fn assert_nothing(bucket: &Bucket) {
    assert_eq!(bucket.keys(), [""; 0]);
    assert_eq!(bucket.uploads(), 0);
}

pub(crate) fn assert_says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.log);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    for word in words {
        assert!(reason.contains(word), "no {word:?} in {reason}");
    }
}

#[tokio::test]
async fn a_small_archive_is_one_object_and_the_manifest_comes_last() {
    let (standin, bucket) = (standin().await, bucket().await);
    let ended = into(&bucket, &standin).run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_shipped(&bucket);
    for noise in ["DEBUG", "WARN", "IMDS"] {
        assert!(!ended.log.contains(noise), "{}", ended.log);
    }
    let puts = bucket
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "PUT");
    let puts: Vec<_> = puts.map(|seen| seen.target).collect();
    assert!(puts.last().expect("puts").contains(".json"), "{puts:?}");
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn a_large_archive_goes_in_parts() {
    let (standin, bucket) = (large().await, bucket().await);
    let ended = into(&bucket, &standin).run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_shipped(&bucket);
    let parts = bucket.seen().into_iter();
    let parts = parts
        .filter(|seen| seen.target.contains("partNumber="))
        .count();
    assert!(parts > 2, "{parts} parts");
}

#[tokio::test]
async fn a_run_that_is_there_is_not_made_again() {
    let (standin, bucket) = (standin().await, bucket().await);
    let place = into(&bucket, &standin);
    assert_eq!(place.run().await.code, 0);
    let again = place.run().await;
    assert_says(&again, 0, &["already there"]);
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_told_before_the_cluster_is_touched() {
    let (standin, bucket) = (standin().await, bucket().await);
    for (answer, words) in [
        (Answer::Refused(404, "NoSuchBucket"), "create the bucket"),
        (Answer::Refused(403, "AccessDenied"), "docs/s3.md"),
        (
            Answer::Refused(403, "SignatureDoesNotMatch"),
            "AWS_SECRET_ACCESS_KEY",
        ),
        (Answer::Refused(403, "RequestTimeTooSkewed"), "clock"),
        (
            Answer::Refused(400, "AuthorizationHeaderMalformed"),
            "AWS_REGION",
        ),
        (Answer::Refused(400, "ExpiredToken"), "have expired"),
        (Answer::Refused(501, "NotImplemented"), "PROFILER_S3_TAGS"),
    ] {
        // To everything, or only to what is written before the run.
        for (methods, holds) in [(&["HEAD", "GET", "PUT"][..], ""), (&["PUT"], "probe")] {
            bucket.clear_faults();
            for method in methods {
                bucket.fault(Fault::always(method, holds, answer.clone()));
            }
            let ended = into(&bucket, &standin).run().await;
            assert_says(&ended, 4, &[words, "s3://profiles/nightly/a"]);
        }
    }
    bucket.clear_faults();
    let place = into(&bucket, &standin);
    let untrusted = Place::new(&standin)
        .with("PROFILER_DESTINATION", format!("s3://{BUCKET}"))
        .with("AWS_ENDPOINT_URL", bucket.url())
        .with("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .with("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    assert_says(&untrusted.run().await, 4, &["AWS_CA_BUNDLE"]);
    let nobody = into(&bucket, &standin)
        .with("AWS_ACCESS_KEY_ID", "")
        .with("AWS_SECRET_ACCESS_KEY", "")
        .with("AWS_EC2_METADATA_DISABLED", "true");
    assert_says(&nobody.run().await, 4, &["no credentials were found"]);
    std::fs::write(place.path("token"), "token").expect("a file");
    // Whoever gives credentials may be there a moment later.
    let unreachable = into(&bucket, &standin)
        .with("AWS_ACCESS_KEY_ID", "")
        .with("AWS_SECRET_ACCESS_KEY", "")
        .with("AWS_ROLE_ARN", "arn:aws:iam::1:role/profiler")
        .with("AWS_WEB_IDENTITY_TOKEN_FILE", place.path("token").display())
        .with("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
        .with("AWS_EC2_METADATA_DISABLED", "true");
    assert_says(&unreachable.run().await, 75, &["credentials"]);
    let wrong = into(&bucket, &standin).with("AWS_SECRET_ACCESS_KEY", "wrong");
    assert_says(&wrong.run().await, 4, &["credentials are wrong"]);
    let unresolved =
        into(&bucket, &standin).with("AWS_ENDPOINT_URL", "https://no-such-host.invalid");
    assert_says(&unresolved.run().await, 75, &["not resolved"]);
    std::fs::write(place.path("empty.pem"), "").expect("a file");
    let empty = place.path("empty.pem").display().to_string();
    let no_pem = place.with("AWS_CA_BUNDLE", empty);
    assert_says(&no_pem.run().await, 4, &["AWS_CA_BUNDLE"]);
    assert_eq!(standin.starts(), 0);
    assert_nothing(&bucket);
}

#[tokio::test]
async fn a_redirect_names_both_endpoints() {
    let (standin, bucket) = (standin().await, bucket().await);
    for (answer, other) in [
        (
            Answer::Redirected(301, "https://other.example:9000"),
            "AWS_ENDPOINT_URL=https://other.example:9000 ",
        ),
        (
            Answer::Redirected(307, "http://other.example"),
            "AWS_ENDPOINT_URL=http://other.example ",
        ),
        (
            Answer::Elsewhere(301, "s3.eu-west-1.example"),
            "AWS_ENDPOINT_URL=https://s3.eu-west-1.example ",
        ),
    ] {
        for method in ["PUT", "GET"] {
            bucket.clear_faults();
            bucket.fault(Fault::always(method, "", answer.clone()));
            let ended = into(&bucket, &standin).run().await;
            let given = format!("AWS_ENDPOINT_URL={},", bucket.url());
            assert_says(&ended, 4, &[&given, other, "s3://profiles/nightly/a"]);
        }
    }
    assert_eq!(standin.starts(), 0);
}

/// Whoever reads the hint may set what it names.
#[test]
fn of_a_redirect_only_a_host_is_told() {
    let body = |endpoint: &str| format!("<Error><Endpoint>{endpoint}</Endpoint></Error>");
    let of_body = |endpoint: &str| endpoint_of(None, body(endpoint).as_bytes());
    assert_eq!(
        of_body("s3.example:9000").as_deref(),
        Some("https://s3.example:9000")
    );
    let long = "a".repeat(300);
    let others = [
        "",
        "a b",
        "<a href=x>",
        "\u{1b}[2J",
        "x/y",
        "user:password@s3.example",
        &long,
    ];
    for other in others {
        assert_eq!(of_body(other), None, "{other}");
    }
    for location in [
        "https://user:password@s3.example/x",
        "/x",
        "://s3.example",
        "ftp://s3.example",
        &format!("https://{long}"),
    ] {
        let named = endpoint_of(Some(location), body("s3.example").as_bytes());
        assert_eq!(named.as_deref(), Some("https://s3.example"), "{location}");
    }
    let named = endpoint_of(Some("http://[2001:db8::1]:9000/a?b"), b"");
    assert_eq!(named.as_deref(), Some("http://[2001:db8::1]:9000"));
}

#[tokio::test]
async fn rights_that_are_only_nice_to_have_may_be_missing() {
    let (standin, bucket) = (standin().await, bucket().await);
    let denied = || Answer::Refused(403, "AccessDenied");
    bucket.fault(Fault::always("HEAD", "", denied()));
    bucket.fault(Fault::always("GET", "", denied()));
    bucket.fault(Fault::always("DELETE", "", denied()));
    let ended = into(&bucket, &standin).run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(bucket.keys().contains(&key("json")), "{:?}", bucket.keys());
    assert!(ended.log.contains("size is not checked"), "{}", ended.log);
}
