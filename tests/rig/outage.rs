//! What goes away under a run.

use cluster_profiler_job::manifest::State;

use crate::engines::by_upstream;
use crate::place::Place;
use crate::setup::Rig;

const HANDLERS: [&str; 2] = ["virt-handler-4gv9r", "virt-handler-tq6ls"];

fn place(rig: &Rig) -> Place {
    // A case before may have left it on, and virt-api hears late after an outage that it was closed.
    rig.turn(false);
    Place::restoring(rig)
        .with("SETTLE", "1h")
        .with("STOP_WAIT", "20s")
}

pub(crate) fn components(rig: &Rig) {
    dying(rig, place(rig));
}

pub(crate) fn components_by_upstream(rig: &Rig) {
    dying(rig, by_upstream(place(rig)));
}

fn dying(rig: &Rig, place: Place) {
    let before = rig.spec();
    let place = place.with("COMPONENTS", "virt-handler,virt-operator");
    let mut run = place.spawn();
    run.says("profiling is on");
    rig.process("kill", HANDLERS[0]);
    rig.pod("notready", HANDLERS[0]);
    rig.pod("replace", HANDLERS[1]);
    place.stop_window();
    let ended = run.end().with(5);
    for pod in HANDLERS {
        assert!(ended.log.contains(pod), "{pod} is not named: {}", ended.log);
    }
    let manifest = place.manifest().expect("a manifest");
    let complete = manifest
        .pods
        .iter()
        .filter(|pod| pod.state == State::Complete);
    assert_eq!(complete.count(), 1);
    assert_eq!(manifest.unstopped, [HANDLERS[0]]);
    rig.process("start", HANDLERS[0]);
    rig.pod("ready", HANDLERS[0]);
    // It may profile for all that is known, so its gate stays open until somebody has stopped it.
    let undone = place.run_with(&["undo"]);
    assert_eq!(undone.code, Some(0), "{}", undone.log);
    assert_eq!(rig.spec(), before);
}

pub(crate) fn moment(rig: &Rig) {
    let place = place(rig);
    let before = rig.spec();
    let mut run = place.spawn();
    run.says("profiling is on");
    rig.process("kill", "kube-apiserver");
    rig.process("start", "kube-apiserver");
    place.stop_window();
    run.end().with(0);
    assert_eq!(rig.spec(), before);
}

pub(crate) fn longer(rig: &Rig) {
    let place = place(rig).with_short_lease();
    let before = rig.spec();
    let mut run = place.spawn();
    run.says("profiling is on");
    rig.process("kill", "kube-apiserver");
    run.says("until it is, nothing is changed in the cluster");
    rig.process("start", "kube-apiserver");
    // Nobody took the Lease meanwhile.
    run.says("the Lease is renewed again");
    place.stop_window();
    run.end().with(0);
    assert_eq!(rig.spec(), before);
    assert_eq!(rig.record(), None);
}

/// Real outages with the real limits: one in the midst of the dump, and one as long as a Lease lives.
pub(crate) fn real(rig: &Rig) {
    for (seconds, in_dump) in [(12, true), (60, false)] {
        let place = place(rig).with("CONCURRENCY", 1);
        let before = rig.spec();
        let mut run = place.spawn();
        run.says("profiling is on");
        if in_dump {
            place.stop_window();
            run.says("profiling is off");
        }
        rig.process("kill", "kube-apiserver");
        std::thread::sleep(std::time::Duration::from_secs(seconds));
        rig.process("start", "kube-apiserver");
        if !in_dump {
            place.stop_window();
        }
        run.end().with(0);
        assert_eq!(rig.spec(), before, "after {seconds} s");
        assert_eq!(rig.record(), None, "after {seconds} s");
    }
}
