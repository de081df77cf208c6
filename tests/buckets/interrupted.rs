//! A run that ends in mid-upload, and the next attempt of the same run id.

use rustix::process::Signal;
use standin::Standin;
use tokio::io::AsyncReadExt;
use tokio::process::Child;

use crate::bucket::{Bucket, LARGE, keys_of, large};
use crate::forwarder::Forwarder;
use crate::harness::{Place, RUN_ID, send};
use crate::server::Server;

/// In the midst of the third part of many.
pub(crate) const HELD: u64 = 12 << 20;

/// Told to stop with no time left for a dump: what was dumped is shipped, and then the rest.
pub(crate) async fn told(server: &Server) {
    let (standin, bucket) = (large().await, Bucket::new(server, "told"));
    let forwarder = Forwarder::holding_after(server.port, HELD).await;
    let place = bucket.place_through(&forwarder, &standin);
    let place = place.with("PROFILER_GRACE", "15s");
    let mut child = place.spawn();
    forwarder.held().await;
    assert_eq!(bucket.uploads(), 1);
    send(&child, Signal::TERM);
    says(&mut child, "told to stop").await;
    forwarder.release();
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    let first = bucket.run();
    assert_eq!(first.exit_code, 143, "{}", first.reason);
    goes_on(&bucket, &standin, &place).await;
}

/// Killed with an upload open, which nobody but the next attempt aborts.
pub(crate) async fn killed(server: &Server) {
    let (standin, bucket) = (large().await, Bucket::new(server, "killed"));
    let forwarder = Forwarder::holding_after(server.port, HELD).await;
    let place = bucket.place_through(&forwarder, &standin);
    let child = place.spawn_short_lease();
    forwarder.held().await;
    send(&child, Signal::KILL);
    drop(place.ended(child).await);
    forwarder.release();
    assert_eq!(bucket.uploads(), 1, "it was killed");
    assert!(!bucket.keys().contains(&keys_of(RUN_ID)[1]));
    goes_on(&bucket, &standin, &place).await;
}

/// All connections break and no try is left: the upload is aborted by the attempt that fails.
pub(crate) async fn broken(server: &Server) {
    let (standin, bucket) = (large().await, Bucket::new(server, "broken"));
    let forwarder = Forwarder::holding_after(server.port, HELD).await;
    let place = bucket.place_through(&forwarder, &standin);
    let place = place.with("AWS_MAX_ATTEMPTS", 1);
    let child = place.spawn();
    forwarder.held().await;
    assert_eq!(bucket.uploads(), 1);
    forwarder.sever();
    forwarder.release();
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 75, "{}", ended.log);
    assert_eq!(bucket.uploads(), 0);
    assert_eq!(bucket.keys(), [""; 0]);
    goes_on(&bucket, &standin, &place).await;
}

/// The next attempt ships all that the first one profiled.
async fn goes_on(bucket: &Bucket<'_>, standin: &Standin, place: &Place) {
    let again = place.run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    let manifest = bucket.run();
    assert!(manifest.archive.bytes > LARGE, "{:?}", manifest.archive);
    assert_eq!(manifest.exit_code, 0, "{}", manifest.reason);
    assert_eq!(standin.starts(), 1, "a second window");
}

/// Waits until a run has said something.
async fn says(child: &mut Child, words: &str) {
    let log = child.stdout.as_mut().expect("a pipe");
    let (mut said, mut piece) = (String::new(), [0; 4096]);
    while !said.contains(words) {
        let read = log.read(&mut piece).await.expect("a log");
        assert_ne!(read, 0, "ended before it said {words:?}: {said}");
        said += &String::from_utf8_lossy(&piece[..read]);
    }
}
