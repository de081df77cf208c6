//! The latencies of a window's instances, by the names and conventions of kube-burner.

use super::api::Scope;
use super::second::Second;
use super::table::{Record, Table};
use crate::manifest::{CountedFrom, VmiLatencies, VmiQuantiles, Window};

/// The resolution of timestamps in Kubernetes' objects.
const RESOLUTION_MS: u32 = 1000;

/// kube-burner's names of the conditions.
const CONDITIONS: [&str; 6] = [
    "VMICreated",
    "VMIPending",
    "VMIScheduling",
    "VMIScheduled",
    "VMIRunning",
    "VMReady",
];

impl Table {
    /// The latencies of the instances that were created in the window.
    pub fn latencies(&self, scope: &Scope, window: &Window) -> VmiLatencies {
        let start = Second::of(window.start);
        let stop = Second::of(window.stop);
        let is_of_window = |record: &&Record| {
            let created = record.created;
            !record.was_there && created.is_some() && created >= start && created <= stop
        };
        let records: Vec<_> = self.instances.values().filter(is_of_window).collect();
        let count = |what: fn(&Record) -> bool| records.iter().filter(|it| what(it)).count() as u64;
        let created = records.len() as u64;
        let running = count(|record| record.has_run);
        let mut latencies = VmiLatencies {
            namespace: scope.namespace.clone(),
            selector: scope.selector.clone(),
            counted_from: if self.has_machines {
                CountedFrom::VirtualMachine
            } else {
                CountedFrom::VirtualMachineInstance
            },
            created,
            owned: 0,
            running,
            not_running: created - running,
            failed: count(|record| record.has_failed),
            deleted: count(|record| record.is_deleted),
            negative: 0,
            resolution_milliseconds: RESOLUTION_MS,
            quantiles_milliseconds: Vec::new(),
            watched: self.is_watched,
            missed: self.missed.clone(),
        };
        let mut values = CONDITIONS.map(|_| Vec::new());
        for record in records {
            let machine = self.machine_of(record).filter(|at| Some(*at) >= start);
            latencies.owned += u64::from(machine.is_some());
            let zero = machine.or(record.created);
            for (values, at) in values.iter_mut().zip(moments(record, machine)) {
                let Some((at, zero)) = at.zip(zero) else {
                    continue;
                };
                match at.milliseconds_since(zero) {
                    Some(latency) => values.push(latency),
                    None => latencies.negative += 1,
                }
            }
        }
        let named = CONDITIONS.into_iter().zip(values);
        latencies.quantiles_milliseconds =
            named.filter_map(|(name, of)| quantiles(name, of)).collect();
        latencies
    }

    /// When the VirtualMachine of an instance was created, if that is known.
    fn machine_of(&self, record: &Record) -> Option<Second> {
        self.machines.get(&record.machine?).copied()
    }
}

/// When an instance came into each condition; two of them only one has whose VirtualMachine is known.
fn moments(record: &Record, machine: Option<Second>) -> [Option<Second>; CONDITIONS.len()] {
    let [pending, scheduling, scheduled, running] = record.reached;
    let created = machine.and(record.created);
    let ready = machine.and(record.ready);
    [created, pending, scheduling, scheduled, running, ready]
}

/// The quantiles of some values; `None` where there are none.
fn quantiles(name: &str, mut values: Vec<u64>) -> Option<VmiQuantiles> {
    values.sort_unstable();
    let max = *values.last()?;
    let count = values.len();
    // The least value that so many percent of all are not above.
    let nearest_rank = |percent: usize| values[(count * percent).div_ceil(100).max(1) - 1];
    Some(VmiQuantiles {
        name: name.to_owned(),
        count: count as u64,
        p50: nearest_rank(50),
        p95: nearest_rank(95),
        p99: nearest_rank(99),
        min: values[0],
        max,
        avg: values.iter().sum::<u64>() / count as u64,
    })
}
