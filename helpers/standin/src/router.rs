//! The paths: what each one means, and the right that it takes.

use http::Method;

use crate::{
    profiler::Call,
    resource::{Resource, Verb},
    vms::VmKind,
};

/// A request's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Version,
    KubeVirtSchema,
    ProfilerGroup,
    HyperConvergedGroup,
    /// The objects that can be written.
    Objects {
        resource: Resource,
        verb: Verb,
        namespace: String,
        name: Option<String>,
    },
    Nodes,
    Pods {
        namespace: String,
    },
    /// Virtual machines, or their instances: of a namespace, or all.
    Vms {
        kind: VmKind,
        namespace: Option<String>,
    },
    Review,
    /// kube-apiserver passes these on to virt-api.
    Profiler(Call),
}

/// The attributes by which a request is authorised.
#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    pub(crate) verb: &'static str,
    pub(crate) group: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
}

/// Why there is no route.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    NotFound,
    MethodNotAllowed,
}

/// Finds the meaning of a request.
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, NoRoute> {
    let segments: Vec<_> = path.trim_matches('/').split('/').collect();
    let route = match segments.as_slice() {
        ["version"] => Route::Version,
        ["openapi", "v3", "apis", "kubevirt.io", "v1"] => Route::KubeVirtSchema,
        ["api", "v1", "nodes"] => Route::Nodes,
        ["api", "v1", "namespaces", namespace, "pods"] => Route::Pods {
            namespace: (*namespace).to_owned(),
        },
        [
            "apis",
            "authorization.k8s.io",
            "v1",
            "selfsubjectaccessreviews",
        ] => Route::Review,
        ["apis", "hco.kubevirt.io"] => Route::HyperConvergedGroup,
        ["apis", "subresources.kubevirt.io"] => Route::ProfilerGroup,
        ["apis", "subresources.kubevirt.io", "v1" | "v1alpha3", call] => match *call {
            "start-cluster-profiler" => Route::Profiler(Call::Start),
            "stop-cluster-profiler" => Route::Profiler(Call::Stop),
            "dump-cluster-profiler" => Route::Profiler(Call::Dump),
            _ => return Err(NoRoute::NotFound),
        },
        ["apis", "kubevirt.io", "v1", plural] => Route::Vms {
            kind: VmKind::of(plural).ok_or(NoRoute::NotFound)?,
            namespace: None,
        },
        [
            "apis",
            "kubevirt.io",
            "v1",
            "namespaces",
            namespace,
            plural @ ("virtualmachines" | "virtualmachineinstances"),
        ] => Route::Vms {
            kind: VmKind::of(plural).ok_or(NoRoute::NotFound)?,
            namespace: Some((*namespace).to_owned()),
        },
        [
            "apis",
            group,
            version,
            "namespaces",
            namespace,
            plural,
            name @ ..,
        ] => {
            let resource = Resource::of(group, version, plural).ok_or(NoRoute::NotFound)?;
            return objects(resource, method, namespace, name);
        }
        _ => return Err(NoRoute::NotFound),
    };
    let expected = if route == Route::Review {
        Method::POST
    } else {
        Method::GET
    };
    if *method == expected {
        Ok(route)
    } else {
        Err(NoRoute::MethodNotAllowed)
    }
}

fn objects(
    resource: Resource,
    method: &Method,
    namespace: &str,
    name: &[&str],
) -> Result<Route, NoRoute> {
    if name.len() > 1 {
        return Err(NoRoute::NotFound);
    }
    let verb = Verb::of(method, !name.is_empty()).filter(|verb| resource.allows(*verb));
    Ok(Route::Objects {
        resource,
        verb: verb.ok_or(NoRoute::MethodNotAllowed)?,
        namespace: namespace.to_owned(),
        name: name.first().map(|name| (*name).to_owned()),
    })
}

impl Route {
    /// The attributes by which the API server authorises the request; `None` for what everybody may read.
    /// A GET with no name is a list, the profiler's three calls included.
    pub(crate) fn attributes(&self) -> Option<Attributes<'_>> {
        let cluster = |group, resource| Attributes {
            verb: "list",
            group,
            resource,
            namespace: None,
            name: None,
        };
        let profiler = |resource| Some(cluster("subresources.kubevirt.io", resource));
        match self {
            Self::Version
            | Self::KubeVirtSchema
            | Self::ProfilerGroup
            | Self::HyperConvergedGroup => None,
            Self::Objects {
                resource,
                verb,
                namespace,
                name,
            } => Some(Attributes {
                verb: verb.name(),
                group: resource.group(),
                resource: resource.plural(),
                namespace: Some(namespace),
                name: name.as_deref(),
            }),
            Self::Nodes => Some(cluster("", "nodes")),
            Self::Pods { namespace } => Some(Attributes {
                namespace: Some(namespace),
                ..cluster("", "pods")
            }),
            Self::Vms { kind, namespace } => Some(Attributes {
                namespace: namespace.as_deref(),
                ..cluster("kubevirt.io", kind.plural())
            }),
            Self::Review => Some(Attributes {
                verb: "create",
                ..cluster("authorization.k8s.io", "selfsubjectaccessreviews")
            }),
            Self::Profiler(Call::Start) => profiler("start-cluster-profiler"),
            Self::Profiler(Call::Stop) => profiler("stop-cluster-profiler"),
            Self::Profiler(Call::Dump) => profiler("dump-cluster-profiler"),
        }
    }
}
