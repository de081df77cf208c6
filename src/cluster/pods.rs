//! The component pods as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod as FullPod;
use kube::api::{Api, ApiResource, ListParams};
use kube::core::Object;
use serde::Deserialize;

use super::call::{CallError, Connection};
use crate::component::{COMPONENT_LABEL, Component, selector};
use crate::limits::POD_LISTINGS;
use crate::manifest::{ContainerBounds, ExpectedPod};

/// Pods in one page of a LIST: a pod object is about 8 KiB, of which some 200 bytes are kept.
const PAGE: u32 = 50;

/// A pod, with only the fields that are used: the whole type is a fifth of a megabyte of code.
type Pod = Object<Spec, Status>;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
    containers: Vec<Container>,
}

#[derive(Debug, Clone, Deserialize)]
struct Container {
    name: String,
    image: Option<String>,
    #[serde(default)]
    resources: Resources,
    #[serde(default)]
    env: Vec<Variable>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Resources {
    requests: BTreeMap<String, String>,
    limits: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Variable {
    name: String,
    value: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    conditions: Vec<Condition>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    restart_count: i32,
}

/// A component pod, reduced to what a run needs.
#[derive(Debug, Clone)]
pub struct ComponentPod {
    /// The pod as the manifest has it.
    pub pod: ExpectedPod,
    /// Whether it is Running and Ready: start and stop reach no other.
    pub ready: bool,
    /// Its address, by which virt-api names it in some errors.
    pub ip: Option<String>,
}

/// Lists the pods of every component, by name.
///
/// # Errors
/// The API server failed.
pub async fn list(
    connection: &Connection,
    namespace: &str,
) -> Result<Vec<ComponentPod>, CallError> {
    let mut listing = 1;
    loop {
        match list_once(connection, namespace).await {
            Err(CallError::Answer { code: 410, .. }) if listing < POD_LISTINGS => listing += 1,
            result => return result,
        }
    }
}

/// Lists them once: a token that goes stale under it is an error.
///
/// # Errors
/// The API server failed.
pub async fn list_once(
    connection: &Connection,
    namespace: &str,
) -> Result<Vec<ComponentPod>, CallError> {
    let pods = ApiResource::erase::<FullPod>(&());
    let api: Api<Pod> = Api::namespaced_with(connection.client(), namespace, &pods);
    let call = format!("list pods in {namespace}");
    let mut params = ListParams::default()
        .labels(&selector(&Component::ALL.into()))
        .limit(PAGE);
    let mut pods = Vec::new();
    let mut known = BTreeSet::new();
    loop {
        let page = connection.call(&call, || api.list(&params)).await?;
        let items = page.items.into_iter();
        pods.extend(items.filter_map(|pod| reduce(pod, &mut known)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(pods),
        }
    }
}

fn reduce(pod: Pod, known: &mut BTreeSet<Arc<ContainerBounds>>) -> Option<ComponentPod> {
    let name = pod.metadata.name?;
    let label = pod.metadata.labels?.remove(COMPONENT_LABEL)?;
    let component = Component::of_pod(&label, &name)?;
    let status = pod.status.unwrap_or_default();
    let container = own(component, pod.spec.containers, |container| &container.name);
    Some(ComponentPod {
        ready: is_ready(&status),
        ip: status.pod_ip.clone(),
        pod: ExpectedPod {
            name,
            component,
            uid: pod.metadata.uid.unwrap_or_default(),
            node: pod.spec.node_name.unwrap_or_default(),
            image: container
                .as_ref()
                .and_then(|own| own.image.clone())
                .unwrap_or_default(),
            restarts: own(component, status.container_statuses, |container| {
                &container.name
            })
            .map_or(0, |own| own.restart_count),
            container: container.map(|own| shared(bounds(own), known)),
        },
    })
}

/// What is equal to this, of those that were found before: containers of a component are bounded alike, and a run
/// keeps it of each pod, and more than once.
fn shared(
    bounds: ContainerBounds,
    known: &mut BTreeSet<Arc<ContainerBounds>>,
) -> Arc<ContainerBounds> {
    if let Some(same) = known.get(&bounds) {
        return Arc::clone(same);
    }
    let bounds = Arc::new(bounds);
    known.insert(Arc::clone(&bounds));
    bounds
}

fn is_ready(status: &Status) -> bool {
    let mut conditions = status.conditions.iter();
    let ready = conditions.any(|c| c.type_ == "Ready" && c.status == "True");
    ready && status.phase == "Running"
}

/// The component's own container, which has its name, or else the first one: a sidecar has nothing to do with the
/// profiler.
fn own<C>(component: Component, containers: Vec<C>, name: impl Fn(&C) -> &String) -> Option<C> {
    let own = containers
        .iter()
        .position(|container| name(container) == component.name());
    containers.into_iter().nth(own.unwrap_or(0))
}

fn bounds(container: Container) -> ContainerBounds {
    let set = |name: &str| {
        let mut variables = container.env.iter();
        variables
            .find(|variable| variable.name == name)?
            .value
            .clone()
    };
    ContainerBounds {
        gomaxprocs: set("GOMAXPROCS"),
        gomemlimit: set("GOMEMLIMIT"),
        requests: container.resources.requests,
        limits: container.resources.limits,
    }
}
