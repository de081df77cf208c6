//! A run that nothing disturbs.

use cluster_profiler_job::manifest::State;

use crate::bucket::{Bucket, LARGE, large};
use crate::server::Server;

pub(crate) async fn complete(server: &Server) {
    with_checksums(server, "complete", "").await;
}

/// As the SDK has it for AWS: parts and objects with a CRC32, which the server holds them against.
pub(crate) async fn summed(server: &Server) {
    with_checksums(server, "summed", "when_supported").await;
}

async fn with_checksums(server: &Server, name: &str, when: &str) {
    let (standin, bucket) = (large().await, Bucket::new(server, name));
    let place = bucket.place(&standin);
    let place = place.with("AWS_REQUEST_CHECKSUM_CALCULATION", when);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = bucket.run();
    assert!(manifest.archive.bytes > LARGE, "{:?}", manifest.archive);
    assert_eq!(manifest.pods.len(), standin.pods().len());
    let complete = |pod: &cluster_profiler_job::manifest::Pod| pod.state == State::Complete;
    assert!(manifest.pods.iter().all(complete), "{:?}", manifest.pods);
    assert_eq!(standin.starts(), 1);
}
