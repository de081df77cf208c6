//! The KubeVirt object: written, and what follows.

use std::time::Duration;

use crate::client::Bench;
use serde_json::{Value, json};
use standin::{Denied, KubeVirt, Options};

const KUBEVIRT: &str = "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt";

const DELAY: Duration = Duration::from_millis(200);

fn developer(configuration: Value) -> Value {
    json!({ "spec": { "configuration": { "developerConfiguration": configuration } } })
}

fn off(kubevirt: KubeVirt) -> Options {
    Options {
        kubevirt,
        gate: false,
        ..Options::default()
    }
}

/// Whether virt-api has the profiler on.
async fn is_on(bench: &Bench) -> bool {
    match bench.call("dump", String::new()).await.status {
        400 => true,
        403 => false,
        status => panic!("{status}"),
    }
}

#[tokio::test]
async fn each_version_has_its_switch() {
    let gate = || developer(json!({ "featureGates": ["ClusterProfiler"] }));
    let field = || developer(json!({ "clusterProfiler": true }));
    for (version, by_gate, by_field) in [
        (KubeVirt::V1_5, true, false),
        (KubeVirt::V1_7, true, true),
        (KubeVirt::V1_8, false, true),
    ] {
        for (patch, on) in [(gate(), by_gate), (field(), by_field)] {
            let bench = Bench::new(off(version)).await;
            assert!(!is_on(&bench).await);
            assert_eq!(bench.patch(KUBEVIRT, patch.clone()).await.status, 200);
            assert_eq!(is_on(&bench).await, on, "{version:?} with {patch}");
        }
    }
}

#[tokio::test]
async fn a_merge_patch_merges_and_null_removes() {
    let bench = Bench::new(off(KubeVirt::V1_8)).await;
    let before = bench.get(KUBEVIRT).await.json();
    let on = developer(json!({ "clusterProfiler": true }));
    let patched = bench.patch(KUBEVIRT, on).await.json();
    let gates = &patched["spec"]["configuration"]["developerConfiguration"]["featureGates"];
    assert_eq!(*gates, json!(["DataVolumes", "LiveMigration"]));
    let generation = |object: &Value| object["metadata"]["generation"].as_i64();
    assert_eq!(generation(&patched), generation(&before).map(|it| it + 1));
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    assert_ne!(version(&patched), version(&before));

    let off = developer(json!({ "clusterProfiler": null }));
    bench.patch(KUBEVIRT, off).await;
    let after = bench.get(KUBEVIRT).await.json();
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(
        after["status"]["observedGeneration"],
        after["metadata"]["generation"]
    );
    assert_eq!(
        bench.patch(KUBEVIRT, json!({})).await.json(),
        after,
        "nothing changes"
    );
}

#[tokio::test]
async fn a_patch_of_another_version_is_a_conflict() {
    let bench = Bench::new(off(KubeVirt::V1_8)).await;
    let mut patch = developer(json!({ "clusterProfiler": true }));
    let read = bench.standin.kubevirt();
    patch["metadata"]["resourceVersion"] = read["metadata"]["resourceVersion"].clone();
    bench
        .standin
        .edit_kubevirt(|object| object["spec"]["imagePullPolicy"] = json!("Always"));
    let conflict = bench.patch(KUBEVIRT, patch.clone()).await;
    assert_eq!(
        (conflict.status, &conflict.json()["reason"]),
        (409, &json!("Conflict"))
    );
    assert!(!is_on(&bench).await);
    let read = bench.get(KUBEVIRT).await.json();
    patch["metadata"]["resourceVersion"] = read["metadata"]["resourceVersion"].clone();
    assert_eq!(bench.patch(KUBEVIRT, patch).await.status, 200);
    assert!(is_on(&bench).await);
}

