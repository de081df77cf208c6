//! PROFILER_PUSH: a run that is shipped is pushed, and whatever becomes of that is a warning.

use std::path::PathBuf;
use std::time::Duration;

use bucket::{Answer as BucketAnswer, Fault};
use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use rustix::process::Signal;
use serde_json::{Value, json};
use standin::Standin;
use tokio::sync::mpsc;

use crate::harness::{Log, Place, RUN_ID, listing, send, until};
use crate::lock::holder;
use crate::patience::{limits, told_in_its_window};
use crate::push_command::{expected, kept, kept_push};
use crate::push_server::{Answer, PushServer};
use crate::s3::{bucket, into, key};

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

#[tokio::test]
async fn no_fault_of_a_push_is_one_of_the_run() {
    let (log, _logging) = Log::of_this_thread();
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
    let limits = Limits {
        push_patience: Duration::from_millis(50),
        ..limits()
    };
    let (_signals, receiver) = mpsc::channel(1);
    let code = run_with(place.variables(), receiver, limits, configured).await;
    assert_eq!(code, ExitCode::Complete);
    let shipped = place.shipped();
    assert_eq!(shipped.manifest.exit_code, 0);
    let file = std::fs::read_to_string(place.out().join(format!("profile-{RUN_ID}.push.json")));
    let file = file.expect("a file");
    let said: Value = serde_json::from_str(&file).expect("JSON");
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
    let termination = std::fs::read_to_string(place.path("termination")).expect("a file");
    let log = serde_json::to_string(&log.lines()).expect("JSON");
    assert!(log.contains("pushed to"), "{log}");
    for text in [&log, &file, &events, &manifest, &termination] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

/// Where nothing was stored nothing will be there twice.
#[tokio::test(flavor = "multi_thread")]
async fn where_an_earlier_attempt_has_pushed_to_no_other_does() {
    let standin = standin().await;
    let mut servers = Vec::new();
    for _ in 0..5 {
        servers.push(PushServer::start([]).await);
    }
    let targets: Vec<_> = servers.iter().map(|it| it.target("pyroscope")).collect();
    let place = Place::new(&standin).with("PROFILER_PUSH", targets.join(","));
    std::fs::create_dir(place.out()).expect("a directory");
    let ended = |target: &String, profiles: Value| json!({ "target": target, "ended": "2026-11-28T22:07:00Z", "profiles": profiles });
    let pushes = json!([
        ended(&targets[0], json!({ "stored": 1, "refused": 3 })),
        ended(&targets[1], json!({ "unknown": 1 })),
        // It was killed.
        { "target": targets[2], "profiles": {} },
        ended(&targets[3], json!({ "refused": 3, "not_sent": 1 })),
    ]);
    let file = json!({ "run_id": RUN_ID, "pushes": pushes });
    std::fs::write(push_file(&place), file.to_string()).expect("a file");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("it would be there twice"),
        "{}",
        ended.log
    );
    let are_pushed_to = servers.iter().map(|it| !it.received().is_empty());
    let are_pushed_to: Vec<_> = are_pushed_to.collect();
    assert_eq!(are_pushed_to, [false, false, false, true, true]);
}

