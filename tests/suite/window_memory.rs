//! What a process allocated and collected between two dumps.

use std::collections::BTreeMap;
use std::io::Cursor;

use cluster_profiler_job::pprof::{
    Kind, ProfileReader, WindowMemory, convert, live_heap_bytes, window_memory,
};

use crate::goldens::{golden, packed};
use crate::google_pprof::raw;

type Stats = BTreeMap<String, String>;

fn stats(of: &[(&str, &str)]) -> Stats {
    let of = of.iter();
    of.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The statistics at a golden dump.
fn golden_stats(when: &str) -> Stats {
    let text = golden(&format!("window/{when}/heap.txt"));
    let parsed = convert(Kind::Heap, text.as_slice()).expect("memory");
    parsed.expect("a text").mem_stats
}

/// The statistics after so many cycles, of which each paused as long as its number.
fn cycles(count: u64) -> Stats {
    let mut pauses = [0; 256];
    for cycle in 1..=count {
        pauses[((cycle + 255) % 256) as usize] = cycle;
    }
    let pauses: Vec<_> = pauses.iter().map(u64::to_string).collect();
    let pauses = format!("[{}]", pauses.join(" "));
    stats(&[("NumGC", &count.to_string()), ("PauseNs", &pauses)])
}

#[test]
fn pauses_are_those_of_the_cycles_in_between() {
    // Cycles before, cycles after, and the sum of the pauses.
    for (before, after, sum) in [
        (0, 0, Some(0)),
        (0, 1, Some(1)),
        (4, 6, Some(5 + 6)),
        (254, 255, Some(255)),
        (255, 257, Some(256 + 257)),
        (0, 256, Some(256 * 257 / 2)),
        (1, 257, Some((2..=257).sum())),
        (0, 257, None),
        (1000, 1256, Some((1001..=1256).sum())),
        (1000, 1257, None),
        (6, 4, None),
    ] {
        let memory = window_memory(&cycles(before), &cycles(after));
        assert_eq!(memory.gc_pause_nanoseconds, sum, "{before} to {after}");
        let cycles = after.checked_sub(before);
        assert_eq!(memory.gc_cycles, cycles, "{before} to {after}");
    }
}

#[test]
fn a_number_that_is_not_there_or_went_back_is_none() {
    let all = |count: &str| {
        stats(&[
            ("TotalAlloc", count),
            ("Mallocs", count),
            ("NumGC", count),
            ("NumForcedGC", count),
        ])
    };
    let without_pauses = WindowMemory {
        allocated_bytes: Some(3),
        allocated_objects: Some(3),
        gc_cycles: Some(3),
        forced_gc_cycles: Some(3),
        gc_pause_nanoseconds: None,
    };
    let none = WindowMemory::default();
    for (what, before, after, memory) in [
        ("no pauses", all("2"), all("5"), without_pauses),
        ("another process", all("5"), all("2"), none),
        ("nothing before", stats(&[]), all("5"), none),
        ("nothing after", all("2"), stats(&[]), none),
        ("no numbers", all("2"), all("[5]"), none),
    ] {
        assert_eq!(window_memory(&before, &after), memory, "{what}");
    }
    for pauses in ["", "[]", "[1 2 3]", "1 2 3", "[1 x]"] {
        let mut after = all("5");
        after.insert("PauseNs".to_owned(), pauses.to_owned());
        let memory = window_memory(&all("2"), &after);
        assert_eq!(memory, without_pauses, "{pauses}");
    }
}

#[test]
fn a_program_that_allocates_known_amounts_is_seen_to() {
    let memory = window_memory(&golden_stats("before"), &golden_stats("after"));
    let known = String::from_utf8(golden("window/after/known.txt")).expect("UTF-8");
    let sum = |column| -> u64 {
        let words = known.lines().filter_map(|line| line.split(' ').nth(column));
        words
            .map(|word| word.parse::<u64>().expect("a number"))
            .sum()
    };
    let objects = memory.allocated_objects.expect("objects");
    let bytes = memory.allocated_bytes.expect("bytes");
    // The program does a little besides.
    assert!(objects >= sum(1) && objects < sum(1) * 11 / 10, "{objects}");
    assert!(bytes >= sum(2) && bytes < sum(2) * 2, "{bytes}");
    // It collects after each amount.
    let forced = memory.forced_gc_cycles.expect("cycles");
    assert!(forced >= known.lines().count() as u64, "{forced}");
    assert!(memory.gc_cycles >= Some(forced), "{memory:?}");
    assert!(memory.gc_pause_nanoseconds > Some(0), "{memory:?}");
}

#[test]
fn the_live_heap_is_what_the_profile_has_in_use() {
    let open = |file: &str| ProfileReader::open(Cursor::new(packed(file))).expect("a profile");
    for set in ["small", "large"] {
        let live = live_heap_bytes(&mut open(&format!("{set}/heap.pb"))).expect("sums");
        assert_eq!(live, Some(raw(&format!("{set}/heap")).totals()[3]), "{set}");
    }
    let other = live_heap_bytes(&mut open("small/block.pb")).expect("sums");
    assert_eq!(other, None);
}
