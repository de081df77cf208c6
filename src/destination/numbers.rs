//! The numbers of a run, out of its manifest: little memory, whatever lies there under a manifest's name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read};
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::summary::{LONGEST, PodCounts, newer, plain_text, read};
use crate::component::Component;
use crate::config::RunId;
use crate::errors::plain;
use crate::manifest::{
    Amount, ClusterState, ComponentNumbers, KubeVirt, Manifest, Node, Surroundings, VmiLatencies,
    VmiQuantiles, Window,
};

/// Conditions of virtual machine instances that are kept; a run has some ten.
const MOST_CONDITIONS: usize = 32;

/// Architectures of nodes that are kept; a cluster has one or two.
const MOST_ARCHITECTURES: usize = 8;

/// What a run is compared by. Its texts have no control characters.
#[derive(Debug, Clone, Deserialize)]
pub struct RunNumbers {
    /// Version of the format.
    schema_version: u32,
    /// The run's id.
    #[serde(deserialize_with = "plain_text")]
    pub run_id: String,
    /// The key that it is compared by, in place of the cluster's identity.
    #[serde(default)]
    pub compare_key: Option<String>,
    /// The KubeVirt that was profiled.
    pub kubevirt: KubeVirt,
    /// When profiling was on.
    pub window: Window,
    /// How many pods were expected, and what there is of them.
    pub pods: PodCounts,
    /// What the pods of each component did in the window, together. Only a run with a baseline has it.
    #[serde(default)]
    pub in_window: BTreeMap<Component, WindowSums>,
    /// How fast virtual machine instances came up, where that was asked for.
    #[serde(default)]
    pub vmi_latencies: Option<VmiNumbers>,
    /// The cluster at both ends of the window.
    #[serde(default)]
    pub surroundings: Option<BothEnds>,
}

/// The numbers of a component's pods that are compared.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct WindowSums {
    /// Pods that restarted since their baseline.
    pub restarted: u64,
    /// Processor time.
    pub cpu_nanoseconds: Option<Sum>,
    /// Bytes that were allocated.
    pub allocated_bytes: Option<Sum>,
    /// Those of KubeVirt's own profiler among them.
    pub profiler_allocated_bytes: Option<Sum>,
    /// Objects that were allocated.
    pub allocated_objects: Option<Sum>,
    /// The heap in use after a collection, at the end.
    pub live_heap_bytes: Option<Sum>,
    /// Goroutines at the end.
    pub goroutines: Option<Sum>,
}

/// A sum over pods.
#[derive(Debug, Clone, Deserialize)]
pub struct Sum {
    /// The sum.
    pub sum: i64,
    /// How many pods it is of.
    pub pods: usize,
    /// The largest of one pod.
    #[serde(default)]
    pub largest: i64,
    /// That pod.
    #[serde(default)]
    pub largest_pod: String,
}

/// The latencies of virtual machine instances that are compared.
#[derive(Debug, Clone, Deserialize)]
pub struct VmiNumbers {
    /// The namespace of those that count.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The label selector of those that count.
    #[serde(default)]
    pub selector: Option<String>,
    /// How many were created in the window.
    pub created: u64,
    /// The resolution of the times.
    pub resolution_milliseconds: u32,
    /// The quantiles of each condition.
    #[serde(deserialize_with = "first_few")]
    pub quantiles_milliseconds: Vec<VmiQuantiles>,
}

/// The cluster at both ends of a window.
#[derive(Debug, Clone, Deserialize)]
pub struct BothEnds {
    /// Just before start was sent.
    #[serde(default)]
    pub at_start: Option<ClusterState>,
    /// Just after stop was sent.
    #[serde(default)]
    pub at_stop: Option<ClusterState>,
    /// The architectures of the nodes that the pods run on, where they are known.
    #[serde(default, rename = "nodes", deserialize_with = "architectures")]
    pub architectures: BTreeSet<String>,
}

