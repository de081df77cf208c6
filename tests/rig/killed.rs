//! Runs that are killed, or told to stop, wherever they are.

use cluster_profiler_job::manifest::{EndedBy, State};
use rustix::process::Signal;
use serde_json::json;

use crate::place::{Place, Running};
use crate::setup::{Rig, until};

const OPERATOR_POD: &str = "virt-operator-58bd6f9c7-x9hkd";

const HANDLER_POD: &str = "virt-handler-4gv9r";

/// Where a run can be caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Lock,
    Gate,
    Start,
    Window,
    Stop,
    Dump,
    Restore,
}

const ALL: [At; 7] = [
    At::Lock,
    At::Gate,
    At::Start,
    At::Window,
    At::Stop,
    At::Dump,
    At::Restore,
];

fn place(rig: &Rig) -> Place {
    Place::restoring(rig)
        .with_short_lease()
        .with("SETTLE", "1h")
        .with("GRACE", "25s")
}

fn hold(rig: &Rig, holder: Option<&str>) {
    let spec = json!({ "holderIdentity": holder, "leaseDurationSeconds": 3600 });
    rig.apply(
        &json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec,
            "metadata": { "name": "cluster-profiler-job", "namespace": rig.namespace },
        })
        .to_string(),
    );
}

/// Lets a run come to a place and stay there until `go_on`.
fn enter(rig: &Rig, place: &Place, at: At) -> Running {
    match at {
        At::Lock => hold(rig, Some("another/1")),
        At::Gate => rig.process("kill", "virt-operator"),
        At::Start | At::Window | At::Stop | At::Dump | At::Restore => {}
    }
    let mut run = place.spawn();
    match at {
        At::Lock => run.says("waiting for the run that holds the Lease"),
        At::Gate => run.says("turned the profiler on"),
        At::Start => {
            run.says("ready to profile");
            until("the record", || {
                rig.record()
                    .is_some_and(|record| record["stage"] == "started")
            });
        }
        At::Window => run.says("profiling is on"),
        At::Stop => {
            run.says("profiling is on");
            rig.freeze(OPERATOR_POD, true);
            place.stop_window();
            until("the stop", || {
                rig.record()
                    .is_some_and(|record| !record["stopped"].is_null())
            });
        }
        At::Dump => {
            run.says("profiling is on");
            place.stop_window();
            run.says("profiling is off");
        }
        At::Restore => {
            run.says("profiling is on");
            // Until it is back nobody acts on the gate's being put back, which is waited for.
            rig.process("kill", "virt-operator");
            place.stop_window();
            run.says("the gate is as it was");
        }
    }
    run
}

fn go_on(rig: &Rig, at: At) {
    match at {
        At::Lock => hold(rig, None),
        At::Gate | At::Restore => rig.process("start", "virt-operator"),
        At::Stop => rig.freeze(OPERATOR_POD, false),
        At::Start | At::Window | At::Dump => {}
    }
}

fn kill(rig: &Rig, place: &Place, at: At) {
    let run = enter(rig, place, at);
    run.send(Signal::KILL);
    assert_eq!(run.end().code, None);
    go_on(rig, at);
}

pub(crate) fn same_run(rig: &Rig) {
    let before = rig.spec();
    for at in ALL {
        let place = place(rig);
        kill(rig, &place, at);
        let started = rig.record().map(|record| record["started"].clone());
        let again = place.with("SETTLE", "1s");
        let ended = again.run();
        assert_eq!(ended.code, Some(0), "{at:?}: {}", ended.log);
        let manifest = again.manifest().expect("a manifest");
        let begun = matches!(at, At::Lock | At::Gate);
        if begun {
            assert_eq!(manifest.window.ended_by, EndedBy::Settle, "{at:?}");
        } else {
            let start = serde_json::to_value(manifest.window.start).expect("a time");
            assert_eq!(Some(start), started, "{at:?}: it opened a second window");
        }
        assert!(
            manifest.pods.iter().all(|pod| pod.state == State::Complete),
            "{at:?}"
        );
        assert_eq!(rig.spec(), before, "{at:?}");
        assert_eq!(rig.record(), None, "{at:?}");
    }
}

pub(crate) fn other_run(rig: &Rig) {
    let before = rig.spec();
    for at in ALL {
        kill(rig, &place(rig), at);
        let next = place(rig).with("RUN_ID", "next").with("SETTLE", "1s");
        let ended = next.run();
        assert_eq!(ended.code, Some(0), "{at:?}: {}", ended.log);
        let discards = ended.log.contains("discarding what it had profiled");
        assert_eq!(
            discards,
            !matches!(at, At::Lock | At::Gate),
            "{at:?}: {}",
            ended.log
        );
        assert_eq!(rig.spec(), before, "{at:?}");
        assert_eq!(rig.record(), None, "{at:?}");
    }
}

pub(crate) fn undo(rig: &Rig) {
    let before = rig.spec();
    let place = place(rig);
    kill(rig, &place, At::Window);
    assert_ne!(rig.spec(), before);
    place
        .run_with(&["undo"])
        .with(0)
        .said("undid what the run rig had left");
    assert_eq!(rig.spec(), before);
    assert_eq!(rig.record(), None);
    place
        .run_with(&["undo"])
        .with(0)
        .said("no run has left anything");
}

/// A pod that a dead run left profiling, and that cannot be stopped when the next run begins.
pub(crate) fn not_ready(rig: &Rig) {
    let before = rig.spec();
    let place = || place(rig).with("COMPONENTS", "virt-handler");
    let short = |id: &str| {
        let place = place().with("RUN_ID", id).with("SETTLE", "1s");
        place.with("STOP_WAIT", "10s")
    };
    for undone in [true, false] {
        kill(rig, &place(), At::Window);
        rig.pod("notready", HANDLER_POD);
        let next = short("next");
        next.run().with(5).said(HANDLER_POD);
        let manifest = next.manifest().expect("a manifest");
        assert_eq!(manifest.unstopped, [HANDLER_POD]);
        assert!(manifest.pods.iter().all(|pod| pod.pod.name != HANDLER_POD));
        assert_ne!(rig.spec(), before, "nobody could stop it any more");
        assert_eq!(rig.is_on(), Some(true));
        let left = rig.record().expect("a record");
        assert_eq!(left["stage"], "started", "{left}");
        rig.pod("ready", HANDLER_POD);
        if undone {
            place().run_with(&["undo"]).with(0);
            assert_eq!(rig.record(), None);
            assert_eq!(rig.spec(), before);
        }
        // A pod that profiles still has more in its profile than the window.
        let last = short("last");
        last.run().with(0);
        let manifest = last.manifest().expect("a manifest");
        assert!(manifest.pods.iter().any(|pod| pod.pod.name == HANDLER_POD));
        assert_eq!(rig.spec(), before);
        assert_eq!(rig.record(), None);
    }
}

pub(crate) fn told(rig: &Rig) {
    let before = rig.spec();
    for at in ALL {
        let place = place(rig).with("RUN_ID", format!("told-{at:?}").to_lowercase());
        let run = enter(rig, &place, at);
        run.send(Signal::TERM);
        go_on(rig, at);
        let ended = run.end();
        assert_eq!(ended.code, Some(143), "{at:?}: {}", ended.log);
        let shipped = place.manifest().is_some();
        assert_eq!(
            shipped,
            !matches!(at, At::Lock | At::Gate),
            "{at:?}: {}",
            ended.log
        );
        assert_eq!(rig.spec(), before, "{at:?}");
        until("the gate", || rig.is_on() == Some(false));
    }
}
