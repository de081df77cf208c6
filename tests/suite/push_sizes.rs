//! `push`: profiles and labels that are more than a server takes, and those of nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::made_runs::{MadeRun, profile};
use crate::push_command::{kept_push, push};
use crate::push_server::{PushServer, Received};

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_too_many_samples_keeps_the_largest() {
    const MANY: u64 = 16_100;
    let pod = "virt-api-6d5f7c8b9d-abcde";
    let functions: Vec<_> = (0..MANY).map(|number| format!("f{number}")).collect();
    let mut made = MadeRun::new();
    made.expect(pod, "virt-api", &Value::Null);
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
    assert!(
        profiles[0].header.time_nanos > 0,
        "one without a time has the window's"
    );
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
    made.expect(pod, "virt-api", &Value::Null);
    let one = [String::from("f")];
    made.file(
        &format!("{pod}/goroutine.pprof"),
        &profile(&one, [[1].into_iter()].into_iter()),
    );
    let long = "x".repeat(5000);
    let mut labels: BTreeMap<String, &str> = (0..40).map(|n| (format!("l{n:02}"), "v")).collect();
    for (name, value) in [
        ("a-long", &*long),
        ("a.cluster", "v"),
        ("cluster", "mine"),
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
    assert_eq!(sent.len(), MOST, "{sent:?}");
    assert!(
        sent.values()
            .all(|value| !value.is_empty() && value.len() <= 2048)
    );
    assert_eq!(
        (&*sent["cluster"], &*sent["pod"], &*sent["a_cluster"]),
        ("mine", pod, "v")
    );
    let said = kept_push(&place);
    let left_out = said["labels_left_out"].as_array().expect("labels");
    let ours = sent.keys().filter(|name| name.starts_with('l')).count();
    // Those of one name, and those that are too many.
    assert_eq!(left_out.len(), 2 + 40 - ours, "{said}");
    for name in ["pod: ", "__x: ", "l39: "] {
        let mut all = left_out.iter().map(|it| it.as_str().expect("a text"));
        assert!(all.any(|it| it.starts_with(name)), "{name}: {said}");
    }
}
