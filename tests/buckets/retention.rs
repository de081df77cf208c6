//! Earlier runs, of which KEEP leaves the newest.

use crate::bucket::{Bucket, keys_of};
use crate::harness::standin;
use crate::server::Server;

pub(crate) async fn newest(server: &Server) {
    let (standin, bucket) = (standin().await, Bucket::new(server, "retention"));
    // Of two that end in one second the one whose id comes first is the earlier.
    for run in ["1-older", "2-newer"] {
        let place = bucket.place(&standin).with("PROFILER_RUN_ID", run);
        let ended = place.with("PROFILER_KEEP", 1).run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert_eq!(bucket.keys(), keys_of(run));
    }
    assert_eq!(standin.starts(), 2);
}
