//! The gate under HyperConverged: one operation among others' in an annotation.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::gate::run_command;
use crate::place::Place;
use crate::setup::{Rig, until};

const NAME: &str = "kubevirt-hyperconverged";
const ANNOTATION: &str = "kubevirt.kubevirt.io/jsonpatch";

fn annotation(rig: &Rig) -> Value {
    rig.get("hyperconverged", NAME)["metadata"]["annotations"][ANNOTATION].clone()
}

fn annotate(rig: &Rig, text: Option<&str>) {
    let patch = json!({ "metadata": { "annotations": { ANNOTATION: text } } });
    rig.patch("hyperconverged", NAME, &patch);
}

/// Ends a case that had operations: it is over when HyperConverged has taken them out of the KubeVirt object,
/// or the next case would take what is left of them for a change of its own.
fn without_operations(rig: &Rig, before: &str) {
    annotate(rig, None);
    until("the KubeVirt object", || rig.spec() == before);
}

pub(crate) fn no_annotation(rig: &Rig) {
    let before = rig.spec();
    Place::restoring(rig).run().with(0);
    assert_eq!(annotation(rig), Value::Null);
    until("the KubeVirt object", || rig.spec() == before);
    assert!(rig.is_on() == Some(false));
}

/// Of a version that is newer than the one which this program was written for, the API server's preferred one.
pub(crate) fn newer_version(rig: &Rig) {
    const CRD: &str = "hyperconvergeds.hco.kubevirt.io";
    let old = rig.get("crd", CRD)["spec"]["versions"][0].clone();
    let mut new = old.clone();
    new["name"] = json!("v1");
    new["storage"] = json!(false);
    rig.patch("crd", CRD, &json!({ "spec": { "versions": [old, new] } }));
    until("the new version", || {
        let group = rig.kubectl(&["get", "--raw", "/apis/hco.kubevirt.io"]);
        let group: Value = serde_json::from_str(&group).expect("JSON");
        group["preferredVersion"]["version"] == "v1"
    });
    let before = rig.spec();
    let place = Place::restoring(rig).with("SETTLE", "1h");
    let mut run = place.spawn();
    run.says("profiling is on");
    let shown = [
        "-n",
        &rig.namespace,
        "get",
        "hyperconverged",
        NAME,
        "-o",
        "json",
        "--show-managed-fields",
    ];
    let object: Value = serde_json::from_str(&rig.kubectl(&shown)).expect("JSON");
    let fields = object["metadata"]["managedFields"]
        .as_array()
        .expect("fields");
    let ours = fields
        .iter()
        .find(|entry| entry["manager"] == "cluster-profiler-job");
    assert_eq!(ours.expect("our write")["apiVersion"], "hco.kubevirt.io/v1");
    place.stop_window();
    run.end().with(0);
    until("the KubeVirt object", || rig.spec() == before);
    assert!(rig.is_on() == Some(false));
}

pub(crate) fn foreign_operations(rig: &Rig) {
    let before = rig.spec();
    let gates = r#"{"op":"add","path":"/spec/configuration/developerConfiguration/featureGates/-","value":"Sidecar"}"#;
    let whole = r#"{ "op": "add", "path": "/spec/configuration", "value": {"network":{}} }"#;
    let tuning = r#"{"op":"add","path":"/spec/configuration/apiConfiguration","value":{"restClient":{"rateLimiter":{"tokenBucketRateLimiter":{"qps":50,"burst":100}}}}}"#;
    for text in [
        format!("[{gates}]"),
        format!("[\n  {whole}\n]"),
        format!("[ {tuning} , {gates} ]"),
    ] {
        annotate(rig, Some(&text));
        until("the annotation", || {
            rig.get("hyperconverged", NAME)["status"].is_object()
        });
        let place = Place::restoring(rig).with("SETTLE", "1h");
        let mut run = place.spawn();
        run.says("profiling is on");
        let now = annotation(rig);
        let now = now.as_str().expect("an annotation");
        assert!(now.contains("clusterProfiler"), "{now}");
        // A foreign edit in mid-run: one more operation, after ours.
        let edited = format!(
            "{},{tuning}]",
            now.trim_end().trim_end_matches(']').trim_end()
        );
        annotate(rig, Some(&edited));
        place.stop_window();
        run.end().with(0);
        let left = annotation(rig);
        let left = left.as_str().expect("an annotation");
        assert!(!left.contains("clusterProfiler"), "{left}");
        let theirs = format!(
            "{},{tuning}]",
            text.trim_end().trim_end_matches(']').trim_end()
        );
        assert_eq!(left, theirs);
        // And byte for byte where nobody else wrote.
        annotate(rig, Some(&text));
        until("the gate", || rig.is_on() == Some(false));
        Place::restoring(rig).run().with(0);
        assert_eq!(annotation(rig), text.as_str());
    }
    without_operations(rig, &before);
}

