//! Faults of the API server where HyperConverged owns the KubeVirt object: each strikes every request about
//! HyperConverged once, in the two phases that ask for it.

use cluster_profiler_job::run::phase::Phase;
use serde_json::{Value, json};
use standin::{HyperConvergedApi, Options, Seen, Standin};

use super::api::{Strike, Struck, strike_all, strikes, struck_at, table};
use super::{assert_documented, attempt, short_and_restoring};
use crate::gate::ANNOTATION;
use crate::harness::Place;

/// A cluster of four pods whose profiler is off, and in whose annotation somebody else has an operation.
async fn cluster() -> Standin {
    let options = Options {
        gate: false,
        pods: 4,
        hyperconverged: true,
        hyperconverged_api: HyperConvergedApi::Both,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let theirs =
        r#"[ {"op": "add", "path": "/spec/configuration/evictionStrategy", "value": "None"} ]"#;
    standin.edit_hyperconverged(|object| {
        object["metadata"]["annotations"] = json!({ ANNOTATION: theirs });
    });
    standin
}

fn annotations(standin: &Standin) -> Value {
    standin.hyperconverged()["metadata"]["annotations"].clone()
}

/// Lets a fault strike a run.
async fn struck(strike: Strike) -> Struck {
    let standin = cluster().await;
    let (before, annotations_before) = (standin.configuration(), annotations(&standin));
    let place = short_and_restoring(Place::new(&standin));
    let what = strike.what.clone();
    let struck = struck_at(&standin, &before, &place, strike).await;
    assert_eq!(annotations(&standin), annotations_before, "{what}");
    struck
}

/// The phases of a run's requests about HyperConverged.
fn phases_of(requests: &[Seen]) -> Vec<Phase> {
    let is_start = |seen: &Seen| seen.path.ends_with("/start-cluster-profiler");
    let start = requests.iter().position(is_start).expect("a start");
    let phase = |at| {
        if at < start {
            Phase::Gate
        } else {
            Phase::Restore
        }
    };
    (0..requests.len()).map(phase).collect()
}

#[test]
fn every_request_about_hyperconverged() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let requests = runtime.block_on(async {
        let reference = cluster().await;
        let place = short_and_restoring(Place::new(&reference));
        assert_eq!(attempt(&place).await, 0);
        reference.requests()
    });
    let is_about_it = |seen: &Seen| seen.path.contains("hco.kubevirt.io");
    let strikes = strikes(&requests, &phases_of(&requests), is_about_it);
    let ended = strike_all(strikes, struck);
    assert_documented(
        "hyperconverged",
        &table(ended, &[Phase::Gate, Phase::Restore]),
    );
}
