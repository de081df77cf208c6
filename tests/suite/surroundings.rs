//! What surrounded a run: the bounds of what was profiled.

use cluster_profiler_job::component::Component;
use cluster_profiler_job::manifest::ContainerBounds;

use crate::harness::{Place, standin};

#[tokio::test]
async fn a_pod_is_described_by_its_components_own_container() {
    let standin = standin().await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    let cluster: serde_json::Value =
        serde_json::from_slice(&shipped.files["profile-test-run/cluster.json"]).expect("JSON");
    for (pod, in_cluster) in shipped
        .manifest
        .pods
        .iter()
        .zip(cluster["pods"].as_array().expect("pods"))
    {
        let (pod, name) = (&pod.pod, pod.pod.component.name());
        assert_eq!(pod.image, format!("quay.io/kubevirt/{name}:v1.8.4"));
        assert!(pod.restarts < 7, "the restarts of a sidecar");
        let bounds = pod.container.as_ref().expect("its bounds");
        assert_eq!(bounds.requests["memory"], "350Mi");
        let limited = ContainerBounds {
            limits: [("memory".to_owned(), "1Gi".to_owned())].into(),
            gomemlimit: Some("900MiB".to_owned()),
            // It is set from a field, whose value the pod does not say.
            gomaxprocs: None,
            requests: bounds.requests.clone(),
        };
        let unlimited = ContainerBounds {
            requests: bounds.requests.clone(),
            ..ContainerBounds::default()
        };
        // A sidecar stands first in the pods of virt-controller.
        let is_limited = pod.component == Component::VirtController;
        assert_eq!(&**bounds, if is_limited { &limited } else { &unlimited });
        let name = in_cluster["name"].as_str().expect("a name");
        let of_manifest = shipped.pod(name).pod.container.as_ref();
        let of_cluster = serde_json::from_value(in_cluster["container"].clone());
        assert_eq!(of_manifest, Some(&of_cluster.expect("bounds")));
    }
}
