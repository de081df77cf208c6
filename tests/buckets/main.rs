//! The runner against real S3 servers (`helpers/s3-servers`), over TLS by an authority of their own,
//! with the stand-in as its cluster.
//!
//! `cargo e2e` runs it, `cargo test --test buckets -- WORD…` only the cases with these words in their
//! names.

mod bucket;
mod client;
mod complete;
mod flow;
mod forwarder;
#[expect(dead_code, reason = "the suite uses the rest of it")]
#[path = "../suite/harness.rs"]
mod harness;
mod interrupted;
mod prepared;
mod refused;
mod restarted;
mod retention;
mod server;
mod slow;
#[path = "../rig/suite.rs"]
mod suite;
mod unpacked;

use std::time::Duration;

use server::Server;
use suite::{Case, Suite};

/// Longer than any case takes.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> std::process::ExitCode {
    suite::build_example("short-lease");
    let mut suite = Suite::of_arguments();
    suite.on("versitygw", &["versitygw"], CASES);
    suite.on("minio", &["minio"], CASES);
    suite.end()
}

const CASES: &[Case<Server>] = &[
    ("a complete run in many parts", |server| {
        to_the_end(complete::complete(server))
    }),
    ("the same, with AWS's checksums", |server| {
        to_the_end(complete::summed(server))
    }),
    ("its certificate is not trusted", |server| {
        to_the_end(refused::untrusted(server))
    }),
    ("a wrong secret", |server| {
        to_the_end(refused::wrong_secret(server))
    }),
    ("no such bucket", |server| {
        to_the_end(refused::no_bucket(server))
    }),
    ("SIGTERM in mid-upload, then the same run id", |server| {
        to_the_end(interrupted::told(server))
    }),
    ("killed in mid-upload, then the same run id", |server| {
        to_the_end(interrupted::killed(server))
    }),
    (
        "connections break until no try is left, then the same run id",
        |server| to_the_end(interrupted::broken(server)),
    ),
    (
        "the server is killed and comes back in mid-upload",
        |server| to_the_end(restarted::restarted(server)),
    ),
    ("of two runs the newer is kept", |server| {
        to_the_end(retention::newest(server))
    }),
    (
        "a bucket that takes six times as long as an answer may",
        |server| to_the_end(slow::slow(server)),
    ),
];

/// Runs a case, with threads of their own for the stand-in and the forwarder.
fn to_the_end(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, case).await });
    ended.expect("the case ends");
}
