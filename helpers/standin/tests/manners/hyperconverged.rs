//! HyperConverged: its annotation is the only way to the KubeVirt object.

use std::time::Duration;

use crate::client::{Answer, Bench};
use serde_json::{Value, json};
use standin::{Denied, KubeVirt, Options, RouteAnswer, RouteFault, Times};

const OWNER: &str =
    "/apis/hco.kubevirt.io/v1beta1/namespaces/kubevirt/hyperconvergeds/kubevirt-hyperconverged";
const KUBEVIRTS: &str = "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts";
const ANNOTATION: &str = "kubevirt.kubevirt.io/jsonpatch";
const FIELD: &str = "/spec/configuration/developerConfiguration/clusterProfiler";

fn options() -> Options {
    Options {
        hyperconverged: true,
        gate: false,
        ..Options::default()
    }
}

async fn annotate(bench: &Bench, text: Option<&str>) -> Answer {
    let patch = json!({ "metadata": { "annotations": { ANNOTATION: text } } });
    bench.patch(OWNER, patch).await
}

/// Whether virt-api has the profiler on.
async fn is_on(bench: &Bench) -> bool {
    bench.call("dump", String::new()).await.status == 400
}

fn add(path: &str, value: Value) -> Value {
    json!({ "op": "add", "path": path, "value": value })
}

fn is_tainted(object: &Value) -> bool {
    let conditions = object["status"]["conditions"]
        .as_array()
        .expect("conditions");
    conditions
        .iter()
        .any(|it| it["type"] == "TaintedConfiguration")
}

#[tokio::test]
async fn the_annotation_makes_the_kubevirt_object() {
    let bench = Bench::new(options()).await;
    let list = bench.get(KUBEVIRTS).await.json();
    let before = &list["items"][0];
    assert_eq!(
        before["metadata"]["name"],
        "kubevirt-kubevirt-hyperconverged"
    );
    let labels = &before["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/managed-by"], "hco-operator");
    assert!(!is_on(&bench).await);

    let text = json!([add(FIELD, json!(true))]).to_string();
    assert_eq!(annotate(&bench, Some(&text)).await.status, 200);
    assert_eq!(bench.standin.kubevirt().pointer(FIELD), Some(&json!(true)));
    assert!(is_on(&bench).await);
    assert!(is_tainted(&bench.get(OWNER).await.json()));

    assert_eq!(annotate(&bench, None).await.status, 200);
    assert_eq!(bench.standin.kubevirt()["spec"], before["spec"]);
    assert!(!is_on(&bench).await);
    assert!(!is_tainted(&bench.standin.hyperconverged()));
}

