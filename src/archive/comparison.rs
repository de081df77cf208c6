//! A pod's dump held against its baseline: the differences as entries, and the numbers of the window.

use std::io::{Read, Seek};

use jiff::{SignedDuration, Timestamp};

use super::baseline::{Before, PodBaseline};
use super::bundle::PodBundle;
use super::entry::Entry;
use super::spool::{EntryError, Spool};
use crate::manifest::{ExpectedPod, WindowNumbers};
use crate::pprof::{
    self, Difference, Interval, Kind, ProfileReader, difference, live_heap_bytes, why_empty,
};

/// A comparison under way.
struct Comparison<'a> {
    pod: &'a str,
    spool: &'a Spool,
    baseline: Option<PodBaseline>,
    dumped_at: Timestamp,
    numbers: WindowNumbers,
    differences: Vec<Entry>,
}

impl PodBundle {
    /// Adds to a pod's bundle what it did in the window: its numbers, and the differences to its baseline.
    /// `before` is none where no baseline was asked for. What cannot be compared is said, and no fault of the pod.
    pub fn compare(
        &mut self,
        pod: &ExpectedPod,
        before: Option<Before>,
        has_restarted: bool,
        spool: &Spool,
    ) {
        let mut numbers = WindowNumbers::default();
        let baseline = match before {
            None => None,
            Some(Before::Kept(baseline)) => Some(baseline),
            Some(Before::Missing(why)) => {
                numbers.no_baseline = Some(why);
                None
            }
        };
        numbers.restarted = baseline.as_ref().is_some_and(|baseline| {
            has_restarted
                || baseline.restarts() != pod.restarts
                || pprof::is_another_process(baseline.mem_stats(), &self.mem_stats)
        });
        let mut comparison = Comparison {
            pod: &pod.name,
            spool,
            baseline,
            dumped_at: self.dumped_at,
            numbers,
            differences: Vec::new(),
        };
        comparison.count_memory(self);
        for (kind, entry) in &mut self.entries {
            if entry.file.damage.is_some() {
                continue;
            }
            match comparison.of_kind(*kind, entry) {
                Ok(why_empty) => self.empty.extend(why_empty.map(|why| (*kind, why))),
                Err(error) => {
                    let why = format!("{}: {error}", kind.file_name());
                    tracing::warn!(pod = pod.name, why, "not compared with its baseline");
                    comparison.numbers.not_compared.push(why);
                }
            }
        }
        self.differences = comparison.differences;
        self.in_window = Some(Box::new(comparison.numbers));
    }
}

impl Comparison<'_> {
    /// Subtracts what the process itself counts.
    fn count_memory(&mut self, bundle: &PodBundle) {
        let Some(baseline) = &self.baseline else {
            return;
        };
        let numbers = &mut self.numbers;
        let interval = self.dumped_at.duration_since(baseline.dumped_at());
        numbers.baseline_at = Some(baseline.dumped_at());
        // A clock that was set back meanwhile tells no interval.
        numbers.seconds = interval.is_positive().then(|| interval.as_secs_f64());
        let memory = if numbers.restarted {
            pprof::whole_life(&bundle.mem_stats)
        } else {
            pprof::window_memory(baseline.mem_stats(), &bundle.mem_stats)
        };
        numbers.allocated_bytes = memory.allocated_bytes;
        numbers.allocated_objects = memory.allocated_objects;
        numbers.gc_cycles = memory.gc_cycles;
        numbers.forced_gc_cycles = memory.forced_gc_cycles;
        numbers.gc_pause_nanoseconds = memory.gc_pause_nanoseconds;
    }

    /// Compares one kind of profile. Says why it is empty, where it is and that can be told.
    fn of_kind(
        &mut self,
        kind: Kind,
        entry: &mut Entry,
    ) -> Result<Option<&'static str>, EntryError> {
        let is_empty = entry.file.samples == Some(0);
        let mut after = ProfileReader::open(entry.content(self.spool.temporary())?)?;
        let why = why_empty(kind, after.header()).filter(|_| is_empty);
        let now = level(kind, &mut after)?;
        match kind {
            Kind::Cpu => self.numbers.cpu_nanoseconds = now,
            Kind::Goroutine => self.numbers.goroutines = now,
            Kind::Heap => self.numbers.live_heap_bytes = now,
            Kind::Allocs | Kind::Block | Kind::Mutex | Kind::Threadcreate => {}
        }
        let Some(baseline) = &self.baseline else {
            return Ok(why);
        };
        let Some(mut before) = baseline.profile(kind)? else {
            return Ok(why);
        };
        match kind {
            Kind::Goroutine => self.numbers.goroutines_before = level(kind, &mut before)?,
            Kind::Heap => self.numbers.live_heap_bytes_before = level(kind, &mut before)?,
            Kind::Allocs | Kind::Block | Kind::Cpu | Kind::Mutex | Kind::Threadcreate => {}
        }
        let began_at = baseline.dumped_at();
        let before = Some(&mut before).filter(|_| !self.numbers.restarted);
        if let Some(difference) = difference(kind, before, &mut after)? {
            self.add(kind, &difference, began_at)?;
        }
        Ok(why)
    }

    /// Adds a difference, unless it is none.
    fn add(
        &mut self,
        kind: Kind,
        difference: &Difference,
        began_at: Timestamp,
    ) -> Result<(), EntryError> {
        if kind == Kind::Allocs {
            let through = difference.totals_through(is_of_profiler)?;
            self.numbers.profiler_allocated_bytes = through.last().copied();
        }
        let samples = difference.samples();
        if samples == 0 {
            return Ok(());
        }
        let folder = if difference.is_growth() {
            "growth"
        } else {
            self.numbers.negative_samples += difference.negative();
            "delta"
        };
        let interval = Interval {
            time_nanos: nanoseconds(began_at.duration_since(Timestamp::UNIX_EPOCH)),
            duration_nanos: nanoseconds(self.dumped_at.duration_since(began_at)).max(0),
        };
        let mut writer = self.spool.begin_packed()?;
        difference.write(interval, &mut writer)?;
        let path = format!("{}/{folder}/{}", self.pod, kind.file_name());
        let mut entry = self.spool.finish(writer, &path)?;
        entry.file.samples = Some(samples);
        self.differences.push(entry);
        Ok(())
    }
}

/// What a process holds, or in its cpu profile used; none for the other kinds.
fn level<R: Read + Seek>(
    kind: Kind,
    profile: &mut ProfileReader<R>,
) -> Result<Option<i64>, EntryError> {
    Ok(match kind {
        Kind::Heap => live_heap_bytes(profile)?,
        // Samples and nanoseconds; goroutines have but one value.
        Kind::Cpu | Kind::Goroutine => profile.totals()?.last().copied(),
        Kind::Allocs | Kind::Block | Kind::Mutex | Kind::Threadcreate => None,
    })
}

/// Whether a function is one of KubeVirt's profiler: in every component that which makes a dump, and in virt-api that
/// which serves the dumps of all pods.
fn is_of_profiler(function: &str) -> bool {
    const IN_COMPONENTS: &str = "kubevirt.io/kubevirt/pkg/monitoring/profiler.";
    const IN_VIRT_API: [&str; 2] = ["ClusterProfilerHandler", "/clusterprofiler."];
    function.starts_with(IN_COMPONENTS) || IN_VIRT_API.iter().any(|part| function.contains(part))
}

fn nanoseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