pub(crate) fn killed(rig: &Rig) {
    let before = rig.spec();
    let theirs = r#"[ {"op":"add","path":"/spec/configuration/apiConfiguration","value":{"restClient":{}}} ]"#;
    annotate(rig, Some(theirs));
    let dead = Place::restoring(rig)
        .with_short_lease()
        .with("SETTLE", "1h");
    let mut run = dead.spawn();
    run.says("profiling is on");
    run.send(Signal::KILL);
    run.end();
    let now = annotation(rig);
    assert!(
        now.as_str()
            .expect("an annotation")
            .contains("clusterProfiler")
    );
    let next = Place::restoring(rig)
        .with_short_lease()
        .with("RUN_ID", "next");
    next.run().with(0).said("discarding what it had profiled");
    assert_eq!(annotation(rig), theirs);
    assert_eq!(rig.record(), None);
    without_operations(rig, &before);
}

pub(crate) fn require(rig: &Rig) {
    let before = rig.spec();
    let tuning =
        r#"[{"op":"add","path":"/spec/configuration/apiConfiguration","value":{"restClient":{}}}]"#;
    annotate(rig, Some(tuning));
    until("the gate", || rig.is_on() == Some(false));
    let ended = Place::new(rig).run().with(3);
    run_command(rig, &ended.log, "oc -n");
    until("the gate", || rig.is_on() == Some(true));
    let now = annotation(rig);
    let now = now.as_str().expect("an annotation");
    assert!(
        now.contains("restClient") && now.contains("clusterProfiler"),
        "{now}"
    );
    Place::new(rig).run().with(0);
    without_operations(rig, &before);
}

pub(crate) fn denied(rig: &Rig) {
    let gate = rig.get("role", "cluster-profiler-gate");
    let role = [
        "-n",
        &rig.namespace,
        "delete",
        "role",
        "cluster-profiler-gate",
    ];
    rig.kubectl(&role);
    let ended = Place::restoring(rig).run().with(3);
    assert!(
        ended.log.contains("hyperconvergeds") && ended.log.contains("patch"),
        "{}",
        ended.log
    );
    rig.apply(
        &json!({
            "apiVersion": gate["apiVersion"], "kind": gate["kind"], "rules": gate["rules"],
            "metadata": { "name": gate["metadata"]["name"], "namespace": rig.namespace },
        })
        .to_string(),
    );
    // Our operation applies to nothing while this policy is there, and no right is missing.
    rig.apply(DENY);
    until("the policy", || !may_write(rig));
    Place::restoring(rig)
        .run()
        .with(3)
        .said("denied on admission, and not for want of a right");
    rig.kubectl(&[
        "delete",
        "validatingadmissionpolicy,validatingadmissionpolicybinding",
        "deny",
    ]);
    until("the policy's end", || may_write(rig));
}

/// A patch of the object as the account that runs: whether it was let through, and what was said.
fn patch_as_account(rig: &Rig, patch: &Value) -> (bool, String) {
    let (namespace, patch) = (&rig.namespace, patch.to_string());
    let object = ["-n", namespace, "patch", "hyperconverged", NAME];
    rig.as_account(&[&object[..], &["--type=merge", "-p", &patch]].concat())
}

/// Whether the account's writes are let through: another each time, for one that changes nothing is.
fn may_write(rig: &Rig) -> bool {
    let label = json!({ "tried": format!("{:08x}", fastrand::u32(..)) });
    patch_as_account(rig, &json!({ "metadata": { "labels": label } })).0
}

const DENY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: deny}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [hco.kubevirt.io], apiVersions: ["*"], operations: [UPDATE], resources: [hyperconvergeds]}
  validations:
  - {expression: "false", message: nothing may be changed}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: deny}
spec: {policyName: deny, validationActions: [Deny]}
"#;

pub(crate) fn guard(rig: &Rig) {
    let before = rig.spec();
    let theirs =
        r#"[{"op":"add","path":"/spec/configuration/apiConfiguration","value":{"restClient":{}}}]"#;
    annotate(rig, Some(theirs));
    rig.apply(&rig.manifests("rights-with-guard"));
    let annotated =
        |text: Option<&str>| json!({ "metadata": { "annotations": { ANNOTATION: text } } });
    let image = r#"{"op":"add","path":"/spec/imageTag","value":"forged"}"#;
    let with = format!("{},{image}]", theirs.trim_end_matches(']'));
    until("the policy", || !may_write(rig));
    for (what, forged) in [
        (
            "a label",
            json!({ "metadata": { "labels": { "forged": "yes" } } }),
        ),
        (
            "another annotation",
            json!({ "metadata": { "annotations": { "forged": "yes" } } }),
        ),
        ("the specification", json!({ "spec": { "forged": true } })),
        ("a foreign operation", annotated(Some(&with))),
        ("others' operations taken away", annotated(Some("[]"))),
        ("the annotation taken away", annotated(None)),
    ] {
        let (done, said) = patch_as_account(rig, &forged);
        assert!(!done, "{what} was let through");
        assert!(said.contains("ValidatingAdmissionPolicy"), "{what}: {said}");
    }
    Place::restoring(rig).run().with(0);
    assert_eq!(annotation(rig), theirs);
    without_operations(rig, &before);
    Place::restoring(rig).run().with(0);
    assert_eq!(annotation(rig), Value::Null);
}
