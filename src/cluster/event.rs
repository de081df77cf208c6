//! Events on the pod that a run is in: what `kubectl get events` and `kubectl describe pod` show.
//!
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};

use super::call::{CallError, Connection};
use crate::config::OwnPod;

/// The reporting controller.
const CONTROLLER: &str = "cluster-profiler-job";

/// The longest instance name and the longest note that kube-apiserver takes, in bytes.
const LONGEST_INSTANCE: usize = 128;
const LONGEST_NOTE: usize = 1024;

/// Writes an Event, by one try.
///
/// # Errors
/// The API server failed, or does not allow it.
pub async fn write(
    connection: &Connection,
    pod: &OwnPod,
    reason: String,
    is_good: bool,
    note: &str,
) -> Result<(), CallError> {
    let short = |text: &str, longest| text[..text.floor_char_boundary(longest)].to_owned();
    let event = Event {
        metadata: ObjectMeta {
            name: Some(format!("{CONTROLLER}.{:016x}", fastrand::u64(..))),
            namespace: Some(pod.namespace.clone()),
            ..ObjectMeta::default()
        },
        regarding: Some(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.name.clone()),
            namespace: Some(pod.namespace.clone()),
            uid: Some(pod.uid.clone()),
            ..ObjectReference::default()
        }),
        event_time: Some(MicroTime((connection.limits.now)())),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(short(&pod.name, LONGEST_INSTANCE)),
        action: Some("Profile".to_owned()),
        type_: Some(if is_good { "Normal" } else { "Warning" }.to_owned()),
        reason: Some(reason),
        note: Some(short(note, LONGEST_NOTE)),
        ..Event::default()
    };
    let api: Api<Event> = Api::namespaced(connection.client(), &pod.namespace);
    let params = PostParams::default();
    let create = api.create(&params, &event);
    connection.once("create an Event", create).await.map(drop)
}
