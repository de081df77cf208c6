//! `push`: what a server gets of a kept run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use cluster_profiler_job::pprof::ProfileReader;
use serde_json::Value;
use standin::{Options, Profiles, Standin};

use crate::harness::{Ended, Place, RUN_ID, Shipped};
use crate::push_server::{Profile, PushServer};

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
        if kind == "parca" {
            assert!(requests.iter().all(|it| it.body["normalized"] == true));
            continue;
        }
        let series = requests.iter().flat_map(|it| it.body["series"].as_array());
        let ids = series
            .flatten()
            .map(|it| it["samples"][0]["ID"].to_string());
        assert_eq!(
            ids.collect::<BTreeSet<_>>().len(),
            profiles.len(),
            "one id each"
        );
    }
    // Once more to the same server: what is kept of it takes the place of what was.
    assert_eq!(push(&place, &server.target("parca"), &[]).await.code, 0);
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
    // What is there and makes no sense is nobody's fault.
    let path = place.out().join(format!("profile-{RUN_ID}.push.json"));
    std::fs::write(path, "nonsense").expect("a file");
    assert_eq!(push(&place, &server.target("parca"), &[]).await.code, 0);
    assert_eq!(kept_push(&place)["complete"], true);
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
