//! What of a pod's profiles is pushed: each value once, under the name that the servers know, at the time at which it
//! was true.

use std::io;

use jiff::Timestamp;

use crate::limits::CLOCK_DIFFERENCE;
use crate::manifest::{Manifest, Pod};
use crate::pprof::{Interval, Kind, SampleType, Subset};
use crate::report::{Group, Part, PodProfiles};

/// The most samples of a profile: Pyroscope refuses one with more.
const MOST_SAMPLES: usize = 16_000;

/// The most bytes of profiles, unpacked, in one request: Pyroscope takes 2 MB at once.
pub(super) const MOST_BYTES: usize = 1_900_000;

/// The time that profiles are pushed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushTime {
    /// Their own.
    Own,
    /// The time of the push, for a server that takes only what is new.
    Now,
}

/// A profile that is ready to be pushed.
#[derive(Debug)]
pub(super) struct Pushed {
    /// Its name, such as `process_cpu`.
    pub(super) name: &'static str,
    /// It as profile.proto, packed.
    pub(super) content: Vec<u8>,
    /// How many bytes that is when it is unpacked.
    pub(super) unpacked: usize,
    /// The sum of each of its values.
    pub(super) totals: Vec<Total>,
    /// How many samples were left out.
    pub(super) cut: u64,
}

/// The sum of a value over all samples.
#[derive(Debug, Clone)]
pub(super) struct Total {
    pub(super) of: SampleType,
    pub(super) sum: i64,
}

/// The profiles of one pod.
#[derive(Debug, Default)]
pub(super) struct PodContent {
    pub(super) profiles: Vec<Pushed>,
    /// How many have no samples.
    pub(super) empty: u64,
    /// How many are of another window.
    pub(super) not_of_window: u64,
    /// Those that cannot be read, each with the reason.
    pub(super) unread: Vec<String>,
}

/// Makes what is pushed of a pod.
pub(super) fn of_pod(
    profiles: &PodProfiles<'_>,
    manifest: &Manifest,
    pod: &Pod,
    time: PushTime,
) -> PodContent {
    let mut content = PodContent::default();
    let has_baseline = has_baseline(manifest);
    for group in profiles.groups() {
        let Some(name) = name_of(group, has_baseline) else {
            continue;
        };
        let Some(profile) = profiles.open(group) else {
            continue;
        };
        let made = profile.and_then(|mut profile| {
            if group.kind == Kind::Cpu && !is_of_window(profile.header().time_nanos, manifest) {
                return Ok(Made::OfAnotherWindow);
            }
            let subset = Subset::of(&mut profile, |of| is_pushed(group, of))?;
            make(name, group, subset, manifest, pod, time)
        });
        match made {
            Ok(Made::Empty) => content.empty += 1,
            Ok(Made::OfAnotherWindow) => content.not_of_window += 1,
            Ok(Made::Pushed(made)) => content.profiles.push(made),
            Err(error) => {
                let (kind, part) = (group.kind.name(), group.part.name());
                content.unread.push(format!("{kind}, {part}: {error}"));
            }
        }
    }
    content
}

/// Whether a run has taken a baseline, so that what its pods counted in the window is known.
fn has_baseline(manifest: &Manifest) -> bool {
    let mut numbers = manifest
        .pods
        .iter()
        .filter_map(|pod| pod.in_window.as_ref());
    numbers.any(|numbers| numbers.baseline_at.is_some())
}

/// Whether a cpu profile with this time is of the run's window. A pod that was not started serves an earlier one.
fn is_of_window(time_nanos: i64, manifest: &Manifest) -> bool {
    let time = Timestamp::from_nanosecond(time_nanos.into());
    let off = time.map(|time| time.duration_since(manifest.window.start).abs());
    off.is_ok_and(|off| off <= CLOCK_DIFFERENCE)
}

