//! A pod as the cluster remembers it: a few fields, from which its object is made when asked for.

use std::sync::Arc;

use crate::{names, options::Options};

/// A pod at one revision of the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    /// The value of the label `kubevirt.io`.
    pub(crate) label: Option<String>,
    pub(crate) uid: String,
    pub(crate) node: String,
    pub(crate) ip: String,
    pub(crate) restarts: u32,
    pub(crate) ready: bool,
}

impl Pod {
    /// A Ready pod; `number` tells it apart from every other.
    pub(crate) fn new(name: String, label: Option<String>, number: usize) -> Self {
        let on_each_node = name.starts_with("virt-handler");
        let node = if on_each_node {
            format!("worker-{number}.example.com")
        } else {
            format!("control-plane-{}.example.com", number % 3)
        };
        Self {
            node,
            uid: names::uid(number),
            ip: names::pod_ip(number + 10),
            restarts: u32::from(number.is_multiple_of(7)),
            ready: true,
            name,
            label,
        }
    }

    /// Whether virt-api takes it for a component that it can call.
    pub(crate) fn is_ready_component(&self) -> bool {
        self.ready && names::component_of(&self.name).is_some()
    }
}

/// The pods a stand-in begins with, in the order of their names.
pub(crate) fn fleet(options: &Options) -> Vec<Arc<Pod>> {
    let components = (0..options.pods).map(|index| {
        let component = names::component(index, options.pods);
        (
            names::pod_name(component, index),
            Some(component.to_owned()),
        )
    });
    let launchers = (0..options.launchers).map(|index| {
        let number = options.pods + index;
        (
            names::pod_name("virt-launcher", number),
            Some("virt-launcher".to_owned()),
        )
    });
    let unrelated = (0..options.unrelated).map(|index| (names::unrelated_name(index), None));
    let mut pods: Vec<_> = components
        .chain(launchers)
        .chain(unrelated)
        .enumerate()
        .map(|(number, (name, label))| Arc::new(Pod::new(name, label, number)))
        .collect();
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    pods
}
