//! The difference of two profiles of one process is what `go tool pprof -base` says of them.

use std::collections::BTreeMap;
use std::io::Cursor;

use cluster_profiler_job::pprof::{
    Difference, Interval, Kind, Parsed, ProfileReader, convert, difference,
};
use jiff::Timestamp;

use crate::goldens::{golden, packed};
use crate::google_pprof::{Said, raw, read};

type Reader = ProfileReader<Cursor<Vec<u8>>>;

const INTERVAL: Interval = Interval {
    time_nanos: 1_700_000_000_123_456_789,
    duration_nanos: 900_000_000_001,
};

fn open(bytes: Vec<u8>) -> Reader {
    ProfileReader::open(Cursor::new(bytes)).expect("a profile")
}

pub(crate) fn name(kind: Kind) -> &'static str {
    kind.file_name().trim_end_matches(".pprof")
}

/// Go's own profile, before or after the window.
fn proto(when: &str, kind: Kind) -> Reader {
    open(packed(&format!("window/{when}/{}.pb", name(kind))))
}

/// A text as a profile.
fn converted(kind: Kind, text: &[u8]) -> Reader {
    let parsed: Parsed = convert(kind, text).expect("memory").expect("a text");
    let mut bytes = Vec::new();
    let profile = parsed.profile.expect("a profile");
    profile
        .write(Timestamp::UNIX_EPOCH, &mut bytes)
        .expect("memory");
    open(bytes)
}

/// The text of before or after the window, as a profile.
fn text(when: &str, kind: Kind) -> Reader {
    converted(kind, &golden(&format!("window/{when}/{}.txt", name(kind))))
}

/// What is said of a difference once it is written.
fn written(difference: &Difference) -> Said {
    let mut bytes = Vec::new();
    difference.write(INTERVAL, &mut bytes).expect("memory");
    let mut profile = open(bytes);
    let header = profile.header();
    assert_eq!(header.time_nanos, INTERVAL.time_nanos);
    assert_eq!(header.duration_nanos, INTERVAL.duration_nanos);
    let shown = header.sample_types.last().expect("a type");
    assert_eq!(header.default_sample_type, shown.name);
    let said = read(&mut profile);
    assert_eq!(said.count as u64, difference.samples());
    assert_eq!(said.totals(), difference.totals().expect("sums"));
    said
}

/// What pprof says of some of the values, by these names.
pub(crate) fn columns(mut said: Said, from: usize, names: &[&str]) -> Said {
    said.types = names.iter().map(|name| (*name).to_owned()).collect();
    for values in said.samples.values_mut() {
        *values = values[from..from + names.len()].to_vec();
    }
    said.samples
        .retain(|_, values| values.iter().any(|value| *value != 0));
    said
}

/// The values of a kind in its profile, from the first, and their names in a difference.
pub(crate) const DIFFERENCES: [(Kind, usize, &[&str]); 6] = [
    (
        Kind::Allocs,
        0,
        &["alloc_objects/count", "alloc_space/bytes"],
    ),
    (Kind::Block, 0, &["contentions/count", "delay/nanoseconds"]),
    (Kind::Mutex, 0, &["contentions/count", "delay/nanoseconds"]),
    (Kind::Goroutine, 0, &["goroutine_growth/count"]),
    (
        Kind::Heap,
        2,
        &["inuse_objects_growth/count", "inuse_space_growth/bytes"],
    ),
    (Kind::Threadcreate, 0, &["threadcreate_growth/count"]),
];

#[test]
fn a_difference_is_what_pprof_says_of_the_same_base() {
    for (kind, from, names) in DIFFERENCES {
        let oracle = columns(raw(&format!("window/{}", name(kind))), from, names);
        let of = difference(
            kind,
            Some(&mut proto("before", kind)),
            &mut proto("after", kind),
        );
        let of = of.expect("it fits").expect("a difference");
        let said = written(&of);
        said.assert_same(&oracle, name(kind));
        assert_eq!(said.count, oracle.samples.len(), "{kind:?}");
        let is_negative = |values: &&Vec<i64>| values.iter().any(|value| *value < 0);
        let negative = oracle.samples.values().filter(is_negative).count();
        assert_eq!(of.negative(), negative as u64, "{kind:?}");
        if matches!(kind, Kind::Allocs | Kind::Block | Kind::Mutex) {
            assert!(said.count > 0, "{kind:?}");
            assert_eq!(negative, 0, "{kind:?}");
        }
    }
}

#[test]
fn converted_texts_have_the_difference_of_the_profiles_of_the_same_moments() {
    for (kind, from, names) in DIFFERENCES {
        // Go's text has the goroutine that writes it, at another moment.
        if kind == Kind::Goroutine {
            continue;
        }
        let oracle = columns(raw(&format!("window/{}", name(kind))), from, names);
        let of = difference(
            kind,
            Some(&mut text("before", kind)),
            &mut text("after", kind),
        );
        let of = of.expect("it fits").expect("a difference");
        let said = written(&of);
        assert_eq!(said.types, oracle.types, "{kind:?}");
        // Frames that a compiler inlined are locations of their own in a text, so stacks are told by their values.
        let values = |said: &Said| {
            let mut values: Vec<_> = said.samples.values().cloned().collect();
            values.sort();
            values
        };
        assert_eq!(values(&said), values(&oracle), "{kind:?}");
    }
}

