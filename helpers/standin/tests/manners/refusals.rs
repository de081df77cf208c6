//! Who refuses what, and in which words.

use crate::client::{Bench, COMPONENTS};
use serde_json::json;
use standin::{Denied, KubeVirt, Options, RouteAnswer, RouteFault, Times};

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

#[tokio::test]
async fn the_gate_is_looked_at_before_the_body() {
    let bench = Bench::new(Options::default()).await;
    let on = bench.call("dump", String::new()).await;
    assert_eq!(
        (on.status, on.content_type.as_str()),
        (400, "text/plain; charset=utf-8")
    );
    assert_eq!(on.body, "failed to parse cluster profiler request: EOF");
    bench.standin.set_gate(false);
    for call in ["start", "stop", "dump"] {
        let off = bench.call(call, String::new()).await;
        assert_eq!(
            (off.status, off.content_type.as_str()),
            (403, "text/plain; charset=utf-8")
        );
        assert!(
            off.body.contains("feature gate must be enabled"),
            "{}",
            off.body
        );
    }
}

#[tokio::test]
async fn rbac_comes_before_the_gate_and_answers_a_status() {
    let denied = vec![
        Denied::new("list", "stop-cluster-profiler"),
        Denied::new("list", "pods"),
    ];
    let bench = Bench::new(Options {
        denied,
        gate: false,
        ..Options::default()
    })
    .await;
    let refused = bench.stop().await;
    assert_eq!(
        (refused.status, refused.content_type.as_str()),
        (403, "application/json")
    );
    assert_eq!(refused.json()["reason"], "Forbidden");
    assert_eq!(bench.list(1, "").await.status, 403);
    for (resource, allowed) in [("pods", false), ("start-cluster-profiler", true)] {
        let attributes = json!({ "verb": "list", "resource": resource });
        let review = json!({ "spec": { "resourceAttributes": attributes } });
        let answer = bench.send("POST", REVIEWS, review.to_string()).await;
        assert_eq!(
            (answer.status, &answer.json()["status"]["allowed"]),
            (201, &allowed.into())
        );
    }
}

#[tokio::test]
async fn reviews_may_be_forbidden_themselves() {
    let bench = Bench::new(Options {
        reviews_forbidden: true,
        ..Options::default()
    })
    .await;
    let answer = bench.send("POST", REVIEWS, "{}".to_owned()).await;
    assert_eq!(
        (answer.status, &answer.json()["kind"]),
        (403, &"Status".into())
    );
}

#[tokio::test]
async fn a_faulty_path_recovers() {
    let bench = Bench::new(Options {
        pods: 4,
        ..Options::default()
    })
    .await;
    let busy = RouteFault::new("/pods", RouteAnswer::Status(429), Times::First(1));
    let gone = RouteFault::new(
        "/dump-cluster-profiler",
        RouteAnswer::Hangup,
        Times::First(1),
    );
    bench.standin.route_fault(busy);
    bench.standin.route_fault(gone);
    assert_eq!(bench.list(1, "").await.json()["reason"], "TooManyRequests");
    assert_eq!(bench.list(1, "").await.status, 200);
    let path = "/apis/subresources.kubevirt.io/v1alpha3/dump-cluster-profiler";
    assert!(bench.try_send("GET", path, "{}".to_owned()).await.is_none());
    assert_eq!(bench.dump(COMPONENTS, "", 1).await.status, 200);
    let seen = bench.standin.requests();
    assert_eq!(
        (seen.len(), seen[2].status, seen[3].status),
        (4, None, Some(200))
    );
    assert_eq!(bench.standin.arrived("dump-cluster-profiler"), 2);
}

#[tokio::test]
async fn a_fault_of_a_body_strikes_no_other_and_a_call_may_hang_for_ever() {
    let bench = Bench::new(Options::default()).await;
    let path = "/apis/subresources.kubevirt.io/v1alpha3/dump-cluster-profiler";
    let hangs = RouteFault::new("/dump-cluster-profiler", RouteAnswer::Hang, Times::Always);
    bench.standin.route_fault(hangs.of_body("never"));
    tokio::select! {
        biased;
        _ = bench.try_send("GET", path, r#"{"never":1}"#.to_owned()) => panic!("it was answered"),
        answer = bench.dump(COMPONENTS, "", 1) => assert_eq!(answer.status, 200),
    }
}

#[tokio::test]
async fn each_version_offers_what_it_has() {
    for (kubevirt, field) in [
        (KubeVirt::V1_5, false),
        (KubeVirt::V1_7, true),
        (KubeVirt::V1_8, true),
    ] {
        let bench = Bench::new(Options {
            kubevirt,
            ..Options::default()
        })
        .await;
        let schema = bench.get("/openapi/v3/apis/kubevirt.io/v1").await.json();
        let developer = "/components/schemas/io.kubevirt.v1.KubeVirt/properties/spec/properties\
                         /configuration/properties/developerConfiguration/properties";
        let offered = schema.pointer(developer).expect("the way there");
        assert_eq!(offered.get("clusterProfiler").is_some(), field);
        let list = bench
            .get("/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts")
            .await
            .json();
        let status = &list["items"][0]["status"];
        assert_eq!(status["observedKubeVirtVersion"], kubevirt.version());
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_status() {
    let bench = Bench::new(Options::default()).await;
    let answer = bench.get("/apis/nowhere").await;
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (404, &"NotFound".into())
    );
}
