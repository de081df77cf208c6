//! The termination message, the done file and the results agree, on every exit code.

use rustix::process::Signal;
use standin::{Damage, Fault, RouteAnswer, RouteFault, Standin, Times};

use crate::harness::{Ended, Place, send, standin};

/// A place with results, and a stop file of the workload's.
fn telling(standin: &Standin) -> Place {
    let mut place = Place::new(standin);
    place.set("PROFILER_RESULTS_DIR", place.path("results").display());
    place
}

fn result(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.path("results").join(name)).expect("a result")
}

/// Holds everything that was told against each other.
fn agrees(place: &Place, ended: &Ended, code: i32, status: &str) {
    assert_eq!(ended.code, code, "{}", ended.log);
    let done = std::fs::read(place.signal("done")).expect("a done file");
    let done: serde_json::Value = serde_json::from_slice(&done).expect("JSON");
    assert_eq!(done, ended.termination);
    assert_eq!(done["exit_code"], code);
    assert_eq!(done["status"], status);
    let field = |name: &str| {
        let value = &done[name];
        let text = value.as_str().map(str::to_owned);
        text.unwrap_or_else(|| {
            if value.is_null() {
                String::new()
            } else {
                value.to_string()
            }
        })
    };
    for (file, name) in [
        ("uri", "uri"),
        ("sha256", "sha256"),
        ("bytes", "bytes"),
        ("status", "status"),
        ("exit-code", "exit_code"),
        ("reason", "reason"),
        ("workload-exit-code", "workload_exit_code"),
    ] {
        assert_eq!(result(place, file), field(name), "{file}");
    }
    if let Some(manifest) = place.manifest() {
        assert_eq!(done["exit_code"], manifest.exit_code);
        assert_eq!(done["uri"], manifest.archive.uri);
        assert_eq!(done["sha256"], manifest.archive.sha256.to_string());
        assert_eq!(done["reason"], manifest.reason);
    }
}

#[tokio::test]
async fn a_complete_run() {
    let standin = standin().await;
    let place = telling(&standin);
    agrees(&place, &place.run().await, 0, "complete");
    assert!(place.manifest().is_some());
    agrees_when_it_is_there_already(&place).await;
}

/// The second attempt tells the same but for the reason.
async fn agrees_when_it_is_there_already(place: &Place) {
    let uri = result(place, "uri");
    assert_eq!(place.run().await.code, 0);
    assert_eq!(result(place, "uri"), uri);
}

#[tokio::test]
async fn a_faulty_configuration() {
    let standin = standin().await;
    let place = telling(&standin).with("PROFILER_SETTLE", "soon");
    agrees(&place, &place.run().await, 2, "usage");
}

#[tokio::test]
async fn a_profiler_that_is_off() {
    let standin = standin().await;
    standin.set_gate(false);
    let place = telling(&standin);
    agrees(&place, &place.run().await, 3, "not-allowed");
}

#[tokio::test]
async fn a_destination_that_refuses() {
    let standin = standin().await;
    let place = telling(&standin);
    std::fs::write(place.out(), "a file").expect("a file");
    agrees(&place, &place.run().await, 4, "destination-refused");
}

#[tokio::test]
async fn an_incomplete_run() {
    let standin = standin().await;
    let fault = Damage::MissingFile("heap.pprof".to_owned());
    standin.pod_fault(&standin.pods()[0], Fault::Damaged(fault, Times::Always));
    let place = telling(&standin);
    agrees(&place, &place.run().await, 5, "incomplete");
}

#[tokio::test]
async fn a_failed_workload() {
    let standin = standin().await;
    let place = telling(&standin).with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    assert_eq!(place.run_with(&["stop", "9"]).await.code, 0);
    agrees(&place, &place.ended(child).await, 6, "workload-failed");
    assert_eq!(result(&place, "workload-exit-code"), "9");
}

#[tokio::test]
async fn a_fault_that_may_pass() {
    let standin = standin().await;
    let fault = RouteFault::new("/kubevirts", RouteAnswer::Status(503), Times::Always);
    standin.route_fault(fault);
    let place = telling(&standin);
    agrees(&place, &place.run().await, 75, "retry");
}

#[tokio::test]
async fn a_run_that_was_told_to_stop() {
    for (signal, code, status) in [
        (Signal::TERM, 143, "terminated"),
        (Signal::INT, 130, "interrupted"),
    ] {
        let standin = standin().await;
        let place = telling(&standin).with("PROFILER_SETTLE", "1h");
        let child = place.spawn();
        standin
            .wait_until(|state| state.profiling().len() == 8)
            .await;
        send(&child, signal);
        agrees(&place, &place.ended(child).await, code, status);
        assert!(place.manifest().is_some());
    }
}

/// Of an Event a run is none the worse without.
#[tokio::test]
async fn an_event_tells_of_the_end_on_the_runs_own_pod() {
    let standin = standin().await;
    for (settle, run, code, reason, kind) in [
        ("50ms", "good", 0, "Complete", "Normal"),
        ("50ms", "denied", 0, "", ""),
        ("1h", "told", 143, "Terminated", "Warning"),
    ] {
        let place = telling(&standin)
            .with("PROFILER_RUN_ID", run)
            .with("PROFILER_SETTLE", settle)
            .with("POD_NAME", run)
            .with("POD_NAMESPACE", "cluster-profiler")
            .with("POD_UID", "1234");
        standin.clear_faults();
        if reason.is_empty() {
            let denied = RouteAnswer::Status(403);
            standin.route_fault(RouteFault::new("/events", denied, Times::Always));
        }
        let child = place.spawn();
        if code == 143 {
            standin
                .wait_until(|state| state.profiling().len() == 8)
                .await;
            send(&child, Signal::TERM);
        }
        let ended = place.ended(child).await;
        assert_eq!(ended.code, code, "{}", ended.log);
        let events = standin.events("cluster-profiler");
        let ours = |event: &&serde_json::Value| event["regarding"]["name"] == run;
        let event = events.iter().find(ours);
        let Some(event) = event.filter(|_| !reason.is_empty()) else {
            assert_eq!((event, reason), (None, ""));
            continue;
        };
        assert_eq!(
            (&event["reason"], &event["type"]),
            (&reason.into(), &kind.into())
        );
        assert_eq!(event["note"], ended.termination["reason"]);
        assert_eq!(event["regarding"]["uid"], "1234");
    }
}

#[tokio::test]
async fn what_has_a_faulty_variable_of_its_own_is_not_written() {
    let standin = standin().await;
    let place = telling(&standin).with("PROFILER_RESULTS_DIR", "results");
    let ended = place.run().await;
    assert_eq!(ended.code, 2);
    assert_eq!(ended.termination["exit_code"], 2);
    assert!(!std::path::Path::new("results").exists());

    let place = telling(&standin).with("PROFILER_DONE_FILE", "done");
    assert_eq!(place.run().await.code, 2);
    assert_eq!(result(&place, "exit-code"), "2");
    assert!(!place.signal("done").exists());
}
