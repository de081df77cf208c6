//! Faults of servers that a run is pushed to: the run is whole, its exit code is its own, and what arrived is said.

use bucket::{Answer as BucketAnswer, Fault};
use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::harness::{Place, RUN_ID, send, standin, until};
use crate::patience;
use crate::push_command::{kept, kept_push, push};
use crate::push_server::{Answer, PushServer};
use crate::s3::{bucket, into, key};
use crate::s3_secrets::texts;

/// Longer than any run in this process takes.
const LONG: Duration = Duration::from_secs(3600);

/// Limits with short pauses, which end soon.
fn limits() -> Limits {
    Limits {
        push_patience: Duration::from_millis(200),
        ..patience::limits()
    }
}

/// What a run in this process, with these limits, says of its push to a server.
async fn pushed(server: &PushServer, limits: Limits) -> Value {
    pushed_to(server.target("pyroscope"), limits).await
}

async fn pushed_to(target: String, limits: Limits) -> Value {
    let standin = standin().await;
    let place = Place::new(&standin).with("PROFILER_PUSH", target);
    let (_signals, receiver) = mpsc::channel(1);
    let code = run_with(place.variables(), receiver, limits, configured).await;
    assert_eq!(code, ExitCode::Complete);
    assert_eq!(place.shipped().manifest.exit_code, 0);
    assert!(place.leftovers().is_empty());
    kept_push(&place)
}

