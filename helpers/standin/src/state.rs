//! Everything that changes while a stand-in serves.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use http::Method;

use crate::{
    control::Control,
    fault::{Damage, Fault, RouteAnswer, RouteFault},
    log::{Log, Seen},
    names,
    object::Key,
    options::Options,
    pod::{self, Pod},
    profiler::{Call, Cpu, Profiler},
    resource::Resource,
    revisions::Revisions,
    strike,
    vms::Vms,
};

/// The cluster, and the requests that it got. [`crate::Standin::wait_until`] looks at it.
pub struct State {
    pub(crate) revisions: Revisions,
    pub(crate) control: Control,
    pub(crate) log: Log,
    /// By pod name.
    pub(crate) faults: HashMap<String, Vec<Fault>>,
    pub(crate) route_faults: Vec<RouteFault>,
    /// By pod uid: a replaced pod begins anew.
    pub(crate) profilers: HashMap<String, Profiler>,
    pub(crate) starts: usize,
    pub(crate) vms: Vms,
    /// The number the next new pod gets.
    pub(crate) next: usize,
}

/// The answer of a pod to a call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) after: Duration,
    pub(crate) outcome: Outcome,
}

/// The outcome of a call to a pod.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// 200; the cpu part and the damage are a dump's.
    Done(Cpu, Vec<Damage>),
    /// Another status.
    Status(u16),
    /// The pod is gone; nobody has its address any more.
    NoRoute,
}

impl State {
    pub(crate) fn new(options: &Options) -> Self {
        let mut faults: HashMap<String, Vec<Fault>> = HashMap::new();
        for (pod, fault) in &options.pod_faults {
            faults.entry(pod.clone()).or_default().push(fault.clone());
        }
        let mut revisions = Revisions::new(pod::fleet(options), options.token_age);
        Self {
            control: Control::new(options, &mut revisions),
            revisions,
            log: Log::new(options.remembered),
            faults,
            route_faults: options.route_faults.clone(),
            profilers: HashMap::new(),
            starts: 0,
            vms: Vms::default(),
            next: options.pods + options.unrelated + options.launchers,
        }
    }

    /// The names of the component pods there are now, Ready or not.
    pub fn pods(&self) -> Vec<String> {
        let pods = self.revisions.pods().iter();
        let components = pods.filter(|pod| names::component_of(&pod.name).is_some());
        components.map(|pod| pod.name.clone()).collect()
    }

    /// The names of the pods whose cpu profiler runs now.
    pub fn profiling(&self) -> BTreeSet<String> {
        let running = |pod: &&Arc<Pod>| {
            self.profilers
                .get(&pod.uid)
                .is_some_and(Profiler::is_running)
        };
        self.revisions
            .pods()
            .iter()
            .filter(running)
            .map(|pod| pod.name.clone())
            .collect()
    }

    /// Whether virt-api has the profiler on.
    pub fn gate(&self) -> bool {
        self.control.enabled
    }

    /// The KubeVirt object.
    pub fn kubevirt(&self) -> Value {
        self.object(&self.control.kubevirt_key())
    }

    /// The HyperConverged object; null where there is none.
    pub fn hyperconverged(&self) -> Value {
        self.object(&self.control.hyperconverged_key())
    }

    /// The Lease of this name in the install namespace.
    pub fn lease(&self, name: &str) -> Option<Value> {
        let key = self.control.key(Resource::Leases, name);
        self.control.get(&key).ok().cloned()
    }

    fn object(&self, key: &Key) -> Value {
        self.control.get(key).cloned().unwrap_or_default()
    }

    /// Does everything that is due.
    pub(crate) fn settle(&mut self) {
        self.control.settle(&mut self.revisions);
    }

    /// The requests that came, up to [`Options::remembered`] of them.
    pub fn requests(&self) -> &[Seen] {
        self.log.seen()
    }

    /// How many requests came whose path ends in this segment (`dump-cluster-profiler`).
    pub fn arrived(&self, segment: &str) -> usize {
        self.log.arrived(segment)
    }

    /// How many starts reached the pods, whatever was answered.
    pub fn starts(&self) -> usize {
        self.starts
    }

    /// How many virtual machine instances are in this phase now.
    pub fn instances_in(&self, phase: &str) -> usize {
        self.vms.in_phase(phase)
    }

    /// The labelled component pods that are Ready now: all that start and stop reach.
    pub(crate) fn ready(&self) -> Vec<Arc<Pod>> {
        let pods = self.revisions.pods().iter();
        pods.filter(|pod| pod.label.is_some() && pod.is_ready_component())
            .cloned()
            .collect()
    }

    /// Makes a call to a pod: what it does is done now, the answer comes later.
    pub(crate) fn call(&mut self, pod: &Pod, call: Call, now: SystemTime) -> Answer {
        if !self.is_there(pod) {
            return Answer {
                after: Duration::ZERO,
                outcome: Outcome::NoRoute,
            };
        }
        let struck = strike::strike(self.faults.get_mut(&pod.name), call);
        let outcome = match struck.status {
            Some(status) => Outcome::Status(status),
            None => act(
                self.profilers.entry(pod.uid.clone()).or_default(),
                call,
                now,
                struck.damages,
            ),
        };
        Answer {
            after: struck.after,
            outcome,
        }
    }

    /// Whether the pod is the one that has its name now.
    fn is_there(&self, pod: &Pod) -> bool {
        let pods = self.revisions.pods();
        let place = pods.binary_search_by(|other| other.name.cmp(&pod.name));
        place.is_ok_and(|place| pods[place].uid == pod.uid)
    }

    /// The fault that strikes now.
    pub(crate) fn route_fault(
        &mut self,
        method: &Method,
        path: &str,
        body: &str,
    ) -> Option<RouteAnswer> {
        let mut here = self.route_faults.iter_mut().filter(|fault| {
            path.ends_with(&fault.path)
                && body.contains(&fault.body)
                && fault.answer.strikes(method, path)
        });
        here.find_map(|fault| fault.times.strike().then(|| fault.answer.clone()))
    }
}

fn act(profiler: &mut Profiler, call: Call, now: SystemTime, damages: Vec<Damage>) -> Outcome {
    match call {
        Call::Start => profiler.start(now),
        Call::Stop => profiler.stop(now),
        Call::Dump if profiler.cpu() == Cpu::Unreadable => return Outcome::Status(500),
        Call::Dump => {}
    }
    Outcome::Done(profiler.cpu(), damages)
}
