//! `push`: what a server gets of a kept run, and what is said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use cluster_profiler_job::pprof::ProfileReader;
use serde_json::Value;
use standin::{Options, Profiles, Standin};

use crate::harness::{Ended, Place, RUN_ID, Shipped};
use crate::made_runs::{MadeRun, profile};
use crate::push_server::{Answer, Profile, PushServer, Received};

/// A run with a baseline, or without one.
pub(crate) async fn kept(baseline: bool) -> (Place, Shipped) {
    let options = Options {
        profiles: Profiles::Window,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin)
        .with("PROFILER_BASELINE", baseline)
        .with("PROFILER_LABELS", "build=4711,app.kubernetes.io/team=virt");
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    (place, shipped)
}

pub(crate) async fn push(place: &Place, target: &str, more: &[&str]) -> Ended {
    let arguments = [&["push", RUN_ID, target], more].concat();
    place.run_with(&arguments).await
}

/// The last push that is kept beside the archive.
pub(crate) fn kept_push(place: &Place) -> Value {
    let path = place.out().join(format!("profile-{RUN_ID}.push.json"));
    let json = std::fs::read(path).expect("a file");
    let file: Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(file["run_id"], RUN_ID);
    file["pushes"]
        .as_array()
        .expect("pushes")
        .last()
        .expect("a push")
        .clone()
}

/// The sums of the archive's profiles, by component and by NAME:TYPE:UNIT, as they are to be pushed.
pub(crate) fn expected(shipped: &Shipped) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut totals: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for pod in &shipped.manifest.pods {
        let component = pod.pod.component.to_string();
        for (file, name, prefix) in [
            ("cpu.pprof", "process_cpu", ""),
            ("heap.pprof", "memory", "inuse_"),
            ("delta/allocs.pprof", "memory", "alloc_"),
            ("goroutine.pprof", "goroutine", ""),
            ("threadcreate.pprof", "threadcreate", ""),
            ("delta/block.pprof", "block", ""),
            ("delta/mutex.pprof", "mutex", ""),
        ] {
            let path = format!("profile-{RUN_ID}/{}/{file}", pod.pod.name);
            let Some(content) = shipped.files.get(&path) else {
                continue;
            };
            let mut profile = ProfileReader::open(Cursor::new(content)).expect("a profile");
            let sums = profile.totals().expect("sums");
            for (of, sum) in profile.header().sample_types.iter().zip(sums) {
                if of.name.starts_with(prefix) && sum != 0 {
                    let key = format!("{name}:{}:{}", of.name, of.unit);
                    *totals
                        .entry(component.clone())
                        .or_default()
                        .entry(key)
                        .or_default() += sum;
                }
            }
        }
    }
    totals
}

