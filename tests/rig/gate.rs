//! The gate of a plain KubeVirt object.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::place::{Place, RUN_ID};
use crate::setup::{Rig, until, write};

const NEVER: &str = "1h";

/// The command in a message, run in a shell as admin.
pub(crate) fn run_command(rig: &Rig, log: &str, program: &str) {
    let log = serde_json::from_str::<serde_json::Value>(log.lines().last().unwrap_or_default());
    let reason = log.expect("a log line")["reason"]
        .as_str()
        .expect("a reason")
        .to_owned();
    let at = reason.find(program).expect("a command");
    let path = format!("{}:/usr/bin:/bin", rig.path("bin").display());
    let oc = rig.path("oc");
    if !oc.exists() {
        std::os::unix::fs::symlink(rig.path("bin/kubectl"), &oc).expect("a link");
    }
    let path = format!("{}:{path}", rig.path("").display());
    write(|| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &reason[at..]]).env("PATH", &path);
        shell.env("KUBECONFIG", rig.path("kubeconfig"));
        shell
    });
}

pub(crate) fn require(rig: &Rig) {
    let before = rig.spec();
    let ended = Place::new(rig).run().with(3);
    assert_eq!(rig.spec(), before);
    run_command(rig, &ended.log, "kubectl -n");
    until("the gate", || rig.is_on() == Some(true));
    Place::new(rig).run().with(0);
    rig.turn(false);
    assert_eq!(rig.spec(), before);
}

pub(crate) fn enable(rig: &Rig) {
    let place = Place::new(rig).with("FEATURE_GATE", "enable");
    place.run().with(0);
    assert!(rig.is_on() == Some(true));
    let gate = place.manifest().expect("a manifest").gate;
    assert!(!gate.before && gate.after);
    rig.turn(false);
}

pub(crate) fn enable_and_restore(rig: &Rig) {
    let before = rig.spec();
    let place = Place::restoring(rig);
    place.run().with(0);
    assert_eq!(rig.spec(), before);
    let gate = place.manifest().expect("a manifest").gate;
    assert!(!gate.before && !gate.after && gate.changed.is_some());
    assert_eq!(rig.record(), None);
}

pub(crate) fn foreign_edit(rig: &Rig) {
    let name = rig.kubevirt_name();
    let edit = |value: serde_json::Value| {
        let developer = json!({ "developerConfiguration": { "cpuAllocationRatio": value } });
        rig.patch(
            "kubevirt",
            &name,
            &json!({ "spec": { "configuration": developer } }),
        );
    };
    let before = rig.spec();
    let place = Place::restoring(rig).with("SETTLE", NEVER);
    let mut run = place.spawn();
    run.says("profiling is on");
    edit(json!(7));
    place.stop_window();
    run.end().with(0);
    let now = rig.get("kubevirt", &name);
    let developer = &now["spec"]["configuration"]["developerConfiguration"];
    assert_eq!(developer["cpuAllocationRatio"], 7);
    assert_eq!(developer.get("clusterProfiler"), None);
    edit(serde_json::Value::Null);
    let emptied = rig.spec();
    assert!(
        emptied == before || emptied.contains("\"developerConfiguration\":{}"),
        "{emptied}"
    );
}

pub(crate) fn reverted(rig: &Rig) {
    let before = rig.spec();
    let place = Place::restoring(rig)
        .with("SETTLE", NEVER)
        .with("COMPONENTS", "all");
    let mut run = place.spawn();
    run.says("profiling is on");
    rig.turn(false);
    place.stop_window();
    let ended = run.end().with(0).said("turned off while it was profiling");
    assert!(
        ended.log.contains("kubectl-patch"),
        "the rival is named: {}",
        ended.log
    );
    assert_eq!(rig.spec(), before);
    assert!(
        place
            .path("out")
            .join(format!("profile-{RUN_ID}.json"))
            .exists()
    );
}

/// What the API server asks before KubeVirt's object is changed, at an address where nobody listens.
fn webhook_that_is_away() -> serde_json::Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "away" },
        "webhooks": [{
            "name": "away.example.com",
            "clientConfig": { "url": "https://127.0.0.1:1/" },
            "rules": [{
                "apiGroups": ["kubevirt.io"],
                "apiVersions": ["*"],
                "operations": ["UPDATE"],
                "resources": ["kubevirts"],
            }],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }],
    })
}

pub(crate) fn webhook_away(rig: &Rig) {
    const LONGER_THAN_A_FEW_TRIES: Duration = Duration::from_secs(20);
    let before = rig.spec();
    let place = Place::restoring(rig).with("SETTLE", NEVER);
    let mut run = place.spawn();
    run.says("profiling is on");
    rig.apply(&webhook_that_is_away().to_string());
    place.stop_window();
    run.says("failed calling webhook");
    std::thread::sleep(LONGER_THAN_A_FEW_TRIES);
    assert_eq!(rig.is_on(), Some(true));
    rig.process("kill", "kube-apiserver");
    rig.process("start", "kube-apiserver");
    rig.kubectl(&["delete", "validatingwebhookconfiguration", "away"]);
    run.end().with(0).said("the gate is as it was");
    assert_eq!(rig.spec(), before);
    assert_eq!(rig.record(), None);
}