impl RunNumbers {
    /// The numbers of a run whose manifest is not written yet.
    pub fn of(manifest: &Manifest) -> Self {
        let mut pods = PodCounts::default();
        for pod in &manifest.pods {
            pods.add(pod.pod.component, pod.state, !pod.files.is_empty());
        }
        let in_window = manifest.in_window.iter();
        Self {
            schema_version: manifest.schema_version,
            run_id: manifest.run_id.clone(),
            compare_key: manifest.compare_key.clone(),
            kubevirt: manifest.kubevirt.clone(),
            window: manifest.window,
            pods,
            in_window: in_window
                .map(|(component, numbers)| (*component, WindowSums::of(numbers)))
                .collect(),
            vmi_latencies: manifest.vmi_latencies.as_ref().map(VmiNumbers::of),
            surroundings: manifest.surroundings.as_ref().map(BothEnds::of),
        }
    }

    /// Reads the numbers of this run out of its manifest. The inner result is why that cannot be understood.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(content: impl Read, run: &RunId) -> io::Result<Result<Self, String>> {
        let mut numbers: Self = match read(content, LONGEST)? {
            Ok(numbers) => numbers,
            Err(why) => return Ok(Err(why)),
        };
        if let Some(why) = newer(numbers.schema_version) {
            return Ok(Err(why));
        }
        if numbers.run_id != run.as_str() {
            return Ok(Err("it is the manifest of another run".to_owned()));
        }
        let texts = [
            &mut numbers.compare_key,
            &mut numbers.kubevirt.uid,
            &mut numbers.kubevirt.version,
        ];
        for text in texts.into_iter().flatten() {
            *text = plain(text);
        }
        Ok(Ok(numbers))
    }
}

impl BothEnds {
    fn of(surroundings: &Surroundings) -> Self {
        let mut architectures = BTreeSet::new();
        for node in surroundings.nodes.values() {
            add_architecture(&mut architectures, node);
        }
        Self {
            at_start: surroundings.at_start.clone(),
            at_stop: surroundings.at_stop.clone(),
            architectures,
        }
    }
}

fn add_architecture(all: &mut BTreeSet<String>, node: &Node) {
    if let Some(architecture) = &node.architecture
        && all.len() < MOST_ARCHITECTURES
    {
        all.insert(plain(architecture));
    }
}

/// The architectures of nodes, by their names, which take no memory.
fn architectures<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    struct Architectures;

    impl<'de> Visitor<'de> for Architectures {
        type Value = BTreeSet<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("nodes by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut nodes: A) -> Result<BTreeSet<String>, A::Error> {
            let mut all = BTreeSet::new();
            while let Some((_, node)) = nodes.next_entry::<IgnoredAny, Node>()? {
                add_architecture(&mut all, &node);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_map(Architectures)
}

impl WindowSums {
    fn of(numbers: &ComponentNumbers) -> Self {
        let sum = |name: &str| {
            let amount: &Amount = numbers.amounts.get(name)?;
            Some(Sum {
                sum: amount.sum,
                pods: usize::try_from(amount.pods).ok()?,
                largest: amount.largest,
                largest_pod: amount.largest_pod.clone(),
            })
        };
        Self {
            restarted: numbers.restarted,
            cpu_nanoseconds: sum("cpu_nanoseconds"),
            allocated_bytes: sum("allocated_bytes"),
            profiler_allocated_bytes: sum("profiler_allocated_bytes"),
            allocated_objects: sum("allocated_objects"),
            live_heap_bytes: sum("live_heap_bytes"),
            goroutines: sum("goroutines"),
        }
    }
}

impl VmiNumbers {
    fn of(latencies: &VmiLatencies) -> Self {
        Self {
            namespace: latencies.namespace.clone(),
            selector: latencies.selector.clone(),
            created: latencies.created,
            resolution_milliseconds: latencies.resolution_milliseconds,
            quantiles_milliseconds: latencies.quantiles_milliseconds.clone(),
        }
    }
}

/// The first elements of a list; the others take no memory.
fn first_few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct FirstFew<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for FirstFew<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut few = Vec::new();
            while few.len() < MOST_CONDITIONS
                && let Some(element) = elements.next_element()?
            {
                few.push(element);
            }
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            Ok(few)
        }
    }

    deserializer.deserialize_seq(FirstFew(PhantomData))
}
