//! What of a pod's profiles is pushed: each value once, under the name that the servers know, at the time at which it
//! was true.

use std::io;

use jiff::Timestamp;

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
    let groups: Vec<_> = profiles.groups().collect();
    for group in &groups {
        let Some(name) = name_of(*group, &groups) else {
            continue;
        };
        let made = profiles.open(*group).and_then(|profile| {
            let made = profile.and_then(|mut profile| {
                let subset = Subset::of(&mut profile, |of| is_pushed(*group, of))?;
                make(name, *group, subset, manifest, pod, time)
            });
            made.transpose()
        });
        match made {
            None => content.empty += 1,
            Some(Ok(made)) => content.profiles.push(made),
            Some(Err(error)) => {
                let (kind, part) = (group.kind.name(), group.part.name());
                content.unread.push(format!("{kind}, {part}: {error}"));
            }
        }
    }
    content
}

/// The name under which a profile is pushed, if it is. Whatever is counted since the process began is pushed as the
/// window's difference where there is one; allocations only then, for a server would add up what it gets each night.
fn name_of(group: Group, all: &[Group]) -> Option<&'static str> {
    let has_delta = || {
        let delta = Group {
            part: Part::Delta,
            ..group
        };
        all.contains(&delta)
    };
    match (group.kind, group.part) {
        (Kind::Cpu, Part::Whole) => Some("process_cpu"),
        (Kind::Heap, Part::Whole) | (Kind::Allocs, Part::Delta) => Some("memory"),
        (Kind::Goroutine, Part::Whole) => Some("goroutine"),
        (Kind::Threadcreate, Part::Whole) => Some("threadcreate"),
        (Kind::Block | Kind::Mutex, Part::Delta) => Some(group.kind.name()),
        (Kind::Block | Kind::Mutex, Part::Whole) => (!has_delta()).then(|| group.kind.name()),
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

/// The profile, unless it is empty. One that is larger than the servers take loses its smallest samples.
fn make(
    name: &'static str,
    group: Group,
    mut subset: Subset,
    manifest: &Manifest,
    pod: &Pod,
    time: PushTime,
) -> io::Result<Option<Pushed>> {
    if subset.samples() == 0 {
        return Ok(None);
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
            return Ok(Some(Pushed {
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
