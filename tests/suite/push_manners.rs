//! `push`: how a server is asked, what follows from its answers, and what is said of that.

use serde_json::Value;

use crate::harness::{Ended, Place};
use crate::push_command::{kept, kept_push, push};
use crate::push_server::{Answer, PushServer};

/// A push to a server that answers so, and what is kept of it.
async fn answered(place: &Place, answers: Vec<Answer>) -> (Ended, Value, usize) {
    let server = PushServer::start(answers).await;
    let ended = push(place, &server.target("pyroscope"), &[]).await;
    (ended, kept_push(place), server.received().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_stored_nothing_is_sent_again() {
    let (place, shipped) = kept(false).await;
    let pods = shipped.manifest.pods.len();
    let busy = || {
        Answer::Status(
            429,
            "retry-after: 0\r\n",
            "push rate limit exceeded".to_owned(),
        )
    };
    let (ended, said, requests) = answered(&place, vec![busy(), busy()]).await;
    assert_eq!((ended.code, requests), (0, pods + 2), "{said}");

    // Whoever asks not to be asked for a while is not.
    for (answers, arrival, words) in [
        (
            vec![Answer::of(400, "no such label")],
            "refused",
            "no such label",
        ),
        (vec![Answer::of(413, "too large")], "refused", "too large"),
        (
            vec![Answer::of(500, "oh"), Answer::of(500, "oh")],
            "unknown",
            "500",
        ),
        (vec![Answer::Cut], "unknown", "ended too early"),
        (vec![Answer::Vanish], "unknown", "connection"),
        (
            vec![Answer::of(400, "it is outside of ingestion window")],
            "too_old",
            "reject-older-than",
        ),
    ] {
        let faulty = answers.len();
        let (ended, said, requests) = answered(&place, answers).await;
        assert_eq!((ended.code, requests), (1, pods), "{arrival}: {said}");
        assert!(said.to_string().contains(words), "{arrival}: {said}");
        assert_eq!(said["complete"], false);
        let faults = said["faults"].as_array().expect("faults");
        assert_eq!(faults.len(), faulty, "{said}");
        assert!(
            faults.iter().all(|fault| fault["result"] == arrival),
            "{said}"
        );
        assert!(said["profiles"]["stored"].as_u64() > Some(0), "{said}");
    }

    // Some of one pod's.
    let partly = Answer::of(400, "push series with index 1 and id x failed: limit");
    let (_, said, requests) = answered(&place, vec![partly]).await;
    assert_eq!(requests, pods);
    assert_eq!(said["profiles"]["refused"], 1, "{said}");
}

/// Each series has its own words, and what was stored is not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_request_only_what_was_not_stored_is_sent_again() {
    let (place, shipped) = kept(false).await;
    let pods = shipped.manifest.pods.len();
    let partly = r#"{"code":"resource_exhausted","message":"3 errors: push series with index 2 and id x failed:
        resource_exhausted: rate limit; push series with index 0 and id x failed: invalid_argument: no such label; push
        series with index 1 and id x failed: invalid_argument: it is outside of ingestion window"}"#;
    let partly = partly.replace("\n        ", " ");
    let server = PushServer::start([Answer::Status(429, "retry-after: 0\r\n", partly)]).await;
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    let said = kept_push(&place);
    let requests = server.received();
    assert_eq!((ended.code, requests.len()), (1, pods + 1), "{said}");
    // A person who waits is told for what.
    assert_eq!(
        ended.log.matches("pushing again").count(),
        1,
        "{}",
        ended.log
    );
    let [first, again] = [0, 1].map(|number: usize| requests[number].profiles());
    assert_eq!(again.len(), 1, "{said}");
    assert_eq!(again[0].labels, first[2].labels);
    let stored = server.profiles().len() - 3;
    let told = serde_json::json!({ "stored": stored, "refused": 1, "too_old": 1 });
    assert_eq!(said["profiles"], told, "{said}");
    let whys = said["faults"].as_array().expect("faults").iter();
    let whys: Vec<_> = whys
        .map(|fault| (&fault["result"], &fault["profiles"]))
        .collect();
    assert_eq!(whys.len(), 2, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_nothing_is_not_asked_at_every_pod() {
    let (place, shipped) = kept(false).await;
    let pods = shipped.manifest.pods.len();
    assert!(pods > 4);
    let silent = || Answer::of(502, "bad gateway");
    let elsewhere = Answer::Status(
        307,
        "location: http://127.0.0.1:1/\r\n",
        "elsewhere".to_owned(),
    );
    for (answers, asked) in [
        (vec![Answer::of(401, "who are you")], 1),
        (vec![elsewhere], 1),
        // What serves pages, for a path that it does not know, or for who is not logged in.
        (vec![Answer::of(200, "<html>Log in</html>")], 1),
        (vec![Answer::of(200, "")], 1),
        (vec![Answer::of(200, "[]")], 1),
        (vec![silent(), silent(), silent()], 3),
    ] {
        let (ended, said, requests) = answered(&place, answers).await;
        assert_eq!((ended.code, requests), (1, asked), "{said}");
        assert!(said["given_up"].is_string(), "{said}");
        assert_eq!(said["pods_not_reached"], pods - asked, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_sent_and_never_shown() {
    let (place, _) = kept(false).await;
    let headers = place.path("headers");
    std::fs::write(
        &headers,
        "# ours\nX-Scope-OrgID: tenant-7\nX-Begin: s3cr\nAuthorization: Bearer s3cr3t-token\n",
    )
    .expect("a file");
    let place = place.with("PROFILER_PUSH_HEADERS_FILE", headers.display());
    // A server that repeats what it got.
    let echo = Answer::of(400, "Bearer s3cr3t-token of tenant-7 may not");
    let server = PushServer::start([echo]).await;
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    assert_eq!(ended.code, 1);
    for request in server.received() {
        assert_eq!(request.headers["authorization"], "Bearer s3cr3t-token");
        assert_eq!(request.headers["x-scope-orgid"], "tenant-7");
    }
    let said = kept_push(&place).to_string();
    assert!(said.contains("may not"), "{said}");
    // Nor the rest of what begins as a shorter one.
    for text in [&said, &ended.log] {
        assert!(
            !text.contains("s3cr") && !text.contains("3t-token"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_is_not_shown_as_json_has_it_either() {
    let (place, _) = kept(false).await;
    let headers = place.path("headers");
    std::fs::write(
        &headers,
        "X-Tenant: s3cr\u{e4}t-\"one\"\nX-Other: s3cr&t/two\n",
    )
    .expect("a file");
    let place = place.with("PROFILER_PUSH_HEADERS_FILE", headers.display());
    for words in [
        r#"{"message":"s3crät-\"one\" of s3cr&t/two may not"}"#,
        r#"{"message":"s3cr\u00e4t-\"one\" of s3cr\u0026t\/two may not"}"#,
        r#"{"message":"s3cr\u00E4t-\u0022one\u0022 may not"}"#,
    ] {
        let server = PushServer::start([Answer::of(400, words)]).await;
        let ended = push(&place, &server.target("pyroscope"), &[]).await;
        assert_eq!(ended.code, 1);
        let said = kept_push(&place)["faults"][0]["why"].to_string();
        assert!(said.contains("may not"), "{said}");
        for text in [&said, &ended.log] {
            for part in ["s3cr", "one", "two"] {
                assert!(!text.contains(part), "{part}: {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_cannot_be_sent_are_told_by_their_line() {
    let (place, shipped) = kept(false).await;
    let server = PushServer::start([]).await;
    let headers = place.path("headers");
    let mut place = place.with("PROFILER_PUSH_HEADERS_FILE", headers.display());
    let large = format!("X: {}\n", "s3cr3t".repeat(20_000));
    for (content, fault) in [
        ("Authorization s3cr3t\n", "line 1 is no header"),
        ("# ours\n\nX-A: b\nX A: s3cr3t\n", "line 4 is no header"),
        // With this a server would take the rest of a profile for another request.
        ("content-length: 5\n", "line 1: content-length says"),
        (
            "X-A: b\nTransfer-Encoding: s3cr3t\n",
            "line 2: transfer-encoding says",
        ),
        (&*large, "more than 65536 bytes"),
    ] {
        std::fs::write(&headers, content).expect("a file");
        let ended = push(&place, &server.target("pyroscope"), &[]).await;
        assert_eq!(ended.code, 1);
        assert!(ended.log.contains(fault), "{fault}: {}", ended.log);
        assert!(ended.log.contains("nothing sent"), "{}", ended.log);
        assert!(!ended.log.contains("s3cr3t"), "{}", ended.log);
        assert_eq!(
            kept_push(&place)["pods_not_reached"],
            shipped.manifest.pods.len()
        );
    }
    // A device never ends.
    place.set("PROFILER_PUSH_HEADERS_FILE", "/dev/zero");
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    assert!(ended.log.contains("more than"), "{}", ended.log);
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_named_as_it_is_accepted() {
    let place = Place::empty();
    for target in [
        "http://host",
        "pyroscope+ftp://host",
        "pyroscope+http://user:s3cr3t@host",
        "parca+http://host?token=s3cr3t",
        "jaeger+http://host",
    ] {
        let ended = push(&place, target, &[]).await;
        assert_eq!(ended.code, 2, "{}", ended.log);
        assert!(
            ended.log.contains("accepted: pyroscope+https://"),
            "{}",
            ended.log
        );
        assert!(!ended.log.contains("s3cr3t"), "{}", ended.log);
    }
}