#[tokio::test]
async fn what_is_no_merge_patch_is_refused() {
    let bench = Bench::new(Options::default()).await;
    let plain = bench.send("PATCH", KUBEVIRT, "{}".to_owned()).await;
    assert_eq!(
        (plain.status, &plain.json()["reason"]),
        (415, &json!("UnsupportedMediaType"))
    );
    assert_eq!(bench.patch(KUBEVIRT, json!([])).await.status, 400);
    let other = format!("{KUBEVIRT}-other");
    assert_eq!(bench.patch(&other, json!({})).await.status, 404);
}

#[tokio::test]
async fn the_gate_and_the_generation_follow_after_a_while() {
    let bench = Bench::new(Options {
        gate_delay: DELAY * 2,
        observe_delay: DELAY,
        ..off(KubeVirt::V1_8)
    })
    .await;
    let patched = bench
        .patch(KUBEVIRT, developer(json!({ "clusterProfiler": true })))
        .await;
    let generation = patched.json()["metadata"]["generation"].clone();
    assert_ne!(
        bench.standin.kubevirt()["status"]["observedGeneration"],
        generation
    );
    let observed = |object: Value| object["status"]["observedGeneration"] == generation;
    bench
        .standin
        .wait_until(|state| observed(state.kubevirt()))
        .await;
    assert!(!is_on(&bench).await);
    bench.standin.wait_until(|state| state.gate()).await;
    assert!(is_on(&bench).await);
}

#[tokio::test]
async fn an_operator_that_is_away_observes_nothing() {
    let bench = Bench::new(Options::default()).await;
    let settled = || {
        let object = bench.standin.kubevirt();
        object["status"]["observedGeneration"] == object["metadata"]["generation"]
    };
    bench.standin.set_unobserved(true);
    bench.standin.set_gate(false);
    assert!(!settled());
    bench.standin.set_unobserved(false);
    assert!(settled());
}

#[tokio::test]
async fn managed_fields_name_each_fields_last_writer() {
    let bench = Bench::new(off(KubeVirt::V1_8)).await;
    let patch = developer(json!({ "clusterProfiler": true }));
    let path = format!("{KUBEVIRT}?fieldManager=runner&fieldValidation=Ignore");
    bench.patch(&path, patch).await;
    let path = "/spec/f:configuration/f:developerConfiguration/f:clusterProfiler";
    let writers = |object: Value| -> Vec<String> {
        let entries = object["metadata"]["managedFields"]
            .as_array()
            .expect("entries")
            .clone();
        let path = path.replacen("/spec", "/fieldsV1/f:spec", 1);
        let ours = entries
            .iter()
            .filter(|entry| entry.pointer(&path).is_some());
        let names = ours.map(|entry| entry["manager"].as_str().expect("a name").to_owned());
        names.collect()
    };
    assert_eq!(writers(bench.standin.kubevirt()), ["runner"]);
    let headers = [
        ("content-type", "application/merge-patch+json"),
        ("user-agent", "argocd/v3.1 (linux)"),
    ];
    let patch = developer(json!({ "clusterProfiler": false }));
    let sent = bench.send_with("PATCH", KUBEVIRT, &headers, patch.to_string());
    assert_eq!(sent.await.expect("an answer").status, 200);
    assert_eq!(writers(bench.standin.kubevirt()), ["argocd"]);
    bench.standin.set_gate(true);
    assert_eq!(writers(bench.standin.kubevirt()), ["kubectl-patch"]);
}

#[tokio::test]
async fn an_object_without_a_phase_is_ignored() {
    let bench = Bench::new(Options::default()).await;
    bench
        .standin
        .edit_kubevirt(|object| object["status"]["phase"] = json!(""));
    assert!(!is_on(&bench).await);
}

#[tokio::test]
async fn a_patch_takes_a_right_of_its_own() {
    let bench = Bench::new(Options {
        denied: vec![Denied::new("patch", "kubevirts")],
        ..Options::default()
    })
    .await;
    assert_eq!(bench.get(KUBEVIRT).await.status, 200);
    let refused = bench.patch(KUBEVIRT, json!({})).await;
    assert_eq!(
        (refused.status, &refused.json()["reason"]),
        (403, &json!("Forbidden"))
    );
}
