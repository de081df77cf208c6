//! What is wrong with a bucket is told before the cluster is touched.

use standin::Standin;

use crate::bucket::Bucket;
use crate::forwarder::Forwarder;
use crate::harness::{Place, standin};
use crate::server::Server;

pub(crate) async fn untrusted(server: &Server) {
    let (standin, bucket) = (standin().await, Bucket::new(server, "untrusted"));
    let forwarder = Forwarder::open(server.port).await;
    let place = bucket.place_through(&forwarder, &standin);
    let place = place.with("AWS_CA_BUNDLE", "");
    refused(&standin, &place, "AWS_CA_BUNDLE").await;
    assert_eq!(forwarder.connections(), 1, "it was tried again");
    assert_eq!(bucket.keys(), [""; 0]);
}

pub(crate) async fn wrong_secret(server: &Server) {
    let (standin, bucket) = (standin().await, Bucket::new(server, "wrong-secret"));
    let place = bucket.place(&standin);
    let place = place.with("AWS_SECRET_ACCESS_KEY", "wrong-secret");
    refused(&standin, &place, "credentials are wrong").await;
    assert_eq!(bucket.keys(), [""; 0]);
}

pub(crate) async fn no_bucket(server: &Server) {
    let (standin, bucket) = (standin().await, Bucket::new(server, "another"));
    let place = bucket.place(&standin);
    let place = place.with("PROFILER_DESTINATION", "s3://no-such-bucket/nightly");
    refused(&standin, &place, "create the bucket").await;
}

async fn refused(standin: &Standin, place: &Place, what: &str) {
    let ended = place.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(what), "no {what:?} in {reason}");
    assert_eq!(standin.starts(), 0);
}
