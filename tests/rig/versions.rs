//! Older KubeVirts, which are told apart by their schema.

use serde_json::{Value, json};

use crate::place::Place;
use crate::setup::{Rig, until};

fn set_gates(rig: &Rig, gates: Value) {
    let developer = json!({ "developerConfiguration": { "featureGates": gates } });
    let patch = json!({ "spec": { "configuration": developer } });
    rig.patch("kubevirt", &rig.kubevirt_name(), &patch);
}

/// Enables in mid-run, and gives what is set then.
fn in_mid_run(rig: &Rig) -> Value {
    set_gates(rig, json!(["LiveMigration", "Sidecar"]));
    let before = rig.spec();
    let place = Place::restoring(rig).with("SETTLE", "1h");
    let mut run = place.spawn();
    run.says("profiling is on");
    let now = rig.get("kubevirt", &rig.kubevirt_name());
    place.stop_window();
    run.end().with(0);
    assert_eq!(rig.spec(), before);
    until("the gate", || rig.is_on() == Some(false));
    now["spec"]["configuration"]["developerConfiguration"].clone()
}

/// Enables without an end.
fn enabled(rig: &Rig) {
    let place = Place::new(rig).with("FEATURE_GATE", "enable");
    place.run().with(0);
    assert!(rig.is_on() == Some(true));
    let gate = place.manifest().expect("a manifest").gate;
    assert!(!gate.before && gate.after);
    assert_eq!(rig.record(), None);
}

pub(crate) fn field(rig: &Rig) {
    let developer = in_mid_run(rig);
    assert_eq!(developer["clusterProfiler"], true);
    assert_eq!(
        developer["featureGates"],
        json!(["LiveMigration", "Sidecar"])
    );
    enabled(rig);
    rig.turn(false);
}

pub(crate) fn gate(rig: &Rig) {
    let developer = in_mid_run(rig);
    let gates = json!(["LiveMigration", "Sidecar", "ClusterProfiler"]);
    assert_eq!(developer["featureGates"], gates);
    // And where there is no list at all.
    set_gates(rig, Value::Null);
    let before = rig.spec();
    Place::restoring(rig).run().with(0);
    assert_eq!(rig.spec(), before);
    enabled(rig);
    set_gates(rig, Value::Null);
    until("the gate", || rig.is_on() == Some(false));
}