fn given_up(said: &Value) -> &str {
    said["given_up"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_not_waited_for_long() {
    let server = PushServer::start([Answer::Silence, Answer::Silence, Answer::Silence]).await;
    let push_answer = Duration::from_millis(50);
    let said = pushed(
        &server,
        Limits {
            push_answer,
            ..limits()
        },
    )
    .await;
    assert!(
        given_up(&said).contains("no answer came within 50ms"),
        "{said}"
    );
    assert!(said["profiles"]["unknown"].as_u64() > Some(0), "{said}");
    assert!(said["pods_not_reached"].as_u64() > Some(0), "{said}");
    assert_eq!(server.received().len(), 3, "nothing is sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_has_a_limit_of_its_own() {
    let server = PushServer::start([Answer::Silence]).await;
    let limits = Limits {
        push: Duration::from_secs(5),
        push_answer: LONG,
        ..limits()
    };
    let said = pushed(&server, limits).await;
    assert_eq!(given_up(&said), "it took longer than 5s", "{said}");
    assert!(said["profiles"]["unknown"].as_u64() > Some(0), "{said}");
}

fn busy(headers: &'static str) -> Answer {
    Answer::Status(429, headers, "push rate limit exceeded".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_says_itself_how_long_it_is_left_alone() {
    // As often as it says so, as long as there is time.
    let server = PushServer::start(vec![busy("retry-after: 0\r\n"); 20]).await;
    let limits = Limits {
        first_pause: LONG,
        push_patience: Duration::from_secs(60),
        ..limits()
    };
    let said = pushed(&server, limits).await;
    assert_eq!(said["complete"], true, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_to_be_left_alone_for_longer_is() {
    for (headers, asked) in [
        ("retry-after: 7200\r\n", "it asks for a pause of 7200s"),
        (
            "retry-after: Fri, 01 Jan 2100 00:00:00 GMT\r\n",
            "it asks for a pause of ",
        ),
    ] {
        let server = PushServer::start([busy(headers)]).await;
        let said = pushed(&server, limits()).await;
        let why = given_up(&said);
        assert!(why.starts_with("429") && why.contains(asked), "{said}");
        assert!(said["profiles"]["not_sent"].as_u64() > Some(0), "{said}");
        assert_eq!(server.received().len(), 1, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_for_good_ends_the_push_and_for_one_pod_does_not() {
    for (times, is_over) in [(1, false), (2, false), (9, true)] {
        let server = PushServer::start(vec![busy(""); times]).await;
        // There is no time for a second try.
        let limits = Limits {
            first_pause: LONG,
            ..limits()
        };
        let said = pushed(&server, limits).await;
        assert!(said["profiles"]["unknown"].is_null(), "{said}");
        assert!(said["profiles"]["not_sent"].as_u64() > Some(0), "{said}");
        let stored = said["profiles"]["stored"].as_u64();
        assert_eq!(stored.is_some(), !is_over, "{said}");
        if is_over {
            assert!(given_up(&said).contains("in a row"), "{said}");
            assert!(given_up(&said).contains("429"), "{said}");
            assert_eq!(server.received().len(), 3);
        }
    }
}

/// Nothing was sent to a server with which no TLS came about, however long that took.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_connection_came_about_for_is_not_sent() {
    let silent = TcpListener::bind("127.0.0.1:0").await;
    let silent = silent.expect("a port");
    let target = format!("pyroscope+https://{}", silent.local_addr().expect("a port"));
    let limits = Limits {
        push_answer: Duration::from_millis(50),
        ..limits()
    };
    let said = pushed_to(target, limits).await;
    assert!(
        given_up(&said).contains("no answer came within 50ms"),
        "{said}"
    );
    assert!(said["profiles"]["unknown"].is_null(), "{said}");
    assert!(said["profiles"]["not_sent"].as_u64() > Some(0), "{said}");
}

/// Pyroscope 1 has stored what stands before the series that was too many.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_limit_of_series_cut_off_is_not_sent_again() {
    let words =
        "Maximum active series limit exceeded (5000/5000), reduce the number of active streams";
    let server = PushServer::start([Answer::of(429, words)]).await;
    let said = pushed(&server, limits()).await;
    let faults = said["faults"].as_array().expect("faults");
    assert_eq!(faults.len(), 1, "{said}");
    assert_eq!(faults[0]["result"], "unknown");
    let pods = server
        .profiles()
        .into_iter()
        .map(|it| it.labels["pod"].clone());
    let mut pods: Vec<_> = pods.collect();
    pods.dedup();
    assert_eq!(server.received().len(), pods.len(), "each pod once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_vanishes_half_way_has_what_it_has() {
    let stored = || Answer::of(200, "{}");
    let server = PushServer::start([stored(), stored(), Answer::Gone]).await;
    let said = pushed(&server, limits()).await;
    assert!(given_up(&said).contains("for 200ms: "), "{said}");
    assert!(given_up(&said).contains("Connection refused"), "{said}");
    let profiles = server.profiles();
    let of_pod = |pod: &str| {
        profiles
            .iter()
            .filter(|it| it.labels["pod"] == *pod)
            .count() as u64
    };
    let last = profiles.last().expect("profiles").labels["pod"].clone();
    let unknown = of_pod(&last);
    assert_eq!(said["profiles"]["unknown"], unknown, "{said}");
    assert_eq!(said["profiles"]["stored"], profiles.len() as u64 - unknown);
    assert!(said["profiles"]["not_sent"].as_u64() > Some(0), "{said}");
    assert!(said["pods_not_reached"].as_u64() > Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_without_end_change_nothing() {
    let (place, _) = kept(false).await;
    let long = format!("no such label{}", " and so on".repeat(20_000));
    for answer in [Answer::of(400, &long), Answer::Endless] {
        let server = PushServer::start([answer]).await;
        assert_eq!(push(&place, &server.target("pyroscope"), &[]).await.code, 1);
        let said = kept_push(&place);
        assert_eq!(said["faults"][0]["result"], "refused", "{said}");
        assert!(said.to_string().len() < 20_000, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_shown_in_one_line_without_a_terminals_orders() {
    let (place, _) = kept(false).await;
    let server = PushServer::start([Answer::of(400, "no\n\u{1b}[31msuch label")]).await;
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    let said = kept_push(&place);
    let why = said["faults"][0]["why"].as_str().expect("why");
    for text in [why, &ended.log] {
        let mut lines = text.lines();
        assert!(
            lines.any(|line| line.contains("no") && line.contains("such label")),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!why.contains('\n'), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_told_to_stop_says_what_arrived() {
    let (place, _) = kept(false).await;
    let server = PushServer::start([Answer::of(200, "{}"), Answer::Silence]).await;
    let child = place.spawn_with(&["push", RUN_ID, &server.target("pyroscope")]);
    until("the second request", || server.received().len() == 2).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    let said = kept_push(&place);
    assert_eq!(given_up(&said), "told to stop", "{said}");
    assert!(said["profiles"]["stored"].as_u64() > Some(0), "{said}");
    assert!(said["profiles"]["unknown"].as_u64() > Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_a_bucket_has_its_push_beside_it() {
    let standin = standin().await;
    for refused in [false, true] {
        let (bucket, server) = (bucket().await, PushServer::start([]).await);
        if refused {
            let answer = BucketAnswer::Refused(403, "AccessDenied");
            bucket.fault(Fault::always("PUT", ".push.json", answer));
        }
        let place = into(&bucket, &standin).with("PROFILER_PUSH", server.target("pyroscope"));
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let count = server.profiles().len();
        assert!(count > 0);
        let kept = key("push.json");
        if refused {
            assert!(
                ended.log.contains("what arrived could not be kept"),
                "{}",
                ended.log
            );
            assert_eq!(bucket.keys(), [key("json"), key("tar.gz")]);
            continue;
        }
        assert_eq!(bucket.keys(), [key("json"), kept.clone(), key("tar.gz")]);
        let file = std::fs::read(bucket.path(&kept)).expect("a file");
        let file: Value = serde_json::from_slice(&file).expect("JSON");
        assert_eq!(file["pushes"][0]["profiles"]["stored"], count, "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_header_has_is_told_to_nobody() {
    let standin = standin().await;
    // What a server may repeat: of Basic both what came, and what that says.
    let basic = "dXNlcjpiYXNpYy1ub2JvZHktbWF5LXNlZQ==";
    let words = || {
        let repeated = format!("user:basic-nobody-may-see, {basic}, tenant-nobody-may-see may not");
        Answer::of(400, &repeated)
    };
    let told = PushServer::start([words(), Answer::Cut, words(), Answer::Vanish]).await;
    let denied = PushServer::start([Answer::of(401, "basic-nobody-may-see is no password")]).await;
    let targets = [
        told.target("pyroscope"),
        denied.target("parca"),
        // By a proxy that lets nobody pass.
        "pyroscope+https://push.standin.test".to_owned(),
    ];
    let proxy = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = proxy.local_addr().expect("an address");
    let place = Place::new(&standin)
        .with("PROFILER_PUSH", targets.join(","))
        .with(
            "HTTPS_PROXY",
            format!("http://user:proxy-nobody-may-see@{address}"),
        )
        .with("RUST_LOG", "trace");
    let headers = place.path("headers");
    let content = format!("X-Scope-OrgID: tenant-nobody-may-see\nAuthorization: Basic {basic}\n");
    std::fs::write(&headers, content).expect("a file");
    let place = place
        .with("PROFILER_PUSH_HEADERS_FILE", headers.display())
        .with(
            "PROFILER_RESULTS_DIR",
            headers.with_file_name("results").display(),
        );
    let child = place.spawn();
    let pid = child.id().and_then(|pid| Pid::from_raw(pid as i32));
    let telling = async {
        for _ in 0..2 {
            drop(proxy.accept().await.expect("a connection"));
        }
        kill_process(pid.expect("a process"), Signal::TERM).expect("it is ours");
    };
    // Its log is more than a pipe holds.
    let (ended, ()) = tokio::join!(place.ended(child), telling);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(told.received().len() > 3);
    for server in [&told, &denied] {
        let sent = &server.received()[0].headers;
        assert_eq!(sent["authorization"], format!("Basic {basic}"));
    }
    std::fs::remove_file(&headers).expect("it is ours");
    let mut left = texts(&place.path(""));
    assert!(
        left.iter().any(|text| text.contains("may not")),
        "the server's words"
    );
    left.push(ended.log);
    left.push(ended.termination.to_string());
    left.extend(standin.requests().iter().map(|seen| format!("{seen:?}")));
    for secret in ["nobody-may-see", basic] {
        let lines = left.iter().flat_map(|text| text.lines());
        assert_eq!(lines.clone().find(|line| line.contains(secret)), None);
    }
}