fn push_file(place: &Place) -> PathBuf {
    place.out().join(format!("profile-{RUN_ID}.push.json"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_could_not_be_pushed_is_by_its_next_attempt() {
    let standin = standin().await;
    let server = PushServer::start([]).await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let pods = place.shipped().manifest.pods.len();
    let place = place.with("PROFILER_PUSH", server.target("pyroscope"));
    for _ in 0..2 {
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert!(ended.log.contains("already there"), "{}", ended.log);
        assert_eq!(server.received().len(), pods);
    }
    assert_eq!(kept_push(&place)["complete"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_was_killed_is_seen_by_the_next_attempt() {
    let standin = standin().await;
    let server = PushServer::start([Answer::of(200, "{}"), Answer::Silence]).await;
    let place = Place::new(&standin).with("PROFILER_PUSH", server.target("pyroscope"));
    let mut child = place.spawn();
    until("the second request", || server.received().len() == 2).await;
    child.kill().await.expect("it is ours");
    let said = kept_push(&place);
    assert_eq!(said["target"], server.target("pyroscope"), "{said}");
    assert!(said["ended"].is_null(), "{said}");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let twice = "it would be there twice";
    assert!(ended.log.contains(twice), "{}", ended.log);
    assert_eq!(server.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_told_to_stop_says_how_it_is_pushed() {
    let standin = standin().await;
    let server = PushServer::start([]).await;
    let target = server.target("pyroscope");
    let place = Place::new(&standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_PUSH", &target);
    let ended = told_in_its_window(&place).await;
    let command = format!("cluster-profiler-job push {RUN_ID} {target}");
    assert!(ended.log.contains(&command), "{}", ended.log);
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_of_earlier_pushes_is_not_taken_for_none() {
    let (standin, bucket) = (standin().await, bucket().await);
    let failing = BucketAnswer::Refused(500, "InternalError");
    bucket.fault(Fault::always("GET", "push.json", failing));
    let server = PushServer::start([]).await;
    let target = server.target("pyroscope");
    let place = into(&bucket, &standin)
        .with("PROFILER_PUSH", &target)
        .with("AWS_MAX_ATTEMPTS", 1);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(server.received().is_empty());
    let command = format!("cluster-profiler-job push {RUN_ID} {target}");
    assert!(ended.log.contains(&command), "{}", ended.log);
    let is_written = |seen: &bucket::Seen| seen.method == "PUT" && seen.target.contains("push");
    assert!(!bucket.seen().iter().any(is_written));
    // A person who asks for it has it pushed; what is kept of others stays.
    let ended = place.run_with(&["push", RUN_ID, &target]).await;
    assert!(!server.received().is_empty());
    assert!(ended.log.contains("could not be kept"), "{}", ended.log);
    assert!(!bucket.seen().iter().any(is_written));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_read_back_says_how_it_is_pushed_where_it_is_not() {
    let (standin, bucket) = (standin().await, bucket().await);
    let denied = BucketAnswer::Refused(403, "AccessDenied");
    bucket.fault(Fault::always("GET", "tar.gz", denied));
    let (earlier, new) = (PushServer::start([]).await, PushServer::start([]).await);
    let targets = [earlier.target("pyroscope"), new.target("pyroscope")];
    let place = into(&bucket, &standin).with("PROFILER_PUSH", targets.join(","));
    let path = bucket.path(&key("push.json"));
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let file = json!({ "run_id": RUN_ID, "pushes": [{ "target": targets[0] }] });
    std::fs::write(path, file.to_string()).expect("a file");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let is_told = targets.map(|target| ended.log.contains(&format!("push {RUN_ID} {target}")));
    assert_eq!(is_told, [false, true], "{}", ended.log);
    assert!(earlier.received().is_empty() && new.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_removed_meanwhile_leaves_no_push_behind() {
    let (place, _) = kept(false).await;
    let server = PushServer::start([Answer::Silence]).await;
    let child = place.spawn_with(&["push", RUN_ID, &server.target("pyroscope")]);
    until("the request", || server.received().len() == 1).await;
    for path in listing(&place.out()) {
        std::fs::remove_file(path).expect("it is ours");
    }
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert!(ended.log.contains("could not be kept"), "{}", ended.log);
    assert!(listing(&place.out()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_ends_a_push_too() {
    let standin = standin().await;
    let server = PushServer::start([Answer::Silence]).await;
    // Ten seconds are left for the rest.
    let place = Place::new(&standin)
        .with("PROFILER_PUSH", server.target("pyroscope"))
        .with("PROFILER_MAX_WINDOW", "1s")
        .with("PROFILER_GRACE", "50s")
        .with("PROFILER_DEADLINE", "60s");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let said = kept_push(&place);
    let why = said["given_up"].as_str().expect("why");
    assert!(why.contains("PROFILER_DEADLINE"), "{said}");
    assert!(said["profiles"]["unknown"].as_u64() > Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_push_lacks_is_told_before_anything_is_changed() {
    let standin = standin().await;
    let server = PushServer::start([]).await;
    let target = server.target("pyroscope");
    let place = Place::new(&standin).with("PROFILER_PUSH", &target);
    let dry_run = place.with("PROFILER_DRY_RUN", true);
    let ended = dry_run.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let would = format!("would push it to {target}");
    assert!(ended.log.contains(&would), "{}", ended.log);
    assert!(!ended.log.contains("WARN"), "{}", ended.log);

    let missing = dry_run.path("headers").display().to_string();
    let mut place = dry_run.with("PROFILER_PUSH_HEADERS_FILE", &missing);
    for (is_dry, before) in [
        ("true", "would take the Lease"),
        ("false", "profiling is on"),
    ] {
        place.set("PROFILER_DRY_RUN", is_dry);
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let told = ended.log.find(&missing);
        assert!(
            told.is_some() && told < ended.log.find(before),
            "{}",
            ended.log
        );
    }
    assert!(server.received().is_empty());
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
