//! `push`: profiles and labels that are more than a server takes, and those of nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::made_runs::{MadeRun, profile};
use crate::push_command::{kept_push, push};
use crate::push_server::{Answer, PushServer, Received};

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_too_many_samples_keeps_the_largest() {
    const MANY: u64 = 16_100;
    let pod = "virt-api-6d5f7c8b9d-abcde";
    let functions: Vec<_> = (0..MANY).map(|number| format!("f{number}")).collect();
    let mut made = MadeRun::new();
    let dumped_at = serde_json::json!({ "dumped_at": "2026-11-28T22:06:30Z" });
    made.expect(pod, "virt-api", &dumped_at);
    let stacks = (1..=MANY).map(|number| [number].into_iter());
    made.file(
        &format!("{pod}/goroutine.pprof"),
        &profile(&functions, stacks),
    );
    let place = made.finish();
    let server = PushServer::start([]).await;
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let profiles = server.profiles();
    assert_eq!(profiles.len(), 1);
    assert_eq!(profiles[0].samples, 16_000);
    // One without a time has that of its pod's dump.
    let time = jiff::Timestamp::from_nanosecond(profiles[0].header.time_nanos.into());
    assert_eq!(time.expect("a time").to_string(), "2026-11-28T22:06:30Z");
    let said = kept_push(&place);
    assert!(
        said["cut"][0]
            .as_str()
            .expect("a text")
            .contains("100 smallest"),
        "{said}"
    );
    assert_eq!(
        said["totals"]["virt-api"]["goroutine:samples:count"],
        16_000
    );
}

/// The most bytes of profiles that Pyroscope takes at once.
const AT_ONCE: usize = 2_000_000;

