//! What a stand-in is made of; every field has the real control plane's value as its default.

use std::time::Duration;

use crate::fault::{Fault, RouteFault};
use crate::heavier::Heavier;

/// How a stand-in is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Component pods: two each of virt-api, virt-controller and virt-operator, the rest
    /// virt-handler; fewer than eight are spread evenly.
    pub pods: usize,
    /// Pods without the component label whose names sort before virt-*.
    pub unrelated: usize,
    /// Pods labelled `kubevirt.io=virt-launcher`, which have no profiler.
    pub launchers: usize,
    /// The namespace KubeVirt is installed in.
    pub namespace: String,
    /// The KubeVirt version played.
    pub kubevirt: KubeVirt,
    /// Whether HyperConverged owns the KubeVirt object.
    pub hyperconverged: bool,
    /// The versions in which the HyperConverged object is served.
    pub hyperconverged_api: HyperConvergedApi,
    /// Whether the KubeVirt object enables the profiler at first; with HyperConverged, by an
    /// operation in its annotation.
    pub gate: bool,
    /// How long virt-api takes to see that the object enables the profiler, or does no more.
    pub gate_delay: Duration,
    /// How long virt-operator takes until `observedGeneration` follows the KubeVirt object.
    pub observe_delay: Duration,
    /// How long HyperConverged takes to make the KubeVirt object what its own now asks for.
    pub hyperconverged_delay: Duration,
    /// The profiles every pod serves.
    pub profiles: Profiles,
    /// Functions that allocate more than the profiles say, or have another name, in some pods.
    pub heavier: Vec<Heavier>,
    /// Whether the window's own start and length are written into the cpu profile, as a real one
    /// has them; else the golden file is served byte for byte.
    pub stamp_cpu: bool,
    /// Bytes of noise in the stamped cpu profile, so that an archive gets large.
    pub cpu_padding: usize,
    /// How long every pod takes to answer a dump; a real idle pod takes 1.3 s.
    pub pod_latency: Duration,
    /// How long virt-api waits for a pod.
    pub pod_limit: Duration,
    /// How long kube-apiserver lets an aggregated response take.
    pub response_limit: Duration,
    /// How many dumps kube-apiserver lets be under way at once. It answers more of them 429.
    pub dumps_at_once: usize,
    /// The age at which pod LIST tokens go stale.
    pub token_age: Duration,
    /// What the caller may not do, told by SelfSubjectAccessReview and enforced.
    pub denied: Vec<Denied>,
    /// Whether SelfSubjectAccessReview itself is refused.
    pub reviews_forbidden: bool,
    /// Faults of pods, by name; the pod must be there from the beginning.
    pub pod_faults: Vec<(String, Fault)>,
    /// Faults of paths.
    pub route_faults: Vec<RouteFault>,
    /// How many requests are remembered one by one; beyond that they are only counted.
    pub remembered: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pods: 8,
            unrelated: 0,
            launchers: 0,
            namespace: "kubevirt".to_owned(),
            kubevirt: KubeVirt::default(),
            hyperconverged: false,
            hyperconverged_api: HyperConvergedApi::default(),
            gate: true,
            gate_delay: Duration::ZERO,
            observe_delay: Duration::ZERO,
            hyperconverged_delay: Duration::ZERO,
            profiles: Profiles::default(),
            heavier: Vec::new(),
            stamp_cpu: true,
            cpu_padding: 0,
            pod_latency: Duration::ZERO,
            pod_limit: Duration::from_secs(5),
            response_limit: Duration::from_secs(60),
            dumps_at_once: usize::MAX,
            token_age: Duration::from_secs(300),
            denied: Vec::new(),
            reviews_forbidden: false,
            pod_faults: Vec::new(),
            route_faults: Vec::new(),
            remembered: 10_000,
        }
    }
}

/// The versions in which a HyperConverged object is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum HyperConvergedApi {
    /// `v1beta1` alone, as until 1.17.
    #[default]
    V1beta1,
    /// `v1` and `v1beta1`, which is preferred no more.
    Both,
    /// The same, but whatever converts to `v1beta1` does not answer.
    BothUnconverted,
    /// The same, but `v1beta1` is preferred.
    Unconverted,
    /// `v1` alone.
    V1,
}

impl HyperConvergedApi {
    /// The versions, the preferred one first.
    pub fn served(self) -> &'static [&'static str] {
        match self {
            Self::V1beta1 => &["v1beta1"],
            Self::Both | Self::BothUnconverted => &["v1", "v1beta1"],
            Self::Unconverted => &["v1beta1", "v1"],
            Self::V1 => &["v1"],
        }
    }

    /// Whether the object can be had in a version that is served.
    pub fn converts(self, version: &str) -> bool {
        match self {
            Self::V1beta1 | Self::Both | Self::V1 => true,
            Self::BothUnconverted | Self::Unconverted => version == "v1",
        }
    }
}

/// Which profiles a pod serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Profiles {
    /// As large as a real idle component's (about 25 MB).
    Large,
    /// Small enough for quick tests.
    #[default]
    Small,
    /// Those of one process before a window, while a pod has none to serve, and after it.
    Window,
}

/// The KubeVirt version played: it decides what enables the profiler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum KubeVirt {
    /// Only the feature gate enables it.
    #[value(name = "v1.5.2")]
    V1_5,
    /// The feature gate or the field `clusterProfiler` enables it.
    #[value(name = "v1.7.0")]
    V1_7,
    /// Only the field enables it.
    #[default]
    #[value(name = "v1.8.4")]
    V1_8,
}

impl KubeVirt {
    /// The version as its objects say it.
    pub fn version(self) -> &'static str {
        match self {
            Self::V1_5 => "v1.5.2",
            Self::V1_7 => "v1.7.0",
            Self::V1_8 => "v1.8.4",
        }
    }

    /// Whether the KubeVirt schema has the field `clusterProfiler`.
    pub fn has_field(self) -> bool {
        match self {
            Self::V1_5 => false,
            Self::V1_7 | Self::V1_8 => true,
        }
    }
}

/// A verb the caller may not use on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// `list`, `get`, `create`, …
    pub verb: String,
    /// `pods`, `kubevirts`, `start-cluster-profiler`, …
    pub resource: String,
}

impl Denied {
    /// This verb on this resource, in whatever group and namespace.
    pub fn new(verb: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            verb: verb.into(),
            resource: resource.into(),
        }
    }
}
