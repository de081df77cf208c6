//! A bucket that is much slower than kube-apiserver lets an answer be.

use std::time::Duration;

use cluster_profiler_job::manifest::State;
use standin::{Options, Standin};

use crate::bucket::Bucket;
use crate::forwarder::Forwarder;
use crate::server::Server;

/// What an answer may take; for the real one it is a minute.
const ANSWER: Duration = Duration::from_secs(5);

/// What the bucket takes.
const BYTES_A_SECOND: u64 = 768 << 10;

pub(crate) async fn slow(server: &Server) {
    let options = Options {
        pods: 4,
        cpu_padding: 6 << 20,
        response_limit: ANSWER,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let bucket = Bucket::new(server, "slow");
    let forwarder = Forwarder::slow(server.port, BYTES_A_SECOND).await;
    let ended = bucket.place_through(&forwarder, &standin).run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = bucket.run();
    // So much took at least so long to pass.
    let seconds = manifest.archive.bytes / BYTES_A_SECOND;
    assert!(seconds >= 6 * ANSWER.as_secs(), "{:?}", manifest.archive);
    for pod in &manifest.pods {
        assert_eq!(pod.state, State::Complete, "{pod:?}");
    }
    assert_eq!(standin.starts(), 1);
}
