//! The manifest's types for what pods did in the window.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a pod did between its baseline and its dump, and what it held at both. A number is left out where nobody
/// can tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowNumbers {
    /// When its baseline began to arrive (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub baseline_at: Option<Timestamp>,
    /// Seconds from there to its dump. A rate of what it allocated or collected divides by these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Why it has no baseline, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_baseline: Option<String>,
    /// Whether its container restarted since the baseline: then what is counted is the new process's alone, since
    /// that began, and nothing has grown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restarted: bool,
    /// Bytes that it allocated, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_bytes: Option<u64>,
    /// Objects that it allocated, exactly, without those so small that they share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_objects: Option<u64>,
    /// Bytes that KubeVirt's own profiler allocated in it, for dumps and, in virt-api, for serving all pods' dumps;
    /// by samples. They are among `allocated_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiler_allocated_bytes: Option<i64>,
    /// Cycles of garbage collection, with those that were forced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gc_cycles: Option<u64>,
    /// Forced cycles, of which the dump itself is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced_gc_cycles: Option<u64>,
    /// Nanoseconds for which the collector stopped it; left out, too, after more than 256 cycles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gc_pause_nanoseconds: Option<u64>,
    /// Nanoseconds of processor time while profiling was on, by samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_nanoseconds: Option<i64>,
    /// Bytes of its heap in use after a collection, at the baseline, by samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_heap_bytes_before: Option<i64>,
    /// The same at the dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_heap_bytes: Option<i64>,
    /// Goroutines at the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goroutines_before: Option<i64>,
    /// Goroutines at the dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goroutines: Option<i64>,
    /// Samples of its deltas that are negative, which those of one process are not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub negative_samples: u64,
    /// Profiles that could not be read or compared, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
}

/// Dumps of all pods at once from within the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Its name, which is that of its folder in each pod's `snapshots`: a number, and seconds since the start.
    pub name: String,
    /// When it began (RFC 3339, UTC).
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Seconds since the window began.
    pub offset_seconds: f64,
    /// How many pods it has, where it came to its end.
    pub pods: Option<u64>,
    /// Why it lacks a pod, ended early, or is followed by fewer than were due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What the pods of a component did in the window, together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComponentNumbers {
    /// Pods that restarted since their baseline.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarted: u64,
    /// Each number of [`WindowNumbers`] that adds up, by its name.
    #[serde(flatten)]
    pub amounts: BTreeMap<String, Amount>,
}

/// A number of several pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amount {
    /// The sum over the pods that have it.
    pub sum: i64,
    /// How many pods have it.
    pub pods: u64,
    /// The largest of one pod.
    pub largest: i64,
    /// That pod.
    pub largest_pod: String,
}

impl WindowNumbers {
    /// The numbers that add up over pods, by name.
    fn amounts(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let whole = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
        [
            ("allocated_bytes", whole(self.allocated_bytes)),
            ("allocated_objects", whole(self.allocated_objects)),
            ("profiler_allocated_bytes", self.profiler_allocated_bytes),
            ("gc_cycles", whole(self.gc_cycles)),
            ("forced_gc_cycles", whole(self.forced_gc_cycles)),
            ("gc_pause_nanoseconds", whole(self.gc_pause_nanoseconds)),
            ("cpu_nanoseconds", self.cpu_nanoseconds),
            ("live_heap_bytes_before", self.live_heap_bytes_before),
            ("live_heap_bytes", self.live_heap_bytes),
            ("goroutines_before", self.goroutines_before),
            ("goroutines", self.goroutines),
        ]
        .into_iter()
        .filter_map(|(name, number)| Some((name, number?)))
    }
}

impl ComponentNumbers {
    /// Adds those of a pod.
    pub fn add(&mut self, pod: &str, numbers: &WindowNumbers) {
        self.restarted += u64::from(numbers.restarted);
        for (name, number) in numbers.amounts() {
            self.add_number(name, number, pod);
        }
    }

    fn add_number(&mut self, name: &str, number: i64, pod: &str) {
        let Some(amount) = self.amounts.get_mut(name) else {
            let first = Amount {
                sum: number,
                pods: 1,
                largest: number,
                largest_pod: pod.to_owned(),
            };
            self.amounts.insert(name.to_owned(), first);
            return;
        };
        amount.sum = amount.sum.saturating_add(number);
        amount.pods += 1;
        if number > amount.largest {
            amount.largest = number;
            pod.clone_into(&mut amount.largest_pod);
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
