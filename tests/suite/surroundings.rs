//! What surrounded a run: the bounds of what was profiled, and the cluster at both ends of the window.

use std::time::Duration;

use cluster_profiler_job::component::Component;
use cluster_profiler_job::manifest::{ClusterState, ContainerBounds, Surroundings};
use rustix::process::Signal;
use serde_json::json;
use standin::{Denied, Options, RouteAnswer, RouteFault, Standin, Times, VmScript};

use crate::harness::{Place, Shipped, send, standin};

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

/// A run of the components that elect a leader, whose window the workload ends.
fn of_elected(standin: &Standin) -> Place {
    Place::new(standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_COMPONENTS", "virt-controller,virt-operator")
}

/// Runs, does something in the window, and ends it.
async fn run(place: &Place, workload: impl Future<Output = ()>) -> Shipped {
    let child = place.spawn();
    place.until_ready().await;
    workload.await;
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    place.shipped()
}

fn surroundings(shipped: &Shipped) -> &Surroundings {
    let surroundings = shipped.manifest.surroundings.as_ref();
    surroundings.expect("what surrounded the run")
}

/// A pod that leads its component from now on.
fn elect(standin: &Standin, component: Component, pod: &str) {
    standin.set_lease(
        component.name(),
        json!({ "metadata": {}, "spec": { "holderIdentity": pod } }),
    );
}

/// The pods of a component, by name.
fn pods_of(standin: &Standin, component: Component) -> Vec<String> {
    let mut pods = standin.pods();
    pods.retain(|pod| Component::of_pod(component.name(), pod).is_some());
    pods
}

#[tokio::test]
async fn the_cluster_is_described_as_it_was_at_both_ends_of_the_window() {
    let standin = standin().await;
    let place = of_elected(&standin);
    let vms = |count| VmScript {
        count,
        prefix: format!("of-{count}"),
        speed: 100_000,
        ..VmScript::default()
    };
    standin.create_vms(vms(3)).await;
    let [controllers, operators] =
        [Component::VirtController, Component::VirtOperator].map(|of| pods_of(&standin, of));
    let shipped = run(&place, async {
        standin.create_vms(vms(4)).await;
        standin.add_pod("virt-handler-added", Some("virt-handler"));
        elect(&standin, Component::VirtController, &controllers[1]);
    })
    .await;
    let told = surroundings(&shipped);
    let before = ClusterState {
        // Three of the control plane, and one of each of two handlers.
        nodes: Some(5),
        virtual_machine_instances: Some(3),
        leaders: [
            (Component::VirtController, controllers[0].clone()),
            (Component::VirtOperator, operators[0].clone()),
        ]
        .into(),
    };
    let mut after = ClusterState {
        nodes: Some(6),
        virtual_machine_instances: Some(7),
        ..before.clone()
    };
    after
        .leaders
        .insert(Component::VirtController, controllers[1].clone());
    assert_eq!(told.at_start, Some(before));
    assert_eq!(told.at_stop, Some(after));
    assert_eq!(told.unknown, Vec::<String>::new());
    let of_pods = shipped.manifest.pods.iter().map(|pod| &pod.pod.node);
    let of_pods: std::collections::BTreeSet<_> = of_pods.collect();
    assert_eq!(
        told.nodes.keys().collect::<Vec<_>>(),
        Vec::from_iter(of_pods)
    );
    let mut architectures = told.nodes.values().map(|node| &node.architecture);
    assert!(architectures.all(|architecture| architecture.as_deref() == Some("amd64")));
    let sizes = told.nodes.values().map(|node| &node.allocatable);
    for size in sizes.clone() {
        assert!(
            size.cpu.starts_with('7') && size.cpu.ends_with('m'),
            "{size:?}"
        );
        assert!(size.memory.ends_with("Ki"), "{size:?}");
    }
    let different: std::collections::BTreeSet<_> = sizes.map(|size| &size.cpu).collect();
    assert_eq!(different.len(), told.nodes.len());
    let cluster = &shipped.files["profile-test-run/cluster.json"];
    let cluster: serde_json::Value = serde_json::from_slice(cluster).expect("JSON");
    let of_cluster = serde_json::from_value(cluster["surroundings"].clone());
    assert_eq!(told, &of_cluster.expect("what surrounded the run"));
}

#[tokio::test]
async fn nodes_of_several_pages_are_found() {
    let options = Options {
        pods: 130,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    let told = surroundings(&shipped);
    let counted = told.at_stop.as_ref().expect("a state").nodes;
    assert_eq!(counted, Some(told.nodes.len() as u64));
    assert!(told.nodes.len() > 100, "{}", told.nodes.len());
    assert_eq!(told.unknown, Vec::<String>::new());
}

/// No right is needed: what may not be read is left out, and said.
#[tokio::test]
async fn what_may_not_be_read_is_told_as_unknown() {
    let options = Options {
        denied: vec![
            Denied::new("list", "nodes"),
            Denied::new("list", "virtualmachineinstances"),
        ],
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    standin.route_fault(RouteFault::new(
        "/leases/virt-operator",
        RouteAnswer::Status(403),
        Times::Always,
    ));
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    let told = surroundings(&shipped);
    let controller = pods_of(&standin, Component::VirtController).remove(0);
    let state = ClusterState {
        leaders: [(Component::VirtController, controller)].into(),
        ..ClusterState::default()
    };
    assert_eq!(told.at_start.as_ref(), Some(&state));
    assert_eq!(told.at_stop.as_ref(), Some(&state));
    assert!(told.nodes.is_empty());
    assert_eq!(told.unknown.len(), 3, "{:?}", told.unknown);
    for (unknown, what) in told.unknown.iter().zip(["nodes", "VMIs", "virt-operator"]) {
        assert!(unknown.contains(what), "{unknown}");
        assert!(unknown.contains("no right"), "{unknown}");
    }
    assert!(shipped.manifest.warnings.is_empty());
}

/// A server that answers nothing of it delays the run by seconds, and costs nothing else.
#[tokio::test]
async fn what_is_never_answered_is_told_as_unknown() {
    let standin = standin().await;
    for path in ["/nodes", "/leases/virt-controller"] {
        standin.route_fault(RouteFault::new(path, RouteAnswer::Hang, Times::Always));
    }
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    let told = surroundings(&shipped);
    for state in [&told.at_start, &told.at_stop] {
        let state = state.as_ref().expect("a state");
        assert_eq!(
            (state.nodes, state.virtual_machine_instances),
            (None, Some(0))
        );
        assert!(state.leaders.contains_key(&Component::VirtOperator));
    }
    assert_eq!(told.unknown.len(), 2, "{:?}", told.unknown);
    assert!(
        told.unknown
            .iter()
            .all(|why| why.contains("no answer within 3s"))
    );
}

#[tokio::test]
async fn a_leader_that_is_no_expected_pod_is_named_as_unknown() {
    let standin = standin().await;
    elect(&standin, Component::VirtController, "virt-controller-gone");
    elect(&standin, Component::VirtOperator, "");
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    let told = surroundings(&shipped);
    assert!(told.at_stop.as_ref().expect("a state").leaders.is_empty());
    let unknown = told.unknown.join("\n");
    assert!(unknown.contains("virt-controller-gone"), "{unknown}");
    assert!(
        unknown.contains("nobody holds the Lease virt-operator"),
        "{unknown}"
    );
}

/// What its first attempt saw is not known to the second.
#[tokio::test]
async fn a_window_that_another_attempt_opened_has_its_end_alone() {
    let standin = standin().await;
    let mut place = of_elected(&standin);
    let mut child = place.spawn_short_lease();
    place.until_ready().await;
    child.kill().await.expect("it runs");
    place.set("PROFILER_SETTLE", "50ms");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    let told = surroundings(&shipped);
    assert_eq!(told.at_start, None);
    assert_eq!(told.at_stop.as_ref().expect("a state").nodes, Some(5));
    assert!(told.unknown[0].contains("died"), "{:?}", told.unknown);
}

/// One that is told to stop has no time for it.
#[tokio::test]
async fn a_run_that_is_told_to_stop_does_not_look() {
    let standin = standin().await;
    let place = of_elected(&standin).with("PROFILER_GRACE", "10m");
    let child = place.spawn();
    place.until_ready().await;
    let (nodes, lists) = (
        standin.arrived("nodes"),
        standin.arrived("stop-cluster-profiler"),
    );
    assert_eq!((nodes, lists), (1, 0));
    send(&child, Signal::TERM);
    let ended = tokio::time::timeout(Duration::from_secs(300), place.ended(child)).await;
    let ended = ended.expect("an end");
    assert_eq!(ended.code, 143, "{}", ended.log);
    let shipped = place.shipped();
    let told = surroundings(&shipped);
    assert!(told.at_start.is_some());
    assert_eq!(told.at_stop, None);
    assert!(
        told.unknown[0].contains("told to stop"),
        "{:?}",
        told.unknown
    );
    assert_eq!(standin.arrived("nodes"), nodes);
}