#[test]
fn a_delta_has_what_was_allocated_in_the_window() {
    let of = difference(
        Kind::Allocs,
        Some(&mut text("before", Kind::Allocs)),
        &mut text("after", Kind::Allocs),
    );
    let said = written(&of.expect("it fits").expect("a difference"));
    let mut bytes = BTreeMap::<&str, i64>::new();
    let known = String::from_utf8(golden("window/after/known.txt")).expect("UTF-8");
    for ((frames, _), values) in &said.samples {
        for line in known.lines() {
            let function = line.split(' ').next().expect("a function");
            let is_in = |frame: &String| {
                let mut words = frame.split(' ');
                words.any(|word| word == function)
            };
            if frames.iter().any(is_in) {
                *bytes.entry(function).or_default() += values[1];
            }
        }
    }
    for line in known.lines() {
        let mut words = line.split(' ');
        let function = words.next().expect("a function");
        let known: i64 = words.nth(1).expect("bytes").parse().expect("a number");
        let found = bytes.get(function).copied().unwrap_or(0);
        // Allocations are sampled, of which a fifth is far more than chance here.
        assert!(
            found.abs_diff(known) * 5 <= known.unsigned_abs(),
            "{line}: {found}"
        );
    }
}

#[test]
fn a_process_that_began_in_the_window_has_all_that_it_counted_and_no_growth() {
    for (kind, from, names) in DIFFERENCES {
        let of = difference(kind, None::<&mut Reader>, &mut proto("after", kind)).expect("it fits");
        if names[0].contains("growth") {
            assert!(of.is_none(), "{kind:?}");
            continue;
        }
        let of = of.expect("a difference");
        let mut all = columns(read(&mut proto("after", kind)), from, names);
        all.period = proto("after", kind).header().period;
        written(&of).assert_same(&all, name(kind));
        assert_eq!(of.negative(), 0, "{kind:?}");
    }
}

#[test]
fn a_cpu_profile_has_no_difference() {
    let cpu = || open(packed("small/cpu.pb"));
    for before in [None, Some(&mut cpu())] {
        let of = difference(Kind::Cpu, before, &mut cpu()).expect("it fits");
        assert!(of.is_none());
    }
}

#[test]
fn what_is_another_kind_has_no_difference() {
    for (kind, other, why) in [
        (Kind::Allocs, Kind::Block, "alloc_objects/count"),
        (Kind::Mutex, Kind::Heap, "contentions/count"),
        (Kind::Goroutine, Kind::Threadcreate, "goroutine/count"),
    ] {
        for (before, after) in [(kind, other), (other, kind)] {
            let of = difference(
                kind,
                Some(&mut proto("before", before)),
                &mut proto("after", after),
            );
            let error = of.expect_err("other values").to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}

/// A goroutine that waits at a line, for minutes or less than one.
fn goroutine(id: u32, state: &str, line: u32) -> String {
    format!("goroutine {id} [{state}]:\nmain.wait()\n\t/w/main.go:{line} +0x1\n\n")
}

#[test]
fn goroutines_that_only_waited_on_are_no_growth() {
    let waits = |minutes: &str| goroutine(7, &format!("select{minutes}"), 3);
    let another = goroutine(8, "select", 3);
    // Before, after, and the values.
    let cases: [(String, String, &[i64]); 5] = [
        (waits(""), waits(""), &[]),
        (waits(", 3 minutes"), waits(", 18 minutes"), &[]),
        (waits(""), waits(", 15 minutes") + &another, &[1]),
        (
            waits(", 2 minutes") + &another,
            waits(", 17 minutes"),
            &[-1],
        ),
        // Another state is another wait.
        (
            waits(", 3 minutes"),
            goroutine(7, "chan receive, 3 minutes", 3),
            &[-1, 1],
        ),
    ];
    for (before, after, growth) in cases {
        let what = format!("{before} {after}");
        let [mut before, mut after] =
            [before, after].map(|text| converted(Kind::Goroutine, text.as_bytes()));
        let of = difference(Kind::Goroutine, Some(&mut before), &mut after);
        let of = of.expect("it fits").expect("a difference");
        let said = written(&of);
        let mut values: Vec<_> = said.samples.values().map(|values| values[0]).collect();
        values.sort_unstable();
        assert_eq!(values, growth, "{what}");
        let negative = growth.iter().filter(|value| **value < 0).count();
        assert_eq!(of.negative(), negative as u64, "{what}");
        let mut labels = said.samples.keys().flat_map(|(_, labels)| labels);
        assert!(labels.all(|label| !label.starts_with("minutes")), "{what}");
    }
}

#[test]
fn profiles_in_the_wrong_order_are_counted_as_negative() {
    let of = difference(
        Kind::Allocs,
        Some(&mut proto("after", Kind::Allocs)),
        &mut proto("before", Kind::Allocs),
    );
    let of = of.expect("it fits").expect("a difference");
    assert_eq!(of.negative(), of.samples());
    assert!(of.negative() > 0);
}
