//! The journal in the Lease: what one version wrote the next reads, and writes back byte for byte, for
//! a run may be resumed across an update.

use std::collections::BTreeMap;

use cluster_profiler_job::cluster::lease::{Journal, Stage, StartedPod};
use cluster_profiler_job::cluster::profiler_switch::{Change, Lacking, Mechanism, Owner};
use cluster_profiler_job::manifest::EndedBy;

/// The annotations of a Lease, as the program wrote them.
fn written(text: &str) -> BTreeMap<String, String> {
    serde_json::from_str(text).expect("a map")
}

fn timestamp(text: &str) -> Option<jiff::Timestamp> {
    Some(text.parse().expect("a timestamp"))
}

fn started(name: &str, uid_prefix: &str, restarts: i32) -> StartedPod {
    StartedPod {
        name: name.to_owned(),
        uid_prefix: uid_prefix.to_owned(),
        restarts,
    }
}

fn ended() -> Journal {
    Journal {
        run_id: "nightly-2026-11-27".to_owned(),
        stage: Stage::Stopped,
        changes: vec![
            Change {
                owner: Owner::KubeVirt,
                mechanism: Mechanism::FeatureGate,
                lacking: Lacking::FeatureGates,
                field: Some(false),
                annotation_is_ours: false,
            },
            Change {
                owner: Owner::HyperConverged,
                mechanism: Mechanism::Field,
                lacking: Lacking::Developer,
                field: None,
                annotation_is_ours: true,
            },
        ],
        started: timestamp("2026-11-27T02:00:00.123456789Z"),
        stopped: timestamp("2026-11-27T02:10:07Z"),
        ended_by: Some(EndedBy::StopFile),
        workload_exit_code: Some(7),
        start_failed: Some((
            "virt-handler-x7k2p".to_owned(),
            "start failed: GET /apis: the API server answered 500: \"no route to host\"".to_owned(),
        )),
        pods: vec![
            started("virt-api-6f9d8c-2lq7v", "0c1d2e3f", 0),
            started("virt-controller-5b-9xk4d", "a1b2c3d4", 2),
            started("virt-operator-7c-hh2pz", "11112222", 0),
            started("virt-handler-x7k2p", "deadbeef", 13),
        ],
        unstopped: Vec::new(),
        dumping: None,
        reporting: false,
    }
}

/// Reads a Lease's annotations, and writes them back.
fn is_written_back(text: &str, expected: &Journal) {
    let annotations = written(text);
    let read = Journal::of(&annotations).expect("a journal");
    assert_eq!(read, *expected);
    assert_eq!(read.annotations(), annotations);
}

#[test]
fn an_ended_window_of_an_older_version_is_read_and_written_back() {
    is_written_back(include_str!("data/lease-stopped.json"), &ended());
}

#[test]
fn a_run_of_an_older_version_that_changed_nothing_is_read_and_written_back() {
    let begun = Journal::new("begun".to_owned());
    is_written_back(include_str!("data/lease-begun.json"), &begun);
}

#[test]
fn a_lease_without_a_journal_has_none() {
    assert_eq!(Journal::of(&BTreeMap::new()), None);
}

#[test]
fn what_may_end_a_run_is_read_as_it_was_written_and_left_out_when_there_is_none() {
    let mut journal = Journal::new("a-run".to_owned());
    let record = |journal: &Journal| journal.annotations()["cluster-profiler-job/record"].clone();
    assert!(!record(&journal).contains("dumping") && !record(&journal).contains("reporting"));
    // A later version may have another.
    journal.dumping = Some("another-engine".to_owned());
    assert!(record(&journal).ends_with(r#","dumping":"another-engine"}"#));
    journal.reporting = true;
    assert!(record(&journal).ends_with(r#","dumping":"another-engine","reporting":true}"#));
    assert_eq!(Journal::of(&journal.annotations()), Some(journal));
}
