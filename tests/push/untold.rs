//! Where a run connects to, as the kernel was asked: by `strace`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;

use bucket::{BUCKET, Bucket};
use standin::{Options, Standin};

use crate::by_rules::ByRules;
use crate::harness::{BINARY, Place};

/// A run that is told nothing of a push reaches its API server and its destination, and nothing else; one that is told
/// reaches the server, too.
pub(crate) async fn reaches_nothing_else(server: &ByRules) {
    let standin = Standin::start(Options::default());
    let standin = standin.await.expect("a stand-in");
    let bucket = Bucket::start().await.expect("a bucket");
    let api = address(standin.url());
    let pushed_to = address(&server.url());
    let into = address(bucket.url());
    for told in [false, true] {
        let mut place = Place::new(&standin);
        let set = bucket.environment(&place.path("")).expect("a file");
        for (name, value) in set {
            place.set(name, value);
        }
        place.set("PROFILER_DESTINATION", format!("s3://{BUCKET}/{told}"));
        let mut wanted = BTreeSet::from([api, into]);
        if told {
            place.set("PROFILER_PUSH", server.target("pyroscope"));
            wanted.insert(pushed_to);
        }
        assert_eq!(connected(&place).await, wanted, "told of a push: {told}");
    }
}

fn address(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").expect("a URL");
    rest.parse().expect("an address")
}

/// The addresses that a run which succeeds connects to, or sends to without a connection.
async fn connected(place: &Place) -> BTreeSet<SocketAddr> {
    let trace = place.path("trace");
    let output = tokio::process::Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=connect,sendto,sendmsg,sendmmsg",
            "-o",
        ])
        .arg(&trace)
        .arg(BINARY)
        .env_clear()
        .envs(place.variables())
        .stdin(Stdio::null())
        .output();
    let output = output.await.expect("strace starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let trace = std::fs::read_to_string(trace).expect("a trace");
    trace.lines().filter_map(peer).collect()
}

/// The address in a line of a trace, of either family: `{sa_family=AF_INET, sin_port=htons(4040),
/// sin_addr=inet_addr("127.0.0.1")}`.
fn peer(line: &str) -> Option<SocketAddr> {
    let (_, port) = line.split_once("_port=htons(")?;
    let (port, rest) = port.split_once(')')?;
    let address = rest.split('"').nth(1)?;
    let address: IpAddr = address.parse().expect("an address");
    Some((address, port.parse().expect("a port")).into())
}
