//! The gate: turned on where a run may, put back as it was, and named where it cannot be.

use std::time::Duration;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use serde_json::{Value, json};
use standin::{HyperConvergedApi, Options, RouteAnswer, RouteFault, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::Place;
use crate::lock::{long_and_restoring, off, record};
use crate::patience::{limits, window_is_open};

pub(crate) const ANNOTATION: &str = "kubevirt.kubevirt.io/jsonpatch";

async fn hyperconverged() -> Standin {
    let options = Options {
        gate: false,
        hyperconverged: true,
        ..Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

fn annotation(standin: &Standin) -> Value {
    standin.hyperconverged()["metadata"]["annotations"][ANNOTATION].clone()
}

#[tokio::test]
async fn a_gate_that_is_closed_in_mid_window_is_opened_to_stop() {
    let standin = off().await;
    let before = standin.configuration();
    let place = long_and_restoring(&standin);
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    standin.edit_configuration(|now| *now = before.clone());
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("kubectl-patch"),
        "the rival is named: {}",
        ended.log
    );
    assert!(standin.profiling().is_empty());
    assert_eq!(standin.configuration(), before);
}

#[tokio::test]
async fn enable_leaves_it_on() {
    let standin = off().await;
    let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(
        standin.configuration()["developerConfiguration"]["clusterProfiler"],
        true
    );
    let gate = place.shipped().manifest.gate;
    assert!(!gate.before && gate.after);
}

#[tokio::test]
async fn components_that_do_not_know_the_gate_yet_are_waited_for() {
    let standin = off().await;
    for pod in standin.pods() {
        standin.pod_fault(&pod, standin::Fault::GateUnseen(Times::First(3)));
    }
    let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
}

#[tokio::test]
async fn a_virt_api_that_hears_late_of_a_gate_that_was_closed_is_not_believed() {
    let options = Options {
        gate_delay: Duration::from_secs(3600),
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    standin.edit_configuration(|now| *now = json!({}));
    let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let gate = place.shipped().manifest.gate;
    assert!(!gate.before && gate.changed.is_some(), "{gate:?}");
}

#[tokio::test]
async fn both_openings_are_undone_where_somebody_closed_the_gate_in_between() {
    let standin = hyperconverged().await;
    let place = long_and_restoring(&standin);
    let child = place.spawn();
    standin
        .wait_until(|state| state.profiling().len() == 8)
        .await;
    let developer = "/spec/configuration/developerConfiguration";
    let theirs = json!({ "op": "replace", "path": developer, "value": { "logVerbosity": {} } });
    standin.edit_hyperconverged(|object| {
        let annotation = &mut object["metadata"]["annotations"][ANNOTATION];
        let text = annotation.as_str().expect("an annotation");
        *annotation = json!(text.replace(']', &format!(", {theirs}]")));
    });
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(standin.profiling().is_empty());
    let left = annotation(&standin);
    let left: Value = serde_json::from_str(left.as_str().expect("theirs")).expect("JSON");
    assert_eq!(left, json!([theirs]));
    assert_eq!(record(&standin), None);
}

/// In the version that is preferred, if the object can be had in it.
#[tokio::test]
async fn hyperconverged_is_changed_in_a_version_that_is_served() {
    for (api, version) in [
        (HyperConvergedApi::V1beta1, "v1beta1"),
        (HyperConvergedApi::Both, "v1"),
        (HyperConvergedApi::BothUnconverted, "v1"),
        (HyperConvergedApi::Unconverted, "v1"),
        (HyperConvergedApi::V1, "v1"),
    ] {
        let options = Options {
            gate: false,
            hyperconverged: true,
            hyperconverged_api: api,
            ..Options::default()
        };
        let standin = Standin::start(options).await.expect("a stand-in");
        let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{api:?}: {}", ended.log);
        assert_eq!(annotation(&standin), Value::Null, "{api:?}");
        assert_eq!(record(&standin), None, "{api:?}");
        let patched = standin.requests();
        let patched = patched.iter().filter(|seen| seen.method == "PATCH");
        let patched: Vec<_> = patched.map(|seen| &*seen.path).collect();
        let path = format!(
            "/apis/hco.kubevirt.io/{version}/namespaces/kubevirt/hyperconvergeds/kubevirt-hyperconverged"
        );
        assert_eq!(patched, [&path, &path], "{api:?}");
    }
}

#[tokio::test]
async fn a_run_ends_when_the_gate_that_it_put_back_is_off() {
    let options = Options {
        gate: false,
        gate_delay: Duration::from_secs(1),
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let next = Place::new(&standin).with("PROFILER_RUN_ID", "another");
    let ended = next.run().await;
    assert_eq!(ended.code, 3, "it found the profiler on: {}", ended.log);
}

#[tokio::test]
async fn a_gate_that_cannot_be_put_back_makes_a_run_incomplete_and_is_said_first() {
    let standin = off().await;
    let place = long_and_restoring(&standin);
    let (_signals, receiver) = mpsc::channel(1);
    let short = Limits {
        gate: Duration::from_secs(5),
        ..limits()
    };
    let denying = async {
        window_is_open(&place).await;
        let denied = RouteAnswer::Status(403);
        standin.route_fault(RouteFault::new(
            "/kubevirts/kubevirt",
            denied,
            Times::Always,
        ));
        assert_eq!(place.run_with(&["stop"]).await.code, 0);
    };
    let run = run_with(place.variables(), receiver, short, configured);
    assert_eq!(tokio::join!(run, denying).0, ExitCode::Incomplete);
    let reason = place.shipped().manifest.reason;
    assert!(
        reason.starts_with("the profiler is STILL TURNED ON"),
        "{reason}"
    );
    assert!(reason.contains("cluster-profiler-job undo"), "{reason}");
    assert!(place.shipped().manifest.gate.after);
    assert_eq!(
        record(&standin).expect("a record")["gate"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    standin.clear_faults();
    let undone = place.run_with(&["undo"]).await;
    assert_eq!(undone.code, 0, "{}", undone.log);
    assert_eq!(record(&standin), None);
}

#[tokio::test]
async fn writes_that_were_made_and_not_answered_are_put_back_like_others() {
    let standin = off().await;
    let before = standin.configuration();
    standin.route_fault(RouteFault::new(
        "/kubevirts/kubevirt",
        RouteAnswer::Unheard,
        Times::Always,
    ));
    let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable-and-restore");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(standin.configuration(), before);
    let gate = place.shipped().manifest.gate;
    assert!(!gate.before && !gate.after && gate.changed.is_some());
}
