//! A pod's object, of a real one's size (8 KiB), made from a template and the few fields that differ.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::{names, pod::Pod};

/// Everything that is the same in every pod.
static TEMPLATE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("pod.json")).expect("the template is JSON"));

/// The object of a pod.
pub(crate) fn of(pod: &Pod, namespace: &str) -> Value {
    let mut object = TEMPLATE.clone();
    let component = names::component_of(&pod.name);
    let owner = pod
        .name
        .rsplit_once('-')
        .map_or(pod.name.as_str(), |(owner, _)| owner);

    let metadata = &mut object["metadata"];
    metadata["name"] = json!(pod.name);
    metadata["generateName"] = json!(format!("{owner}-"));
    metadata["namespace"] = json!(namespace);
    metadata["uid"] = json!(pod.uid);
    metadata["ownerReferences"][0]["name"] = json!(owner);
    if component == Some("virt-handler") {
        metadata["ownerReferences"][0]["kind"] = json!("DaemonSet");
    }
    match (&pod.label, metadata["labels"].as_object_mut()) {
        (Some(label), Some(labels)) => labels["kubevirt.io"] = json!(label),
        (None, Some(labels)) => drop(labels.remove("kubevirt.io")),
        (_, None) => {}
    }

    let name = component.unwrap_or("compute");
    let image = format!("quay.io/kubevirt/{name}:v1.8.4");
    object["spec"]["nodeName"] = json!(pod.node);
    let container = &mut object["spec"]["containers"][0];
    container["name"] = json!(name);
    container["image"] = json!(image);
    container["command"] = json!([name]);
    status(&mut object["status"], pod, name, &image);
    if component == Some("virt-controller") {
        bound(&mut object["spec"]["containers"][0]);
        put_sidecar_first(&mut object);
    }
    object
}

/// Sets what operators set for a component: limits, and what its runtime is to know of them.
fn bound(container: &mut Value) {
    container["resources"]["limits"] = json!({ "memory": "1Gi" });
    let environment = container["env"].as_array_mut();
    environment.expect("the template has it").extend([
        json!({ "name": "GOMEMLIMIT", "value": "900MiB" }),
        json!({ "name": "GOMAXPROCS", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } }),
    ]);
}

/// A sidecar as a service mesh injects one: before the component's container, and with restarts of its own.
fn put_sidecar_first(object: &mut Value) {
    let image = "docker.io/istio/proxyv2:1.29.0";
    let sidecar =
        json!({ "name": "istio-proxy", "image": image, "resources": { "limits": { "cpu": "2" } } });
    let status = json!({ "name": "istio-proxy", "image": image, "ready": true, "restartCount": 7 });
    let containers = object["spec"]["containers"].as_array_mut();
    containers.expect("the template has one").insert(0, sidecar);
    let statuses = object["status"]["containerStatuses"].as_array_mut();
    statuses.expect("the template has one").insert(0, status);
}

fn status(status: &mut Value, pod: &Pod, container: &str, image: &str) {
    status["podIP"] = json!(pod.ip);
    status["podIPs"][0]["ip"] = json!(pod.ip);
    let conditions = status["conditions"].as_array_mut();
    for condition in conditions
        .into_iter()
        .flatten()
        .filter(|it| is_readiness(it))
    {
        condition["status"] = json!(if pod.ready { "True" } else { "False" });
    }
    let container_status = &mut status["containerStatuses"][0];
    container_status["name"] = json!(container);
    container_status["image"] = json!(image);
    container_status["ready"] = json!(pod.ready);
    container_status["restartCount"] = json!(pod.restarts);
}

fn is_readiness(condition: &Value) -> bool {
    condition["type"] == "Ready" || condition["type"] == "ContainersReady"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_real_size() {
        let pod = Pod::new(
            "virt-handler-abcde".to_owned(),
            Some("virt-handler".to_owned()),
            3,
        );
        let size = of(&pod, "kubevirt").to_string().len();
        assert!((7_500..10_500).contains(&size), "{size}");
    }
}
