//! Faults of a bucket: each strikes every request of a run to it once.

use bucket::{Answer, Bucket, Fault, Seen};
use futures::{StreamExt, stream};

use super::{
    AT_ONCE, Table, assert_complete, assert_documented, assert_nothing_left, attempts, cluster,
    short_and_restoring,
};
use crate::harness::{Place, Shipped};
use crate::s3::{bucket, into, key};

/// The rows: the faults, in words.
fn faults() -> Vec<(&'static str, Answer)> {
    vec![
        (
            "301, to another endpoint",
            Answer::Elsewhere(301, "s3.eu-west-1.amazonaws.com"),
        ),
        ("403 AccessDenied", Answer::Refused(403, "AccessDenied")),
        ("404 NoSuchUpload", Answer::Refused(404, "NoSuchUpload")),
        (
            "409 OperationAborted",
            Answer::Refused(409, "OperationAborted"),
        ),
        ("429 with Retry-After", Answer::TooMany(Some(0))),
        ("500 InternalError", Answer::Refused(500, "InternalError")),
        ("503 SlowDown", Answer::Refused(503, "SlowDown")),
        ("504", Answer::Refused(504, "GatewayTimeout")),
        ("an error in a 200", Answer::ErrorIn200("InternalError")),
        ("connection reset", Answer::Reset),
        ("done, and the answer lost", Answer::Unheard),
        ("no answer", Answer::Hangs),
    ]
}

/// Noise in a pod's profiles with which the archive is two parts.
const TWO_PARTS: usize = 3 << 20;

/// The columns: what a request does.
const COLUMNS: [&str; 7] = [
    "look what is there",
    "probe",
    "begin the upload, look for old ones",
    "send a part",
    "complete",
    "look at the archive",
    "write the manifest",
];

/// The last column of requests that come before anything is changed in the cluster.
const PROBE: usize = 1;

fn column(seen: &Seen, has_begun: bool) -> usize {
    let target = &*seen.target;
    match seen.method.as_str() {
        _ if target.contains("probe") => PROBE,
        "PUT" if target.contains("partNumber=") => 3,
        "PUT" => 6,
        "POST" if target.contains("uploadId=") => 4,
        "POST" => 2,
        _ if target.contains("uploads") => 2,
        "HEAD" if has_begun => 5,
        "GET" | "HEAD" => 0,
        other => panic!("{other} {target} has no column"),
    }
}

/// One attempt by the program: the AWS SDK takes its credentials from the environment of its process.
pub(super) async fn of_program(place: &Place) -> u8 {
    u8::try_from(place.run().await.code).expect("an exit code")
}

/// A request that a fault is to strike.
struct Strike {
    row: usize,
    column: usize,
    fault: Fault,
    what: String,
}

/// Every request of a run with every fault.
fn strikes(requests: &[Seen]) -> Vec<Strike> {
    let mut strikes = Vec::new();
    for (row, (name, answer)) in faults().into_iter().enumerate() {
        strikes.extend(requests.iter().enumerate().map(|(after, request)| {
            let has_begun = requests[..after].iter().any(|seen| seen.method == "POST");
            Strike {
                row,
                column: column(request, has_begun),
                fault: Fault::always("", "", answer.clone()).after(after).times(1),
                what: format!("{name}: {} {}", request.method, request.target),
            }
        }));
    }
    strikes
}

/// Lets a fault strike a run, which has other attempts where it does not end for good.
async fn struck(strike: Strike) -> (usize, usize, Vec<u8>) {
    let (standin, there) = (cluster(TWO_PARTS).await, bucket().await);
    let before = standin.configuration();
    let place = short_and_restoring(into(&there, &standin));
    // A server that is at work may take its time, too.
    let child = if matches!(strike.fault.answer, Answer::Hangs) {
        place.spawn_hasty_bucket()
    } else {
        place.spawn()
    };
    there.fault(strike.fault);
    let ended = place.ended(child).await;
    let first = u8::try_from(ended.code).expect("an exit code");
    let codes = attempts(first, || of_program(&place), || there.clear_faults()).await;
    let what = format!("{}: {codes:?} {}", strike.what, ended.log);
    assert_nothing_left(&standin, &before, &what);
    assert_shipped(&there, &what);
    if strike.column > PROBE {
        // What the pods have would be lost where no other attempt comes.
        assert_eq!(codes, [0], "{what}");
    }
    (strike.row, strike.column, codes)
}

#[tokio::test]
async fn every_request_to_the_bucket() {
    let (reference, there) = (cluster(TWO_PARTS).await, bucket().await);
    let place = short_and_restoring(into(&there, &reference));
    assert_eq!(of_program(&place).await, 0);
    let runs = strikes(&there.seen()).into_iter().map(struck);
    let mut ended = stream::iter(runs).buffer_unordered(2 * AT_ONCE);
    let mut table = Table::default();
    while let Some((row, column, codes)) = ended.next().await {
        table.note(row, column, codes);
    }
    let rows: Vec<_> = faults().iter().map(|(name, _)| *name).collect();
    assert_documented("bucket", &table.markdown(&rows, &COLUMNS));
}

/// The archive and its manifest are there, agree, and nothing else is.
pub(super) fn assert_shipped(bucket: &Bucket, what: &str) {
    let mut keys = bucket.keys();
    // One that may not be deleted stays.
    keys.retain(|key| !key.contains("probe"));
    assert_eq!(keys, [key("json"), key("tar.gz")], "{what}");
    assert_eq!(bucket.uploads(), 0, "{what}");
    let read = |suffix| std::fs::read(bucket.path(&key(suffix))).expect("a file");
    let manifest = serde_json::from_slice(&read("json")).expect("a manifest");
    assert_complete(
        &Shipped::held_against(manifest, &read("tar.gz")).manifest,
        what,
    );
}
