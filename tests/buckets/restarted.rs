//! A server that goes away in mid-upload and comes back with what it had.

use crate::bucket::{Bucket, LARGE, large};
use crate::forwarder::Forwarder;
use crate::interrupted::HELD;
use crate::server::Server;

pub(crate) async fn restarted(server: &Server) {
    let (standin, bucket) = (large().await, Bucket::new(server, "restarted"));
    let forwarder = Forwarder::holding_after(server.port, HELD).await;
    let place = bucket.place_through(&forwarder, &standin);
    let child = place.spawn();
    forwarder.held().await;
    server.kill();
    forwarder.release();
    forwarder.refused().await;
    // The tries that a request has are not used up, however long the server takes.
    forwarder.hold();
    server.start();
    assert_eq!(bucket.uploads(), 1);
    forwarder.release();
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(bucket.run().archive.bytes > LARGE);
    assert_eq!(standin.starts(), 1);
}
