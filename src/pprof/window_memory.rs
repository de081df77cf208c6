//! The exact numbers of a process between two dumps: what it allocated and collected, by the `runtime.MemStats` at
//! the end of its heap texts, and not by samples. <https://pkg.go.dev/runtime#MemStats>

use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

use super::reader::ProfileReader;

/// The name of the last pauses of the collector, which are in a text's statistics but in no manifest.
pub const LAST_STOPS: &str = "PauseNs";

/// How many cycles of the collector there are the pauses of.
const CYCLES_KEPT: u64 = 256;

/// What a process allocated and collected between two dumps. A number is none if the statistics lack it, or if it
/// went back, as it does in another process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WindowMemory {
    /// The bytes that it allocated.
    pub allocated_bytes: Option<u64>,
    /// The objects that it allocated, without those so small that they share one.
    pub allocated_objects: Option<u64>,
    /// The cycles of garbage collection, with those that were forced.
    pub gc_cycles: Option<u64>,
    /// Those that were forced. KubeVirt's dump forces one before it reads the statistics, so one of them is the
    /// second dump's.
    pub forced_gc_cycles: Option<u64>,
    /// The sum of the cycles' pauses; none, too, of more than 256 cycles, for Go keeps no more pauses.
    pub gc_pause_nanoseconds: Option<u64>,
}

/// Subtracts the `runtime.MemStats` of a process at a dump from those at a later one.
pub fn window_memory(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> WindowMemory {
    let grown = |name| number(after, name)?.checked_sub(number(before, name)?);
    WindowMemory {
        allocated_bytes: grown("TotalAlloc"),
        allocated_objects: grown("Mallocs"),
        gc_cycles: grown("NumGC"),
        forced_gc_cycles: grown("NumForcedGC"),
        gc_pause_nanoseconds: number(before, "NumGC").and_then(|first| paused(first, after)),
    }
}

/// What a process allocated and collected since it began, as one does that was restarted after the first dump.
pub fn whole_life(after: &BTreeMap<String, String>) -> WindowMemory {
    let counted = ["TotalAlloc", "Mallocs", "NumGC", "NumForcedGC"];
    let begun = counted.map(|name| (name.to_owned(), "0".to_owned()));
    window_memory(&begun.into(), after)
}

/// Whether the later statistics are of another process, for what only grows is less.
pub fn is_another_process(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> bool {
    let allocated = |stats| number(stats, "TotalAlloc");
    allocated(before)
        .zip(allocated(after))
        .is_some_and(|(before, after)| after < before)
}

fn number(stats: &BTreeMap<String, String>, name: &str) -> Option<u64> {
    stats.get(name)?.parse().ok()
}

/// The sum of the pauses of all cycles after so many.
fn paused(before: u64, after: &BTreeMap<String, String>) -> Option<u64> {
    let last = number(after, "NumGC")?;
    if last.checked_sub(before)? > CYCLES_KEPT {
        return None;
    }
    let pauses = pauses(after.get(LAST_STOPS)?)?;
    // The pause of the cycle n, counted from 1, is at (n + 255) % 256.
    let pause = |past: u64| pauses.get((past % CYCLES_KEPT) as usize).copied();
    (before..last).try_fold(0_u64, |sum, past| sum.checked_add(pause(past)?))
}

/// The pauses, as Go prints an array: `[1 2 3]`.
fn pauses(text: &str) -> Option<Vec<u64>> {
    let numbers = text.strip_prefix('[')?.strip_suffix(']')?.split(' ');
    let pauses: Option<Vec<_>> = numbers.map(|number| number.parse().ok()).collect();
    pauses.filter(|pauses| pauses.len() as u64 == CYCLES_KEPT)
}

/// The bytes that a heap profile has in use. KubeVirt's dump collects garbage first, so they are the live heap.
/// None if it has no such values.
///
/// # Errors
/// The profile cannot be read.
pub fn live_heap_bytes<R: Read + Seek>(heap: &mut ProfileReader<R>) -> io::Result<Option<i64>> {
    let mut types = heap.header().sample_types.iter();
    let place = types.position(|of| of.name == "inuse_space" && of.unit == "bytes");
    let totals = heap.totals()?;
    Ok(place.and_then(|place| totals.get(place).copied()))
}