/// The same of what a server got.
fn arrived(profiles: &[Profile]) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut totals: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for profile in profiles {
        let of_component = totals
            .entry(profile.labels["component"].clone())
            .or_default();
        for (of, sum) in profile.header.sample_types.iter().zip(&profile.totals) {
            let key = format!("{}:{}:{}", profile.labels["__name__"], of.name, of.unit);
            *of_component.entry(key).or_default() += sum;
        }
    }
    totals
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_adds_up_to_the_archive() {
    let (place, shipped) = kept(true).await;
    let server = PushServer::start([]).await;
    for kind in ["pyroscope", "parca"] {
        let before = server.received().len();
        let ended = push(&place, &server.target(kind), &[]).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let requests = server.received().split_off(before);
        let profiles: Vec<_> = requests
            .iter()
            .flat_map(|request| request.profiles())
            .collect();
        let wanted = expected(&shipped);
        assert_eq!(arrived(&profiles), wanted, "{kind}");
        let said = kept_push(&place);
        assert_eq!(said["totals"], serde_json::json!(wanted), "{kind}");
        assert_eq!(said["complete"], true, "{said}");
        assert_eq!(said["profiles"]["stored"], profiles.len());
        // One pod a request.
        for request in &requests {
            let pods: BTreeSet<_> = request
                .profiles()
                .iter()
                .map(|it| it.labels["pod"].clone())
                .collect();
            assert_eq!(pods.len(), 1);
        }
        assert_eq!(requests.len(), shipped.manifest.pods.len());
    }
    let to: BTreeSet<_> = server
        .received()
        .into_iter()
        .map(|request| request.to)
        .collect();
    let to: Vec<_> = to.iter().map(String::as_str).collect();
    assert_eq!(
        to,
        [
            "POST /api/profiles/writeraw",
            "POST /push.v1.PusherService/Push"
        ]
    );
    let file = std::fs::read_to_string(place.out().join(format!("profile-{RUN_ID}.push.json")));
    let file: Value = serde_json::from_str(&file.expect("a file")).expect("JSON");
    assert_eq!(
        file["pushes"].as_array().map(Vec::len),
        Some(2),
        "both are kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_profile_has_its_time_its_length_and_its_labels() {
    let (place, shipped) = kept(true).await;
    let server = PushServer::start([]).await;
    assert_eq!(push(&place, &server.target("pyroscope"), &[]).await.code, 0);
    let window = shipped.manifest.window;
    let begin = i64::try_from(window.start.as_nanosecond()).expect("nanoseconds");
    for profile in server.profiles() {
        let labels = &profile.labels;
        let pod = &shipped.pod(&labels["pod"]).pod;
        let name = &*labels["__name__"];
        assert_eq!(labels["service_name"], pod.component.name());
        assert_eq!(labels["node"], pod.node);
        assert_eq!(labels["namespace"], shipped.manifest.kubevirt.namespace);
        assert_eq!(
            labels["cluster"],
            *shipped.manifest.kubevirt.uid.as_ref().expect("a UID")
        );
        assert_eq!(
            labels["kubevirt_version"],
            *shipped
                .manifest
                .kubevirt
                .version
                .as_ref()
                .expect("a version")
        );
        assert_eq!(labels["build"], "4711");
        assert_eq!(labels["app_kubernetes_io_team"], "virt");
        assert_eq!(labels["__delta__"], "false");
        assert!(!labels.contains_key("run_id"), "a series for each night");
        assert!(profile.samples > 0, "{name}");
        assert_eq!(profile.sample_labels, 0, "{name}: each would be a series");
        // Whole seconds, as the archive has them.
        assert!(profile.header.time_nanos > begin - 2_000_000_000, "{name}");
        let is_counted =
            name == "process_cpu" || profile.header.sample_types[0].name.starts_with("alloc_");
        assert_eq!(
            profile.header.duration_nanos > 0,
            is_counted || name == "block" || name == "mutex",
            "{name}"
        );
        if name == "process_cpu" {
            // What began an hour ago would be refused.
            let path = format!("profile-{RUN_ID}/{}/cpu.pprof", labels["pod"]);
            let own = ProfileReader::open(Cursor::new(&shipped.files[&path])).expect("a profile");
            let own = own.header();
            assert!(own.duration_nanos > 0);
            let end = own.time_nanos + own.duration_nanos;
            assert_eq!(profile.header.time_nanos, end);
        }
        let types: Vec<_> = profile
            .header
            .sample_types
            .iter()
            .map(|of| &*of.name)
            .collect();
        if name == "memory" {
            assert!(
                types == ["inuse_objects", "inuse_space"]
                    || types == ["alloc_objects", "alloc_space"]
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_baseline_no_allocations_are_pushed() {
    let (place, _) = kept(false).await;
    let server = PushServer::start([]).await;
    assert_eq!(
        push(&place, &server.target("pyroscope"), &["--time", "now"])
            .await
            .code,
        0
    );
    let profiles = server.profiles();
    let types = profiles.iter().flat_map(|it| &it.header.sample_types);
    let types: BTreeSet<_> = types.map(|of| &*of.name).collect();
    assert!(
        types.contains("inuse_space") && types.contains("cpu"),
        "{types:?}"
    );
    assert!(
        !types.iter().any(|name| name.starts_with("alloc_")),
        "{types:?}"
    );
    // All of one push are new, whatever the archive's age.
    let newest = profiles.iter().map(|it| it.header.time_nanos).max();
    let written = std::fs::metadata(place.archive())
        .and_then(|it| it.modified())
        .expect("a time");
    let written = written
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a time")
        .as_nanos();
    let oldest = profiles
        .iter()
        .map(|it| it.header.time_nanos)
        .min()
        .expect("a time");
    assert!(
        i128::from(oldest) >= written as i128,
        "{oldest} {newest:?} {written}"
    );
}

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
            vec![Answer::Status(
                307,
                "location: http://127.0.0.1:1/\r\n",
                "elsewhere".to_owned(),
            )],
            "refused",
            "307 Temporary Redirect: elsewhere",
        ),
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

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_nothing_is_not_asked_at_every_pod() {
    let (place, shipped) = kept(false).await;
    let pods = shipped.manifest.pods.len();
    assert!(pods > 4);
    let silent = || Answer::of(502, "bad gateway");
    for (answers, asked) in [
        (vec![Answer::of(401, "who are you")], 1),
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
        "# ours\nX-Scope-OrgID: tenant-7\nAuthorization: Bearer s3cr3t-token\n",
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
    for text in [&said, &ended.log] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    std::fs::write(&headers, "Authorization s3cr3t\n").expect("a file");
    let ended = push(&place, &server.target("pyroscope"), &[]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.log.contains("line 1 is no header"), "{}", ended.log);
    assert!(!ended.log.contains("s3cr3t"), "{}", ended.log);
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
    }
}

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
