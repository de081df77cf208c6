//! Requests that were done and whose answers were lost: the object itself tells.

use bucket::{Answer, Bucket, Fault};

use standin::{Options, Standin};

use crate::harness::standin;
use crate::s3::{assert_says, assert_shipped, bucket, into, key, large};

/// What servers answer to the next try of a request that is done already.
const ANSWERS: [Answer; 5] = [
    Answer::Refused(500, "InternalError"),
    Answer::Refused(409, "ConcurrentModification"),
    Answer::Refused(503, "SlowDown"),
    Answer::Refused(404, "NoSuchUpload"),
    Answer::ErrorIn200("InternalError"),
];

/// The last request of an upload, done and not heard, and then always refused.
fn lose(bucket: &Bucket, method: &'static str, holds: &'static str, then: Answer) {
    bucket.fault(Fault::always(method, holds, Answer::Unheard).times(1));
    bucket.fault(Fault::always(method, holds, then));
}

/// The archive shows late: neither the looks before the run, of which there are two, nor the next two see it.
fn show_late(bucket: &Bucket) {
    bucket.fault(Fault::always("HEAD", "tar.gz", Answer::Refused(404, "")).times(4));
}

#[tokio::test]
async fn whatever_the_next_try_is_answered_the_archive_is_there() {
    for answer in ANSWERS {
        let (standin, bucket) = (large().await, bucket().await);
        lose(&bucket, "POST", "uploadId=", answer.clone());
        show_late(&bucket);
        let ended = into(&bucket, &standin).run().await;
        assert_eq!(ended.code, 0, "{answer:?}: {}", ended.log);
        bucket.clear_faults();
        assert_shipped(&bucket);
        assert_eq!(standin.starts(), 1, "{answer:?}");
    }
}

/// A small archive and a manifest are made in one request each.
#[tokio::test]
async fn what_is_made_in_one_request_is_looked_for_too() {
    for holds in ["profile-test-run.tar.gz", ".json"] {
        let (standin, bucket) = (standin().await, bucket().await);
        lose(&bucket, "PUT", holds, Answer::Refused(503, "SlowDown"));
        let ended = into(&bucket, &standin).run().await;
        assert_eq!(ended.code, 0, "{holds}: {}", ended.log);
        bucket.clear_faults();
        assert_shipped(&bucket);
    }
}

#[tokio::test]
async fn an_archive_that_was_confirmed_may_show_late() {
    for standin in [standin().await, large().await] {
        let bucket = bucket().await;
        show_late(&bucket);
        let ended = into(&bucket, &standin).run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert_shipped(&bucket);
    }
}

/// An object of the same size without this upload's mark may be an earlier attempt's.
#[tokio::test]
async fn the_size_alone_tells_nothing() {
    let options = Options {
        pods: 5,
        cpu_padding: 1 << 20,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let bucket = bucket().await;
    let gone = Answer::Refused(404, "NoSuchUpload");
    lose(&bucket, "POST", "uploadId=", gone);
    bucket.fault(Fault::always("HEAD", "tar.gz", Answer::Unmarked));
    let place = into(&bucket, &standin);
    let ended = place.ended(place.spawn_small_bucket()).await;
    assert_says(&ended, 75, &["NoSuchUpload"]);
    assert_eq!(bucket.keys(), [key("tar.gz")]);
    assert_eq!(bucket.uploads(), 0);
    bucket.clear_faults();
    assert_eq!(place.run().await.code, 0);
    assert_shipped(&bucket);
    assert_eq!(standin.starts(), 1);
}
