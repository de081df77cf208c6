//! Runs that must not begin: what is said, and that nothing was changed.

use standin::{Denied, KubeVirt, Options, RouteAnswer, RouteFault, Standin, Times};

use crate::harness::{Ended, Place, listing};

async fn refused(options: Options) -> Ended {
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(standin.starts(), 0);
    assert!(listing(&place.out()).is_empty(), "something was left");
    assert_eq!(ended.termination["exit_code"], ended.code);
    ended
}

fn assert_says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.log);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    for word in words {
        assert!(reason.contains(word), "{reason:?} does not say {word:?}");
    }
}

#[tokio::test]
async fn all_missing_rights_are_told_at_once_with_their_rules() {
    let denied = [("list", "start-cluster-profiler"), ("list", "pods")];
    let denied = denied
        .map(|(verb, resource)| Denied::new(verb, resource))
        .to_vec();
    let ended = refused(Options {
        denied,
        ..Options::default()
    })
    .await;
    assert_says(
        &ended,
        3,
        &[
            "ClusterRole",
            "start-cluster-profiler",
            "namespace kubevirt",
            "pods",
        ],
    );
}

#[tokio::test]
async fn a_right_that_was_not_asked_for_is_a_refusal_too() {
    let denied = vec![Denied::new("list", "dump-cluster-profiler")];
    let options = Options {
        denied,
        reviews_forbidden: true,
        ..Options::default()
    };
    let ended = refused(options).await;
    assert_says(&ended, 3, &["dump-cluster-profiler", "403"]);
    assert!(
        ended.log.contains("cannot ask which rights"),
        "{}",
        ended.log
    );
}

#[tokio::test]
async fn a_review_that_is_forbidden_is_only_warned_of() {
    let options = Options {
        reviews_forbidden: true,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    assert_eq!(Place::new(&standin).run().await.code, 0);
}

#[tokio::test]
async fn without_kubevirt_the_three_places_and_the_variable_are_named() {
    let options = Options {
        namespace: "elsewhere".to_owned(),
        ..Options::default()
    };
    let ended = refused(options).await;
    let namespaces = ["openshift-cnv", "kubevirt-hyperconverged", "kubevirt"];
    assert_says(&ended, 3, &namespaces);
    assert_says(&ended, 3, &["PROFILER_NAMESPACE"]);
}

#[tokio::test]
async fn a_namespace_that_may_not_be_read_is_told_with_the_rule() {
    let denied = vec![Denied::new("list", "kubevirts")];
    let ended = refused(Options {
        denied,
        ..Options::default()
    })
    .await;
    assert_says(
        &ended,
        3,
        &["not allowed to look in", "apiGroups: [kubevirt.io]"],
    );
}

#[tokio::test]
async fn a_profiler_that_is_off_is_told_with_the_command_for_this_version() {
    let off = |kubevirt| Options {
        gate: false,
        kubevirt,
        ..Options::default()
    };
    for kubevirt in [KubeVirt::V1_7, KubeVirt::V1_8] {
        let ended = refused(off(kubevirt)).await;
        assert_says(
            &ended,
            3,
            &[kubevirt.version(), r#"{"clusterProfiler":true}"#],
        );
    }
    let ended = refused(off(KubeVirt::V1_5)).await;
    assert_says(
        &ended,
        3,
        &[
            "v1.5.2",
            "featureGates",
            r#""ClusterProfiler"]"#,
            "patch kubevirt",
        ],
    );
}

#[tokio::test]
async fn the_command_for_a_gate_keeps_the_gates_there_are() {
    let options = Options {
        gate: false,
        kubevirt: KubeVirt::V1_5,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let ended = Place::new(&standin).run().await;
    let reason = ended.termination["reason"].as_str().expect("a reason");
    let command = reason.split("--type=merge -p '").nth(1).expect("a command");
    let patch = command.split('\'').next().expect("its patch");
    let patch: serde_json::Value = serde_json::from_str(patch).expect("JSON");
    let gates = &patch["spec"]["configuration"]["developerConfiguration"]["featureGates"];
    let gates = gates.as_array().expect("gates");
    assert!(
        gates.len() > 1,
        "the stand-in has gates of its own: {gates:?}"
    );
}

#[tokio::test]
async fn a_component_without_a_ready_pod_is_worth_a_retry() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    for pod in standin
        .pods()
        .iter()
        .filter(|pod| pod.starts_with("virt-operator-"))
    {
        standin.set_ready(pod, false);
    }
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_says(&ended, 75, &["virt-operator"]);
    assert_eq!(standin.starts(), 0);
}

#[tokio::test]
async fn an_api_server_that_keeps_failing_is_worth_a_retry() {
    let fault = RouteFault::new("/kubevirts", RouteAnswer::Status(503), Times::Always);
    let ended = refused(Options {
        route_faults: vec![fault],
        ..Options::default()
    })
    .await;
    assert_says(&ended, 75, &["list kubevirts", "503"]);
}

#[tokio::test]
async fn an_api_server_that_is_not_there_is_worth_a_retry() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let place = Place::new(&standin);
    drop(standin);
    let ended = place.run().await;
    assert_says(&ended, 75, &["no answer from the API server"]);
}