/// A profile of so many functions with names of a kilobyte, each of one sample.
fn large(functions: u64) -> Vec<u8> {
    let names: Vec<_> = (0..functions)
        .map(|number| format!("f{number:01000}"))
        .collect();
    profile(&names, (1..=functions).map(|number| [number].into_iter()))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_larger_than_a_server_takes() {
    let pod = "virt-api-6d5f7c8b9d-abcde";
    let mut made = MadeRun::new();
    made.expect(pod, "virt-api", &Value::Null);
    // Two that fit one by one, and one that does not.
    for (kind, functions) in [("goroutine", 1200), ("mutex", 1200), ("threadcreate", 5000)] {
        made.file(&format!("{pod}/{kind}.pprof"), &large(functions));
    }
    let place = made.finish();
    let server = PushServer::start([]).await;
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let requests: Vec<_> = server.received().iter().map(Received::profiles).collect();
    assert_eq!(requests.len(), 3);
    for profiles in &requests {
        let bytes: usize = profiles.iter().map(|it| it.bytes).sum();
        assert!(bytes < AT_ONCE, "{bytes}");
    }
    let samples: BTreeMap<_, _> = requests
        .iter()
        .flatten()
        .map(|it| (&*it.labels["__name__"], it.samples))
        .collect();
    let left = samples["threadcreate"];
    assert!(
        (1500..5000).contains(&left),
        "{left} samples of two megabytes"
    );
    assert_eq!([samples["goroutine"], samples["mutex"]], [1200, 1200]);
    let said = kept_push(&place);
    let cut = format!(
        "{pod}, threadcreate: without its {} smallest samples",
        5000 - left
    );
    assert_eq!(said["cut"], serde_json::json!([cut]), "{said}");
    // What is said to be there is what is there.
    let totals = &said["totals"]["virt-api"];
    assert_eq!(totals["threadcreate:samples:count"], left, "{said}");

    // Of a pod of three requests the first is refused, and all are told.
    let server = PushServer::start([Answer::of(401, "who are you")]).await;
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    assert_eq!((ended.code, server.received().len()), (1, 1));
    let said = kept_push(&place);
    let told = serde_json::json!({ "refused": 1, "not_sent": 2 });
    assert_eq!(said["profiles"], told, "{said}");
    assert_eq!(said["totals"], serde_json::json!({}), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_without_samples_is_counted_and_not_sent() {
    let pod = "virt-api-6d5f7c8b9d-abcde";
    let mut made = MadeRun::new();
    made.expect(pod, "virt-api", &Value::Null);
    let one = [String::from("f")];
    made.file(
        &format!("{pod}/goroutine.pprof"),
        &profile(&one, [[1].into_iter()].into_iter()),
    );
    for kind in ["block", "mutex"] {
        let none: [std::array::IntoIter<u64, 1>; 0] = [];
        made.file(
            &format!("{pod}/{kind}.pprof"),
            &profile(&one, none.into_iter()),
        );
    }
    let place = made.finish();
    let server = PushServer::start([]).await;
    assert_eq!(push(&place, &server.target("parca"), &[]).await.code, 0);
    assert_eq!(server.profiles().len(), 1);
    let said = kept_push(&place);
    assert_eq!(
        (&said["empty"], &said["complete"]),
        (&2.into(), &true.into()),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_labels_than_a_server_takes_are_left_out_and_named() {
    const MOST: usize = 30;
    let pod = "virt-api-6d5f7c8b9d-abcde";
    let mut made = MadeRun::new();
    made.expect(pod, "virt-api", &serde_json::json!({ "node": "" }));
    let one = [String::from("f")];
    made.file(
        &format!("{pod}/goroutine.pprof"),
        &profile(&one, [[1].into_iter()].into_iter()),
    );
    let (long, name) = ("x".repeat(5000), "b".repeat(5000));
    let mut labels: BTreeMap<String, &str> = (0..40).map(|n| (format!("l{n:02}"), "v")).collect();
    for (name, value) in [
        ("a-long", &*long),
        ("a.cluster", "v"),
        ("cluster", "mine"),
        ("component", "c"),
        ("1st", "v"),
        ("empty", ""),
        (&*name, "v"),
        ("pod", "p"),
        ("__x", "v"),
    ] {
        labels.insert(name.to_owned(), value);
    }
    made.manifest["labels"] = serde_json::json!(labels);
    made.manifest["kubevirt"]["uid"] = "the-uid".into();
    let place = made.finish();
    let server = PushServer::start([]).await;
    assert_eq!(push(&place, &server.target("pyroscope"), &[]).await.code, 0);
    let profiles = server.profiles();
    let sent = &profiles[0].labels;
    // There is room for a node.
    assert_eq!(sent.len(), MOST - 1, "{sent:?}");
    assert!(
        sent.values()
            .all(|value| !value.is_empty() && value.len() <= 2048)
    );
    assert_eq!(
        (&*sent["cluster"], &*sent["pod"], &*sent["a_cluster"]),
        ("mine", pod, "v")
    );
    assert_eq!(sent["_1st"], "v", "no name begins with a digit");
    assert!(sent.keys().all(|name| name.len() <= 1024));
    assert!(!sent.contains_key("node"), "nobody knows it: {sent:?}");
    let said = kept_push(&place);
    let left_out = said["labels_left_out"].as_array().expect("labels");
    let ours = sent.keys().filter(|name| name.starts_with('l')).count();
    // Those of one name, and those that are too many.
    assert_eq!(left_out.len(), 4 + 40 - ours, "{said}");
    for name in [
        "component: there is one",
        "empty: it is",
        "pod: ",
        "__x: ",
        "l39: ",
    ] {
        let mut all = left_out.iter().map(|it| it.as_str().expect("a text"));
        assert!(all.any(|it| it.starts_with(name)), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_damaged_archive_what_is_whole_is_pushed() {
    let pods = ["virt-api-6d5f7c8b9d-abcde", "virt-api-6d5f7c8b9d-fghij"];
    let one = [String::from("f")];
    let mut made = MadeRun::new();
    for pod in pods {
        made.expect(pod, "virt-api", &Value::Null);
        let content = profile(&one, [[1].into_iter()].into_iter());
        made.file(&format!("{pod}/goroutine.pprof"), &content);
    }
    // What is no profile is a fault of its pod's.
    made.file(&format!("{}/mutex.pprof", pods[1]), b"\xff no profile");
    let place = made.finish();
    let server = PushServer::start([]).await;
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    assert_eq!(ended.code, 1, "{}", ended.log);
    assert_eq!(server.profiles().len(), 2);
    let said = kept_push(&place);
    let told = serde_json::json!({ "stored": 2, "not_sent": 1 });
    assert_eq!(said["profiles"], told, "{said}");
    assert_eq!(said["faults"][0]["pod"], pods[1], "{said}");
    let why = said["faults"][0]["why"].as_str().expect("why");
    assert!(why.starts_with("mutex"), "{said}");

    // Cut in its second pod.
    let archive = std::fs::read(place.archive()).expect("an archive");
    std::fs::write(place.archive(), &archive[..archive.len() / 2]).expect("it is ours");
    let server = PushServer::start([]).await;
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    assert_eq!(ended.code, 1, "{}", ended.log);
    assert!(
        ended.log.contains("not all of the archive could be read"),
        "{}",
        ended.log
    );
    let sent = server.profiles();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].labels["pod"], pods[0]);
    // All that was read was stored, and that is not all.
    let said = kept_push(&place);
    assert_eq!(said["profiles"], serde_json::json!({ "stored": 1 }));
    assert_eq!(said["complete"], false, "{said}");
    assert!(!said["unread"][0].is_null(), "{said}");
}
