//! A run that nothing disturbs.

use cluster_profiler_job::manifest::State;

use crate::bucket::{Bucket, LARGE, large};
use crate::server::Server;

pub(crate) async fn complete(server: &Server) {
    let (standin, bucket) = (large().await, Bucket::new(server, "complete"));
    let ended = bucket.place(&standin).run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = bucket.run();
    assert!(manifest.archive.bytes > LARGE, "{:?}", manifest.archive);
    assert_eq!(manifest.pods.len(), standin.pods().len());
    let complete = |pod: &cluster_profiler_job::manifest::Pod| pod.state == State::Complete;
    assert!(manifest.pods.iter().all(complete), "{:?}", manifest.pods);
    assert_eq!(standin.starts(), 1);
}
