//! The Lease among living runs.

use serde_json::json;

use crate::place::Place;
use crate::setup::{Rig, until};

pub(crate) fn two_at_once(rig: &Rig) {
    let before = rig.spec();
    let first = Place::restoring(rig)
        .with("SETTLE", "1h")
        .with("RUN_ID", "first");
    let mut run = first.spawn();
    run.says("profiling is on");
    let impatient = Place::restoring(rig)
        .with("RUN_ID", "impatient")
        .with("LOCK_WAIT", "1s");
    impatient
        .run()
        .with(75)
        .said("the run first is using the profiler of this cluster since");
    let patient = Place::restoring(rig)
        .with("RUN_ID", "patient")
        .with("LOCK_WAIT", "5m");
    let mut waits = patient.spawn();
    waits.says("waiting for the run that holds the Lease");
    first.stop_window();
    run.end().with(0);
    waits.end().with(0);
    assert_eq!(rig.spec(), before);
    assert_eq!(rig.record(), None);
}

pub(crate) fn two_of_one_id(rig: &Rig) {
    let first = Place::restoring(rig).with("SETTLE", "1h");
    let mut run = first.spawn();
    run.says("profiling is on");
    let out = first.path("out");
    let second = Place::restoring(rig).with("DESTINATION", format!("file://{}", out.display()));
    let mut waits = second.spawn();
    waits.says("waiting for the run that holds the Lease");
    first.stop_window();
    run.end().with(0);
    waits.end().with(0).said("already");
    assert_eq!(rig.record(), None);
}

pub(crate) fn lost(rig: &Rig) {
    let place = Place::restoring(rig)
        .with_short_lease()
        .with("SETTLE", "1h");
    let mut run = place.spawn();
    run.says("profiling is on");
    let taken = json!({ "spec": { "holderIdentity": "another/1", "leaseDurationSeconds": 3600 } });
    rig.patch("lease", "cluster-profiler-job", &taken);
    run.end().with(75).said("has lost its Lease");
    assert!(rig.is_on() == Some(true), "nothing is undone");
    assert!(place.manifest().is_none());
    // The other one dies, and is cleaned up after.
    let dead = json!({ "spec": { "holderIdentity": null } });
    rig.patch("lease", "cluster-profiler-job", &dead);
    Place::restoring(rig)
        .with("RUN_ID", "next")
        .run()
        .with(0)
        .said("a run died here");
    until("the gate", || rig.is_on() == Some(false));
}