#[tokio::test]
async fn the_gate_option_is_an_operation_for_each_version() {
    for kubevirt in [KubeVirt::V1_5, KubeVirt::V1_7, KubeVirt::V1_8] {
        let bench = Bench::new(Options {
            kubevirt,
            gate: true,
            ..options()
        })
        .await;
        assert_eq!(bench.call("dump", String::new()).await.status, 400);
        for on in [false, true] {
            bench.standin.set_gate(on);
            let status = if on { 400 } else { 403 };
            assert_eq!(
                bench.call("dump", String::new()).await.status,
                status,
                "{kubevirt:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_direct_patch_is_overwritten_at_once() {
    let bench = Bench::new(options()).await;
    let before = bench.standin.kubevirt();
    let path = format!("{KUBEVIRTS}/kubevirt-kubevirt-hyperconverged");
    let patch = json!({ "spec": { "configuration": { "developerConfiguration": { "clusterProfiler": true } } } });
    let patched = bench.patch(&path, patch).await;
    assert_eq!(patched.status, 200);
    assert_eq!(patched.json().pointer(FIELD), Some(&json!(true)));
    let after = bench.standin.kubevirt();
    assert_eq!(after["spec"], before["spec"]);
    let generation = |object: &Value| object["metadata"]["generation"].as_i64();
    assert_eq!(generation(&after), generation(&before).map(|it| it + 2));
    assert_eq!(bench.call("dump", String::new()).await.status, 403);
}

#[tokio::test]
async fn the_operator_takes_its_time() {
    let bench = Bench::new(Options {
        hyperconverged_delay: Duration::from_millis(200),
        ..options()
    })
    .await;
    bench.standin.set_gate(true);
    assert_eq!(bench.call("dump", String::new()).await.status, 403);
    bench.standin.wait_until(|state| state.gate()).await;
    assert_eq!(bench.call("dump", String::new()).await.status, 400);
}

#[tokio::test]
async fn the_webhook_denies_in_hyperconvergeds_words() {
    let bench = Bench::new(options()).await;
    let before = bench.standin.hyperconverged();
    let gates = "/spec/configuration/developerConfiguration/featureGates";
    let operation = |operation: Value| json!([operation]).to_string();
    for (text, why) in [
        (
            "{}".to_owned(),
            "json: cannot unmarshal object into Go value of type jsonpatch.Patch",
        ),
        ("abc".to_owned(), "invalid state detected"),
        (
            operation(json!({ "op": "frob", "path": "/spec/x" })),
            r#"invalid operation {"op":"frob","path":"/spec/x"}: unsupported operation"#,
        ),
        (
            operation(json!({ "op": "add", "path": "/spec/x" })),
            "invalid operation {\"op\":\"add\",\"path\":\"/spec/x\"}: failed to decode 'value': \
             operation, missing value field: missing value",
        ),
        (
            operation(add("/metadata/labels", json!({}))),
            "can only modify spec fields",
        ),
        (
            operation(add("/spec/x/y", json!(1))),
            r#"add operation does not apply: doc is missing path: "/spec/x/y": missing value"#,
        ),
        (
            operation(add(&format!("{gates}/99"), json!("x"))),
            "error in add for path: '/spec/configuration/developerConfiguration/featureGates/99': \
             Unable to access invalid index: 99: invalid index referenced",
        ),
        (
            operation(json!({ "op": "remove", "path": "/spec/x" })),
            "error in remove for path: '/spec/x': unable to remove nonexistent key: x: missing value",
        ),
        (
            operation(json!({ "op": "replace", "path": "/spec/x", "value": 1 })),
            "replace operation does not apply: doc is missing key: /spec/x: missing value",
        ),
        (
            operation(json!({ "op": "test", "path": "/spec/productName", "value": 1 })),
            "testing value /spec/productName failed: test failed",
        ),
    ] {
        let denied = annotate(&bench, Some(&text)).await;
        let message = format!(
            "admission webhook \"validate-hco.kubevirt.io\" denied the request: invalid jsonPatch in \
             the kubevirt.kubevirt.io/jsonpatch annotation: {why}"
        );
        let status = denied.json();
        assert_eq!(
            (denied.status, &status["reason"]),
            (403, &json!("Forbidden"))
        );
        assert_eq!(status["message"], json!(message));
    }
    assert_eq!(bench.standin.hyperconverged(), before);
}

#[tokio::test]
async fn what_an_operation_takes_away_stays() {
    let bench = Bench::new(options()).await;
    let whole = json!({ "developerConfiguration": { "clusterProfiler": true } });
    let text = json!([
        add("/spec/configuration", whole),
        { "op": "remove", "path": "/spec/productName" },
    ]);
    assert_eq!(annotate(&bench, Some(&text.to_string())).await.status, 200);
    let spec = bench.standin.kubevirt()["spec"].clone();
    assert_eq!(spec["productName"], "hyperconverged-cluster");
    let developer = &spec["configuration"]["developerConfiguration"];
    assert_eq!(developer["clusterProfiler"], true);
    assert!(developer["featureGates"].is_array(), "{developer}");
}

#[tokio::test]
async fn a_patch_of_another_version_is_a_conflict() {
    let bench = Bench::new(options()).await;
    let version = bench.standin.hyperconverged()["metadata"]["resourceVersion"].clone();
    bench.standin.edit_hyperconverged(|object| {
        object["metadata"]["annotations"] = json!({ ANNOTATION: "[{}]" });
    });
    let patch = json!({ "metadata": { "resourceVersion": version, "labels": { "a": "b" } } });
    assert_eq!(bench.patch(OWNER, patch).await.status, 409);
    // Past the webhook, and then it stands in the way of nobody who leaves it as it is.
    let patch = json!({ "metadata": { "labels": { "a": "b" } } });
    assert_eq!(bench.patch(OWNER, patch).await.status, 200);
}

#[tokio::test]
async fn rights_and_faults_reach_it_and_elsewhere_it_is_not() {
    let bench = Bench::new(Options {
        denied: vec![Denied::new("patch", "hyperconvergeds")],
        ..options()
    })
    .await;
    assert_eq!(bench.get(OWNER).await.status, 200);
    let refused = annotate(&bench, None).await.json();
    let message = refused["message"].as_str().expect("a message");
    assert!(
        message.contains("cannot patch resource \"hyperconvergeds\""),
        "{message}"
    );
    let gone = RouteFault::new(
        "/kubevirt-hyperconverged",
        RouteAnswer::Hangup,
        Times::First(1),
    );
    bench.standin.route_fault(gone);
    assert!(bench.try_send("GET", OWNER, String::new()).await.is_none());

    let plain = Bench::new(Options::default()).await;
    assert_eq!(plain.get(OWNER).await.status, 404);
    assert_eq!(plain.standin.hyperconverged(), Value::Null);
}
