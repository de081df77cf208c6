//! PROFILER_PUSH: a run that is shipped is pushed, and whatever becomes of that is a warning.

use bucket::{Answer as BucketAnswer, Fault};
use rustix::process::Signal;
use standin::Standin;

use crate::harness::{Place, RUN_ID, send, until};
use crate::lock::holder;
use crate::push_command::{expected, kept_push};
use crate::push_server::{Answer, PushServer};
use crate::s3::{bucket, into};

async fn standin() -> Standin {
    Standin::start(standin::Options::default())
        .await
        .expect("a stand-in")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_pushed_to_each_server() {
    let standin = standin().await;
    let (pyroscope, parca) = (PushServer::start([]).await, PushServer::start([]).await);
    let targets = [pyroscope.target("pyroscope"), parca.target("parca")].join(",");
    let place = Place::new(&standin).with("PROFILER_PUSH", targets);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    for server in [&pyroscope, &parca] {
        assert_eq!(server.received().len(), shipped.manifest.pods.len());
    }
    let said = kept_push(&place);
    assert_eq!(said["complete"], true, "{said}");
    let wanted = expected(&shipped);
    for (component, totals) in &wanted {
        for (key, total) in totals {
            assert_eq!(said["totals"][component][key], *total, "{component} {key}");
        }
    }
    // The same run once more is there already, and is not pushed twice.
    assert_eq!(place.run().await.code, 0);
    assert_eq!(pyroscope.received().len(), shipped.manifest.pods.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_begins_once_all_is_done_and_a_signal_ends_it_first() {
    let standin = standin().await;
    let server = PushServer::start([Answer::of(200, "{}"), Answer::Silence]).await;
    let place = Place::new(&standin).with("PROFILER_PUSH", server.target("pyroscope"));
    let child = place.spawn();
    until("the second request", || server.received().len() == 2).await;
    assert!(place.manifest().is_some(), "the manifest comes first");
    assert!(holder(&standin).is_null(), "nobody waits for a push");
    assert!(standin.profiling().is_empty());
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "the run was whole: {}", ended.log);
    let said = kept_push(&place);
    assert_eq!(said["given_up"], "told to stop", "{said}");
    assert!(said["profiles"]["stored"].as_u64() > Some(0), "{said}");
    assert!(said["profiles"]["unknown"].as_u64() > Some(0), "{said}");
    assert!(said["pods_not_reached"].as_u64() > Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_look_for_an_earlier_push_too() {
    let (standin, bucket) = (standin().await, bucket().await);
    bucket.fault(Fault::always("GET", "push.json", BucketAnswer::Hangs));
    let server = PushServer::start([]).await;
    let place = into(&bucket, &standin).with("PROFILER_PUSH", server.target("pyroscope"));
    let child = place.spawn();
    let is_looked_for =
        |seen: &bucket::Seen| seen.method == "GET" && seen.target.contains("push.json");
    until("the look", || bucket.seen().iter().any(is_looked_for)).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "the run was whole: {}", ended.log);
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_a_push_is_one_of_the_run() {
    let standin = standin().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let denied = PushServer::start([Answer::of(403, "Bearer s3cr3t-token may not")]).await;
    let broken = PushServer::start([Answer::Cut, Answer::Vanish, Answer::of(500, "oh")]).await;
    let untrusted = standin.url().replace("https", "pyroscope+https");
    let targets = [
        untrusted,
        format!("pyroscope+http://{gone}"),
        denied.target("pyroscope"),
        broken.target("parca"),
    ];
    let place = Place::new(&standin).with("PROFILER_PUSH", targets.join(","));
    let headers = place.path("headers");
    std::fs::write(&headers, "Authorization: Bearer s3cr3t-token\n").expect("a file");
    let place = place.with("PROFILER_PUSH_HEADERS_FILE", headers.display());
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    assert_eq!(shipped.manifest.exit_code, 0);
    let file = std::fs::read_to_string(place.out().join(format!("profile-{RUN_ID}.push.json")));
    let file = file.expect("a file");
    let said: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    let wanted = [
        ("not_sent", "AWS_CA_BUNDLE"),
        ("not_sent", "Connection refused"),
        ("refused", "may not"),
        ("unknown", "in a row"),
    ];
    for (push, (arrival, words)) in said["pushes"]
        .as_array()
        .expect("pushes")
        .iter()
        .zip(wanted)
    {
        assert!(
            push["given_up"].as_str().expect("why").contains(words),
            "{push}"
        );
        assert!(push["profiles"][arrival].as_u64() > Some(0), "{push}");
        assert!(push["profiles"]["stored"].is_null(), "{push}");
    }
    let events: String = standin
        .requests()
        .iter()
        .map(|seen| format!("{seen:?}"))
        .collect();
    let manifest = serde_json::to_string(&shipped.manifest).expect("JSON");
    let termination = ended.termination.to_string();
    for text in [&ended.log, &file, &events, &manifest, &termination] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_an_earlier_attempt_has_pushed_to_no_other_does() {
    let standin = standin().await;
    let (earlier, new) = (PushServer::start([]).await, PushServer::start([]).await);
    let targets = [earlier.target("pyroscope"), new.target("pyroscope")];
    let place = Place::new(&standin).with("PROFILER_PUSH", targets.join(","));
    std::fs::create_dir(place.out()).expect("a directory");
    let file = serde_json::json!({ "run_id": RUN_ID, "pushes": [{ "target": targets[0] }] });
    let path = place.out().join(format!("profile-{RUN_ID}.push.json"));
    std::fs::write(path, file.to_string()).expect("a file");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("it would be there twice"),
        "{}",
        ended.log
    );
    assert!(earlier.received().is_empty());
    assert!(!new.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_at_its_fallback_is_pushed_from_there() {
    let (standin, bucket) = (standin().await, bucket().await);
    let denied = BucketAnswer::Refused(403, "AccessDenied");
    bucket.fault(Fault::always("PUT", "tar.gz", denied));
    let server = PushServer::start([]).await;
    let place = into(&bucket, &standin).with("PROFILER_PUSH", server.target("parca"));
    let fallback = format!("file://{}", place.out().display());
    let place = place.with("PROFILER_FALLBACK", fallback);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(server.received().len(), place.shipped().manifest.pods.len());
    assert_eq!(kept_push(&place)["complete"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_target_is_a_fault_of_the_configuration() {
    let standin = standin().await;
    for (targets, fault) in [
        (
            "pyroscope+https://u:s3cr3t@host",
            "PROFILER_PUSH_HEADERS_FILE",
        ),
        (
            "parca+http://host/,pyroscope+http://host, parca+http://host",
            "is there twice",
        ),
        ("parca+http://host,", "entry 2: "),
    ] {
        let place = Place::new(&standin).with("PROFILER_PUSH", targets);
        let ended = place.run().await;
        assert_eq!(ended.code, 2, "{}", ended.log);
        assert!(ended.log.contains(fault), "{}", ended.log);
        assert!(!ended.log.contains("s3cr3t"), "{}", ended.log);
    }
    // Whoever has headers wants a push.
    let place = Place::new(&standin).with("PROFILER_PUSH_HEADERS_FILE", "/headers");
    let ended = place.run().await;
    assert_eq!(ended.code, 2, "{}", ended.log);
    let fault = "it is for PROFILER_PUSH, which is not set";
    assert!(ended.log.contains(fault), "{}", ended.log);
}
