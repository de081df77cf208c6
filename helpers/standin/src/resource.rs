//! The kinds of object that can be written.

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    KubeVirts,
    HyperConvergeds,
    Leases,
    Events,
}

/// What a request does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Create,
    Update,
    Patch,
    Delete,
}

impl Resource {
    /// The resource of a path.
    pub(crate) fn of(group: &str, version: &str, plural: &str) -> Option<Self> {
        [
            Self::KubeVirts,
            Self::HyperConvergeds,
            Self::Leases,
            Self::Events,
        ]
        .into_iter()
        .find(|it| {
            let in_version = it.version() == version || it.versions().contains(&version);
            (it.group(), it.plural()) == (group, plural) && in_version
        })
    }

    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::KubeVirts => "kubevirt.io",
            Self::HyperConvergeds => "hco.kubevirt.io",
            Self::Leases => "coordination.k8s.io",
            Self::Events => "events.k8s.io",
        }
    }

    /// The versions in which it may be served, where there are several.
    pub(crate) fn versions(self) -> &'static [&'static str] {
        match self {
            Self::KubeVirts | Self::Leases | Self::Events => &[],
            Self::HyperConvergeds => &["v1beta1", "v1"],
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::KubeVirts | Self::Leases | Self::Events => "v1",
            Self::HyperConvergeds => "v1beta1",
        }
    }

    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::KubeVirts => "kubevirts",
            Self::HyperConvergeds => "hyperconvergeds",
            Self::Leases => "leases",
            Self::Events => "events",
        }
    }

    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::KubeVirts => "KubeVirt",
            Self::HyperConvergeds => "HyperConverged",
            Self::Leases => "Lease",
            Self::Events => "Event",
        }
    }

    pub(crate) fn api_version(self) -> String {
        format!("{}/{}", self.group(), self.version())
    }

    /// As errors name it: `leases.coordination.k8s.io`.
    pub(crate) fn qualified(self) -> String {
        format!("{}.{}", self.plural(), self.group())
    }

    /// Whether it has a generation, and a status that is written apart from the rest.
    pub(crate) fn has_status(self) -> bool {
        match self {
            Self::KubeVirts | Self::HyperConvergeds => true,
            Self::Leases | Self::Events => false,
        }
    }

    /// Whether the stand-in does this; the operators' objects are made and stay.
    pub(crate) fn allows(self, verb: Verb) -> bool {
        match verb {
            Verb::Get | Verb::List | Verb::Update | Verb::Patch => true,
            Verb::Create | Verb::Delete => matches!(self, Self::Leases | Self::Events),
        }
    }
}

impl Verb {
    /// The verb of a request, if it has one.
    pub(crate) fn of(method: &http::Method, named: bool) -> Option<Self> {
        match (method.as_str(), named) {
            ("GET", true) => Some(Self::Get),
            ("GET", false) => Some(Self::List),
            ("POST", false) => Some(Self::Create),
            ("PUT", true) => Some(Self::Update),
            ("PATCH", true) => Some(Self::Patch),
            ("DELETE", true) => Some(Self::Delete),
            _ => None,
        }
    }

    /// As RBAC names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}