/// The name under which a profile is pushed, if it is. Whatever is counted since the process began is pushed as the
/// window's difference where the run has a baseline, though a quiet window has no difference; allocations only then, for a
/// server would add up what it gets each night.
fn name_of(group: Group, has_baseline: bool) -> Option<&'static str> {
    match (group.kind, group.part) {
        (Kind::Cpu, Part::Whole) => Some("process_cpu"),
        (Kind::Heap, Part::Whole) | (Kind::Allocs, Part::Delta) => Some("memory"),
        (Kind::Goroutine, Part::Whole) => Some("goroutine"),
        (Kind::Threadcreate, Part::Whole) => Some("threadcreate"),
        (Kind::Block | Kind::Mutex, Part::Delta) => Some(group.kind.name()),
        (Kind::Block | Kind::Mutex, Part::Whole) => (!has_baseline).then(|| group.kind.name()),
        (Kind::Allocs, Part::Whole)
        | (Kind::Cpu | Kind::Goroutine | Kind::Heap | Kind::Threadcreate, Part::Delta)
        | (
            Kind::Allocs
            | Kind::Block
            | Kind::Cpu
            | Kind::Goroutine
            | Kind::Heap
            | Kind::Mutex
            | Kind::Threadcreate,
            Part::Growth,
        ) => None,
    }
}

/// Whether a value of such a profile is pushed. Of the heap what is in use: what was ever allocated is in the
/// window's difference.
fn is_pushed(group: Group, of: &SampleType) -> bool {
    group.kind != Kind::Heap || of.name.starts_with("inuse_")
}

/// What is made of a profile.
enum Made {
    Pushed(Pushed),
    /// It has no samples.
    Empty,
    OfAnotherWindow,
}

/// The profile, unless it is empty. One that is larger than the servers take loses its smallest samples.
fn make(
    name: &'static str,
    group: Group,
    mut subset: Subset,
    manifest: &Manifest,
    pod: &Pod,
    time: PushTime,
) -> io::Result<Made> {
    if subset.samples() == 0 {
        return Ok(Made::Empty);
    }
    let interval = interval(group, &subset, manifest, pod, time);
    let mut cut = subset.keep_largest(MOST_SAMPLES);
    loop {
        let mut content = Vec::new();
        subset.write(interval, &mut content)?;
        let unpacked = unpacked(&content);
        let samples = subset.samples();
        if unpacked <= MOST_BYTES || samples <= 1 {
            let types = subset.header().sample_types.iter().cloned();
            let totals = types.zip(subset.totals()?);
            return Ok(Made::Pushed(Pushed {
                name,
                content,
                unpacked,
                totals: totals.map(|(of, sum)| Total { of, sum }).collect(),
                cut,
            }));
        }
        // As many as there is room for, if all are of one size, and some less, for they are not.
        let room = samples * MOST_BYTES as u64 / unpacked as u64;
        let kept = usize::try_from(room - room / 16).unwrap_or(MOST_SAMPLES);
        cut += subset.keep_largest(kept.max(1));
    }
}

/// The time and length of a profile. What was counted over a time bears the time's end, for a server refuses what
/// began too long ago; what was there at a moment has no length, which tells it from a difference.
fn interval(
    group: Group,
    subset: &Subset,
    manifest: &Manifest,
    pod: &Pod,
    time: PushTime,
) -> Interval {
    let header = subset.header();
    let duration_nanos = match (group.kind, group.part) {
        (Kind::Cpu, _) | (_, Part::Delta) => header.duration_nanos.max(0),
        (_, Part::Whole | Part::Growth) => 0,
    };
    let own = match header.time_nanos {
        time if time > 0 => time.saturating_add(duration_nanos),
        // Nobody wrote into it when it was taken.
        _ => nanos(pod.dumped_at.unwrap_or(manifest.window.stop)),
    };
    Interval {
        time_nanos: match time {
            PushTime::Own => own,
            PushTime::Now => nanos(Timestamp::now()),
        },
        duration_nanos,
    }
}

fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

/// How many bytes a gzip member has when it is unpacked, as its last four say. RFC 1952
fn unpacked(packed: &[u8]) -> usize {
    let last = packed.last_chunk::<4>().copied().unwrap_or_default();
    u32::from_le_bytes(last) as usize
}
