//! The program's flags.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::Parser;
use standin::{Denied, Fault, HyperConvergedApi, KubeVirt, Options, Profiles, Times};

/// A stand-in KubeVirt control plane: kube-apiserver, virt-api and the component pods in one
/// process on 127.0.0.1, with the manners of the real ones.
///
/// It writes a kubeconfig as soon as it serves, and serves until SIGTERM or Ctrl-C:
///
///     standin --pods 200 --kubeconfig /tmp/kubeconfig --pod-latency 1300ms
///     KUBECONFIG=/tmp/kubeconfig kubectl get --raw /version
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub(crate) struct Cli {
    /// Component pods: two each of virt-api, virt-controller and virt-operator, the rest virt-handler
    #[arg(long, value_name = "N", default_value_t = 8)]
    pods: usize,

    /// Where to write the kubeconfig, once it serves
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: PathBuf,

    /// The profiles every pod serves: large is a real pod's 25 MB
    #[arg(long, value_enum, default_value_t)]
    profiles: Profiles,

    /// The KubeVirt version played: it decides what enables the profiler
    #[arg(long, value_enum, default_value_t)]
    kubevirt: KubeVirt,

    /// The namespace KubeVirt is installed in
    #[arg(long, value_name = "NAME", default_value = "kubevirt")]
    namespace: String,

    /// How long every pod takes to answer a dump (a real idle pod: 1300ms)
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    pod_latency: Duration,

    /// The age at which pod LIST tokens go stale
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    token_age: Duration,

    /// How long kube-apiserver lets a start, stop or dump take before it cuts it
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    response_limit: Duration,

    /// HyperConverged owns the KubeVirt object
    #[arg(long)]
    hyperconverged: bool,

    /// The versions in which HyperConverged's object is served
    #[arg(long, value_enum, value_name = "VERSIONS", default_value = "v1beta1")]
    hyperconverged_api: HyperConvergedApi,

    /// How long virt-api takes to see that the profiler was turned on or off
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    gate_delay: Duration,

    /// The profiler is off: start, stop and dump answer 403
    #[arg(long)]
    gate_off: bool,

    /// Serve the golden cpu profile byte for byte, without the window's own times
    #[arg(long)]
    golden_cpu: bool,

    /// Other pods of the namespace, whose names sort before virt-*
    #[arg(long, value_name = "N", default_value_t = 0)]
    unrelated: usize,

    /// Pods labelled kubevirt.io=virt-launcher, which have no profiler
    #[arg(long, value_name = "N", default_value_t = 0)]
    launchers: usize,

    /// A pod that takes this long to answer (beyond 5s its page, and every start, is a 500)
    #[arg(long, value_name = "POD=TIME")]
    slow_pod: Vec<Named<Slow>>,

    /// A pod that answers dump with 500: always, or the first K times
    #[arg(long, value_name = "POD[=K]")]
    fail_pod: Vec<Named<Limit>>,

    /// A pod that cannot be started: always, or the first K times
    #[arg(long, value_name = "POD[=K]")]
    fail_start: Vec<Named<Limit>>,

    /// Something the caller may not do, such as list=pods or list=dump-cluster-profiler
    #[arg(long, value_name = "VERB=RESOURCE")]
    deny: Vec<Named<Resource>>,
}

impl Cli {
    /// What the library is to be started with.
    pub(crate) fn into_options(self) -> Options {
        let slow = self
            .slow_pod
            .into_iter()
            .map(|it| (it.name, Fault::Slow(it.value.0)));
        let dump = self
            .fail_pod
            .into_iter()
            .map(|it| (it.name, Fault::DumpFails(it.value.0)));
        let start = self
            .fail_start
            .into_iter()
            .map(|it| (it.name, Fault::StartFails(it.value.0)));
        Options {
            pods: self.pods,
            unrelated: self.unrelated,
            launchers: self.launchers,
            namespace: self.namespace,
            kubevirt: self.kubevirt,
            hyperconverged: self.hyperconverged,
            hyperconverged_api: self.hyperconverged_api,
            gate: !self.gate_off,
            gate_delay: self.gate_delay,
            profiles: self.profiles,
            stamp_cpu: !self.golden_cpu,
            pod_latency: self.pod_latency,
            response_limit: self.response_limit,
            token_age: self.token_age,
            denied: self
                .deny
                .into_iter()
                .map(|it| Denied::new(it.name, it.value.0))
                .collect(),
            pod_faults: slow.chain(dump).chain(start).collect(),
            remembered: 0,
            ..Options::default()
        }
    }
}

/// A value for something named: `NAME=VALUE`, or `NAME` where an empty value will do.
#[derive(Clone, Debug)]
struct Named<T> {
    name: String,
    value: T,
}

impl<T: FromStr<Err = String>> FromStr for Named<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        Ok(Self {
            name: name.to_owned(),
            value: value.parse()?,
        })
    }
}

#[derive(Clone, Debug)]
struct Slow(Duration);

impl FromStr for Slow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|error| format!("after the =: {error}"))
    }
}

#[derive(Clone, Debug)]
struct Limit(Times);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Ok(Self(Times::Always)),
            _ => text
                .parse()
                .map(|times| Self(Times::First(times)))
                .map_err(|_| format!("after the =, a number of times: {text:?} is none")),
        }
    }
}

#[derive(Clone, Debug)]
struct Resource(String);

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("a resource is wanted after the =".to_owned()),
            _ => Ok(Self(text.to_owned())),
        }
    }
}
