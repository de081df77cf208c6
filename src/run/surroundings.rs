//! What surrounds a run, at both ends of its window, for the manifest and `cluster.json`. It helps whoever compares
//! runs, and no run waits long for it: what does not come soon, or may not be read, is told as unknown.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use tokio::time::timeout;

use super::context::Context;
use crate::cluster::call::CallError;
use crate::cluster::surroundings::{Counted, count, each_node, holder};
use crate::component::Component;
use crate::limits::{NODE_LISTS, SURROUNDINGS};
use crate::manifest::{ClusterState, ExpectedPod, Surroundings};

/// Looks at the cluster before start is sent.
pub(super) async fn at_start(context: &Context, pods: &[ExpectedPod]) -> Surroundings {
    let mut surroundings = Surroundings::default();
    surroundings.at_start = look(context, pods, &mut surroundings.unknown).await;
    surroundings
}

/// Looks at the cluster once more, and at the pods' nodes, once stop was sent.
pub(super) async fn at_stop(
    context: &Context,
    at_start: Option<Surroundings>,
    pods: &[ExpectedPod],
) -> Surroundings {
    let mut surroundings = at_start.unwrap_or_else(|| Surroundings {
        unknown: vec![
            "the cluster at the start: the attempt that opened the window died".to_owned(),
        ],
        ..Surroundings::default()
    });
    surroundings.at_stop = look(context, pods, &mut surroundings.unknown).await;
    let may_list = |state: &ClusterState| state.nodes.is_some();
    if surroundings.at_stop.as_ref().is_some_and(may_list) {
        tokio::select! {
            () = look_at_nodes(context, pods, &mut surroundings) => {}
            _ = context.shutdown.requested() => {}
        }
    }
    if !surroundings.unknown.is_empty() {
        tracing::info!(unknown = ?surroundings.unknown, "not all of what surrounds the run is known");
    }
    surroundings
}

/// The cluster now; nothing for a run that is told to stop.
async fn look(
    context: &Context,
    pods: &[ExpectedPod],
    unknown: &mut Vec<String>,
) -> Option<ClusterState> {
    let connection = &context.cluster.connection;
    let looked = async {
        tokio::join!(
            soon(SURROUNDINGS, count(connection, Counted::Nodes)),
            soon(SURROUNDINGS, count(connection, Counted::Instances)),
            leader(context, Component::VirtController, pods),
            leader(context, Component::VirtOperator, pods),
        )
    };
    let (nodes, instances, controller, operator) = tokio::select! {
        biased;
        _ = context.shutdown.requested() => {
            note(unknown, "the cluster once the run was told to stop".to_owned());
            return None;
        }
        looked = looked => looked,
    };
    let mut number = |what, counted: Result<Option<u64>, String>| match counted {
        Ok(Some(number)) => Some(number),
        Ok(None) => {
            note(unknown, format!("{what}: the API server does not tell"));
            None
        }
        Err(why) => {
            note(unknown, format!("{what}: {why}"));
            None
        }
    };
    let mut state = ClusterState {
        nodes: number("how many nodes there are", nodes),
        virtual_machine_instances: number("how many VMIs there are", instances),
        ..ClusterState::default()
    };
    for (component, leader) in [
        (Component::VirtController, controller),
        (Component::VirtOperator, operator),
    ] {
        match leader {
            Ok(Some(pod)) => {
                state.leaders.insert(component, pod);
            }
            Ok(None) => {}
            Err(why) => note(unknown, format!("which {component} leads: {why}")),
        }
    }
    Some(state)
}

/// The pod of an elected component that leads; none of a component that is not dumped.
async fn leader(
    context: &Context,
    component: Component,
    pods: &[ExpectedPod],
) -> Result<Option<String>, String> {
    let mut own = pods.iter().filter(|pod| pod.component == component);
    if own.clone().next().is_none() {
        return Ok(None);
    }
    let install = context.install().map_err(|fault| fault.message)?;
    let lease = component.name();
    let asked = holder(&context.cluster.connection, &install.namespace, lease);
    let Some(holder) = soon(SURROUNDINGS, asked).await? else {
        return Err(format!("nobody holds the Lease {lease}"));
    };
    match own.find(|pod| pod.name == holder) {
        Some(pod) => Ok(Some(pod.name.clone())),
        None => Err(format!(
            "the Lease {lease} is held by {holder}, which is no expected pod"
        )),
    }
}

/// Finds the nodes that the pods run on.
async fn look_at_nodes(context: &Context, pods: &[ExpectedPod], surroundings: &mut Surroundings) {
    let wanted: BTreeSet<_> = pods.iter().map(|pod| pod.node.as_str()).collect();
    let wanted_count = wanted.iter().filter(|node| !node.is_empty()).count();
    let Surroundings { nodes, unknown, .. } = surroundings;
    let listed = each_node(&context.cluster.connection, |name, node| {
        if wanted.contains(name.as_str()) {
            nodes.insert(name, node);
        }
    });
    let listed = soon(NODE_LISTS, listed).await;
    let missing = wanted_count - nodes.len();
    match listed {
        Err(why) => note(unknown, format!("of {missing} nodes, their size: {why}")),
        Ok(()) if missing > 0 => note(
            unknown,
            format!("of {missing} nodes, their size: they are gone"),
        ),
        Ok(()) => {}
    }
}

/// What is answered within this time.
async fn soon<T>(
    longest: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, String> {
    match timeout(longest, call).await {
        Ok(Err(error)) if error.is_denied() => Err(missing_right(&error)),
        Ok(answered) => answered.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {longest:?}")),
    }
}

fn missing_right(error: &impl Display) -> String {
    format!("the account has no right to it: {error}")
}

fn note(unknown: &mut Vec<String>, what: String) {
    if !unknown.contains(&what) {
        unknown.push(what);
    }
}
