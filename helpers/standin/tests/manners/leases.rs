//! Leases: written only by who has read what is there.

use crate::client::{Answer, Bench};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use standin::{Denied, Options, RouteAnswer, RouteFault, Times};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kubevirt/leases";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kubevirt/leases/lock";

async fn bench() -> Bench {
    Bench::new(Options::default()).await
}

fn lease(holder: &str) -> Value {
    json!({ "metadata": { "name": "lock" }, "spec": { "holderIdentity": holder } })
}

async fn create(bench: &Bench) -> Value {
    let created = bench.send("POST", LEASES, lease("a").to_string()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    created.json()
}

async fn put(bench: &Bench, lease: &Value) -> Answer {
    bench.send("PUT", LEASE, lease.to_string()).await
}

/// The code, reason and message of a Status.
fn status(answer: &Answer) -> (u16, String, String) {
    let status = answer.json();
    let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("kind"), "Status");
    (answer.status, text("reason"), text("message"))
}

fn refused(code: u16, reason: &str, message: &str) -> (u16, String, String) {
    (code, reason.to_owned(), message.to_owned())
}

#[tokio::test]
async fn absent_created_and_there_already() {
    let bench = bench().await;
    let absent = bench.get(LEASE).await;
    let message = r#"leases.coordination.k8s.io "lock" not found"#;
    assert_eq!(status(&absent), refused(404, "NotFound", message));
    let details = json!({ "name": "lock", "group": "coordination.k8s.io", "kind": "leases" });
    assert_eq!(absent.json()["details"], details);

    let created = create(&bench).await;
    let metadata = &created["metadata"];
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        assert!(metadata[field].is_string(), "{field}: {created}");
    }
    assert_eq!(bench.get(LEASE).await.json(), created);
    assert_eq!(bench.standin.lease("lock"), Some(created));

    let again = bench.send("POST", LEASES, lease("b").to_string()).await;
    let message = r#"leases.coordination.k8s.io "lock" already exists"#;
    assert_eq!(status(&again), refused(409, "AlreadyExists", message));
}

#[tokio::test]
async fn an_update_is_of_what_is_there() {
    let bench = bench().await;
    let old = create(&bench).await;
    let mut new = old.clone();
    new["spec"]["holderIdentity"] = json!("b");
    let updated = put(&bench, &new).await;
    assert_eq!(updated.status, 200);
    let updated = updated.json();
    assert_eq!(updated["spec"]["holderIdentity"], "b");
    assert_eq!(updated["metadata"]["uid"], old["metadata"]["uid"]);
    assert_ne!(
        updated["metadata"]["resourceVersion"],
        old["metadata"]["resourceVersion"]
    );

    let message = "Operation cannot be fulfilled on leases.coordination.k8s.io \"lock\": the object \
                   has been modified; please apply your changes to the latest version and try again";
    let stale = put(&bench, &new).await;
    assert_eq!(status(&stale), refused(409, "Conflict", message));
    let message = "leases.coordination.k8s.io \"lock\" is invalid: metadata.resourceVersion: Invalid \
                   value: 0: must be specified for an update";
    let blind = put(&bench, &lease("c")).await;
    assert_eq!(status(&blind), refused(422, "Invalid", message));
    assert_eq!(bench.standin.lease("lock"), Some(updated));
}

#[tokio::test]
async fn a_write_that_changes_nothing_keeps_the_revision() {
    let bench = bench().await;
    let lease = create(&bench).await;
    assert_eq!(put(&bench, &lease).await.json(), lease);
}

#[tokio::test]
async fn an_update_creates_but_not_what_was_deleted() {
    let bench = bench().await;
    assert_eq!(put(&bench, &lease("a")).await.status, 201);
    let lease = bench.standin.lease("lock").expect("a Lease");
    let deleted = bench.send("DELETE", LEASE, String::new()).await;
    assert_eq!(
        (deleted.status, &deleted.json()["status"]),
        (200, &json!("Success"))
    );
    let (code, reason, message) = status(&put(&bench, &lease).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"));
    assert!(
        message.contains("Precondition failed: UID in precondition"),
        "{message}"
    );
    assert_eq!(bench.standin.lease("lock"), None);
}

#[tokio::test]
async fn all_annotations_together_have_256_kib() {
    let bench = bench().await;
    let mut lease = create(&bench).await;
    lease["metadata"]["annotations"] = json!({ "a": "x".repeat(200_000), "b": "y".repeat(62_142) });
    assert_eq!(put(&bench, &lease).await.status, 200);
    let mut lease = bench.standin.lease("lock").expect("a Lease");
    lease["metadata"]["annotations"]["c"] = json!("");
    let message = "Lease.coordination.k8s.io \"lock\" is invalid: metadata.annotations: Too long: \
                   may not be more than 262144 bytes";
    let refusal = put(&bench, &lease).await;
    assert_eq!(status(&refusal), refused(422, "Invalid", message));
}

#[tokio::test]
async fn a_test_writes_as_another_writer() {
    let bench = bench().await;
    bench
        .standin
        .set_lease("lock", json!({ "spec": { "holderIdentity": "other" } }));
    let first = bench.get(LEASE).await.json();
    assert_eq!(first["spec"]["holderIdentity"], "other");
    let mut edited = first.clone();
    edited["spec"]["holderIdentity"] = json!("another");
    bench.standin.set_lease("lock", edited);
    let stale = put(&bench, &first).await;
    assert_eq!(stale.status, 409);
    bench.standin.remove_lease("lock");
    assert_eq!(bench.get(LEASE).await.status, 404);
}

#[tokio::test]
async fn kube_writes_one_in_any_namespace() {
    let bench = bench().await;
    let api: Api<Lease> = Api::namespaced(bench.client.clone(), "elsewhere");
    let lease: Lease = serde_json::from_value(lease("a")).expect("a Lease");
    let params = PostParams::default();
    let created = api.create(&params, &lease).await.expect("created");
    api.replace("lock", &params, &created)
        .await
        .expect("replaced");
    assert_eq!(bench.get(LEASE).await.status, 404);
}

#[tokio::test]
async fn rights_and_faults_reach_them() {
    let verbs = ["create", "get", "update", "delete"];
    let bench = Bench::new(Options {
        denied: verbs.map(|verb| Denied::new(verb, "leases")).to_vec(),
        ..Options::default()
    })
    .await;
    let requests = [
        ("POST", LEASES),
        ("GET", LEASE),
        ("PUT", LEASE),
        ("DELETE", LEASE),
    ];
    for ((method, path), verb) in requests.into_iter().zip(verbs) {
        let refusal = bench.send(method, path, lease("a").to_string()).await;
        let (code, reason, message) = status(&refusal);
        assert_eq!((code, reason.as_str()), (403, "Forbidden"));
        assert!(
            message.contains(&format!("cannot {verb} resource \"leases\"")),
            "{message}"
        );
    }
    let busy = RouteFault::new("/leases/lock", RouteAnswer::Status(503), Times::First(1));
    bench.standin.route_fault(busy);
    assert_eq!(bench.get(LEASE).await.status, 503);
    assert_eq!(bench.get(LEASE).await.status, 403);
}
