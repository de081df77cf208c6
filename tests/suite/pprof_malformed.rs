//! Texts that are not what Go writes, named for their defect, and what becomes of each; and symbols
//! that look like defects and are none.

use std::io::{self, BufRead, BufReader, Read};

use cluster_profiler_job::pprof::{Kind, Parsed, Problem, convert};

use crate::proto_reader::converted;

const HEAP: &str = "heap profile: 1: 64 [2: 128] @ heap/1048576\n";
const RECORD: &str = "1: 64 [2: 128] @ 0x401234\n#\t0x401233\tmain.f+0x13\tmain/f.go:7\n\n";
const STATS: &str =
    "\n# runtime.MemStats\n# Alloc = 1\n# PauseNs = [1 2]\n# PauseEnd = [3 4]\n# DebugGC = false\n";
const BLOCK: &str = "--- contention:\ncycles/second=1000000000\n";
const STACK: &str = "#\t0x401233\tmain.f+0x13\tmain/f.go:7\n\n";
const THREADS: &str = "threadcreate profile: total 2\n";
const GOROUTINE: &str = "goroutine 1 [running]:\nmain.f(0x1, {0x2?, ...})\n\tmain/f.go:7 +0x13\n";

fn parse(kind: Kind, text: impl AsRef<[u8]>) -> Parsed {
    let parsed = convert(kind, text.as_ref()).expect("memory can be read");
    parsed.expect("a kind that is text")
}

/// The text has no profile, because of this line and for this reason.
fn damaged(kind: Kind, text: impl AsRef<[u8]>, line: u64, reason: &str) {
    let parsed = parse(kind, text);
    assert!(parsed.profile.is_none());
    let reason = reason.to_owned();
    assert_eq!(parsed.problems, [Problem::Damage { line, reason }]);
}

/// The functions of all samples, in order, of a text without problems.
fn functions(kind: Kind, text: impl AsRef<[u8]>) -> Vec<String> {
    let parsed = parse(kind, text);
    assert_eq!(parsed.problems, []);
    names(&parsed)
}

fn names(parsed: &Parsed) -> Vec<String> {
    let profile = converted(parsed);
    let frames = profile
        .samples
        .iter()
        .map(|(stack, _)| profile.frames(stack));
    frames.flatten().map(|(name, ..)| name).collect()
}

#[test]
fn an_empty_file_is_damage() {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Cpu) {
        damaged(kind, "", 1, "it is empty");
    }
}

#[test]
fn nothing_sampled_is_an_empty_profile() {
    let heap = format!("heap profile: 0: 0 [0: 0] @ heap/1048576\n{STATS}");
    for (kind, text) in [
        (Kind::Heap, heap.as_str()),
        (Kind::Block, BLOCK),
        (Kind::Threadcreate, "threadcreate profile: total 0\n"),
    ] {
        assert!(functions(kind, text).is_empty());
    }
}

#[test]
fn the_default_is_what_is_live_in_heap_and_all_in_allocs() {
    for (kind, value) in [(Kind::Heap, "inuse_space"), (Kind::Allocs, "alloc_space")] {
        let profile = converted(&parse(kind, format!("{HEAP}{RECORD}{STATS}")));
        assert_eq!(profile.string(profile.default_sample_type), value);
        assert_eq!(profile.labels, ["bytes="]);
    }
}

#[test]
fn mem_stats_are_kept_without_the_times_of_pauses() {
    let parsed = parse(Kind::Heap, format!("{HEAP}{RECORD}{STATS}"));
    let stats: Vec<_> = parsed.mem_stats.into_iter().collect();
    let told = [("Alloc", "1"), ("DebugGC", "false"), ("PauseNs", "[1 2]")];
    assert_eq!(
        stats,
        told.map(|(name, stat)| (name.to_owned(), stat.to_owned()))
    );
}

#[test]
fn truncated_in_a_stack() {
    let stack = RECORD.trim_end();
    let text = format!("{HEAP}{stack}\n#\t0x40");
    damaged(Kind::Heap, text, 4, "it ends in the middle of a line");
    for (kind, text) in [
        (Kind::Heap, format!("{HEAP}{stack}\n")),
        (
            Kind::Block,
            format!("{BLOCK}9 1 @ 0x1\n{}", STACK.trim_end()),
        ),
    ] {
        let parsed = parse(kind, text);
        assert_eq!(names(&parsed), ["main.f"]);
        let partial = parsed.partial.expect("it is partial");
        assert_eq!((partial.left_out, partial.slight), (0, false));
    }
    let text = format!("{THREADS}1 @ 0x401234\n{STACK}");
    damaged(Kind::Threadcreate, text, 5, "it has 1 of 2 threads");
    let text = format!("{BLOCK}9 1 @ 0x1\n{STACK}9 1 @ 0x401234\n");
    let partial = parse(Kind::Block, text).partial.expect("it is partial");
    assert_eq!(partial.left_out, 1);
}

#[test]
fn truncated_in_a_number() {
    let reason = "it ends in the middle of a line";
    damaged(Kind::Heap, format!("{HEAP}1: 6"), 2, reason);
    damaged(Kind::Mutex, "--- mutex:\ncycles/second=10", 2, reason);
}

#[test]
fn truncated_in_a_multi_byte_character() {
    let mut text = format!("{HEAP}1: 64 [2: 128] @ 0x401234\n#\t0x401233\tmain.é").into_bytes();
    text.pop();
    damaged(Kind::Heap, &text, 3, "it ends in the middle of a line");
    text.extend_from_slice(b"+0x13\tmain/f.go:7\n\n");
    let reason = "its names are not UTF-8, or have control characters";
    damaged(Kind::Heap, &text, 3, reason);
}

#[test]
fn a_traceback_truncated_anywhere_keeps_the_goroutines_before() {
    let text = format!("{GOROUTINE}\ngoroutine 2 [select]:\nmain.é()\n\tmain/g.go:8 +0x1\n");
    assert_eq!(functions(Kind::Goroutine, &text), ["main.f", "main.é"]);
    let second = GOROUTINE.len() + 1;
    // At the end of its header or of a frame nothing shows that a goroutine had more. Of a place all
    // that counts is there before its offset is.
    let header = second + "goroutine 2 [select]:\n".len();
    let offset = text.rfind(" +0x1").expect("a place") + " +0x".len();
    for end in (second + 1..offset).filter(|end| *end != header) {
        let parsed = parse(Kind::Goroutine, &text.as_bytes()[..end]);
        assert_eq!(names(&parsed), ["main.f"], "cut at {end}");
        assert!(matches!(parsed.problems[..], [Problem::Note(_)]), "{end}");
    }
    for end in offset..text.len() {
        let parsed = parse(Kind::Goroutine, &text.as_bytes()[..end]);
        assert_eq!(names(&parsed), ["main.f", "main.é"], "cut at {end}");
        assert!(matches!(parsed.problems[..], [Problem::Note(_)]), "{end}");
    }
}

#[test]
fn a_traceback_of_64_mib_is_cut_even_at_a_lines_end() {
    const GO_CUTS_AT: usize = 64 << 20;
    let goroutine = |length: usize| {
        let (header, place) = ("goroutine 1 [running]:\n", "()\n\tmain/f.go:7\n\n");
        let name = length - header.len() - place.len();
        format!("{header}{:x<name$}{place}", "main.")
    };
    // The last of them, and it alone, lacks the empty line at its end.
    let mut text = goroutine(65) + &goroutine(64).repeat((GO_CUTS_AT >> 6) - 1);
    text.truncate(GO_CUTS_AT);
    assert!(text.ends_with("7\n"));
    let parsed = parse(Kind::Goroutine, &text);
    assert!(matches!(parsed.problems[..], [Problem::Note(_)]));
    let counts = converted(&parsed).samples;
    let counts: Vec<_> = counts.iter().map(|(_, values)| values[0]).collect();
    assert_eq!(counts, [1, (1 << 20) - 2]);
}

#[test]
fn a_count_past_64_bits() {
    let text = format!("{HEAP}99999999999999999999: 64 [2: 128] @ 0x401234\n");
    damaged(Kind::Heap, text, 2, "it is no record of allocations");
    let text = format!("{BLOCK}9 99999999999999999999 @ 0x1\n{STACK}");
    damaged(Kind::Block, text, 3, "it is no record of contention");
    let text = "threadcreate profile: total 99999999999999999999\n";
    let reason = "it is no header of a threadcreate profile";
    damaged(Kind::Threadcreate, text, 1, reason);
    let most = i64::MAX;
    let header = format!("heap profile: {most}: {most} [{most}: {most}] @ heap/1048576\n");
    let text = format!("{header}{most}: {most} [{most}: {most}] @ 0x1\n{STACK}{STATS}");
    assert_eq!(functions(Kind::Heap, text), ["main.f"]);
}

#[test]
fn a_line_of_10_mb() {
    let long = "x".repeat(10 << 20);
    let reason = "it is longer than 65536 bytes";
    damaged(Kind::Heap, format!("{HEAP}{long}\n"), 2, reason);
    damaged(Kind::Goroutine, format!("{GOROUTINE}{long}\n"), 4, reason);
    // What follows the limit is not even read.
    let mut input = BufReader::new(HEAP.as_bytes().chain(io::repeat(b'x')));
    let parsed = convert(Kind::Heap, &mut input).expect("it can be read");
    assert!(parsed.expect("text").profile.is_none());
    assert!(!input.fill_buf().expect("more").is_empty());
}

#[test]
fn cr_lf() {
    let heap = format!("{HEAP}{RECORD}{STATS}").replace('\n', "\r\n");
    assert_eq!(functions(Kind::Heap, heap), ["main.f"]);
    let text = GOROUTINE.replace('\n', "\r\n");
    assert_eq!(functions(Kind::Goroutine, text), ["main.f"]);
}

#[test]
fn nuls() {
    let text = format!("{HEAP}{}", RECORD.replace("main.f", "main\0f"));
    damaged(Kind::Heap, text, 3, "it has a NUL");
    damaged(Kind::Goroutine, vec![0; 1000], 1, "it has a NUL");
}

#[test]
fn a_stack_of_100_000_frames() {
    let frame = |n| format!("#\t{n:#x}\tmain.f{n}+0x1\tmain/f.go:{n}\n");
    let frames: String = (1..=100_000).map(frame).collect();
    let text = format!("{BLOCK}9 1 @ 0x1\n{frames}\n");
    assert_eq!(functions(Kind::Block, text).len(), 100_000);
    let text = format!("{BLOCK}9 1 @ 0x1\n{frames}#\t0x1\tmain.f1+0x1\tmain/f.go:1\n\n");
    let reason = "its stack has more than 100000 frames";
    damaged(Kind::Block, text, 100_004, reason);
    let frames = "main.f()\n\tmain/f.go:7\n".repeat(100_001);
    let text = format!("goroutine 1 [running]:\n{frames}");
    damaged(Kind::Goroutine, text, 200_003, reason);
}

#[test]
fn records_that_are_cut_off_between_two_of_them() {
    let header = HEAP.replace("1: 64 [2: 128]", "2: 128 [4: 256]");
    let whole = format!("{header}{RECORD}{RECORD}{STATS}");
    assert_eq!(functions(Kind::Heap, whole), ["main.f", "main.f"]);
    let reason = "its records are not all that its header counts";
    damaged(Kind::Heap, format!("{header}{RECORD}{STATS}"), 11, reason);
}

#[test]
fn a_trailer_that_is_cut_off() {
    let stats = STATS.replace("# DebugGC = false\n", "");
    for trailer in [&stats, "\n# runtime.MemStats\n# Al", "\n", ""] {
        let parsed = parse(Kind::Heap, format!("{HEAP}{RECORD}{trailer}"));
        assert_eq!(names(&parsed), ["main.f"]);
        let partial = parsed.partial.expect("it is partial");
        assert!(partial.slight, "all records are there");
        assert!(partial.why.contains("before runtime.MemStats"));
    }
    let reason = "it ends before runtime.MemStats";
    damaged(Kind::Heap, HEAP, 2, reason);
}

#[test]
fn a_header_from_an_older_go() {
    // Go 1.20 does not say in which goroutine another was created, and elides without a number.
    let text = format!(
        "{GOROUTINE}...additional frames elided...\ncreated by main.g\n\tmain/g.go:9 +0x5\n"
    );
    let parsed = parse(Kind::Goroutine, text);
    assert_eq!(names(&parsed), ["main.f"]);
    assert!(matches!(parsed.problems[..], [Problem::Note(_)]));
    // Before Go 1.2 a heap's header had no rate.
    let text = "heap profile: 1: 64 [2: 128] @ heap/\n";
    let reason = "it is no header of a heap profile";
    damaged(Kind::Heap, text, 1, reason);
}

#[test]
fn a_sampling_period_that_is_not_where_go_writes_it() {
    let period = "sampling period=5\n";
    let reason = "it is no record of contention";
    damaged(Kind::Block, format!("{BLOCK}{period}"), 3, reason);
    let mutex = BLOCK.replace("contention", "mutex");
    let parsed = parse(Kind::Mutex, format!("{mutex}{period}9 1 @ 0x1\n{STACK}"));
    assert_eq!(names(&parsed), ["main.f"]);
    damaged(Kind::Mutex, format!("{mutex}{period}{period}"), 4, reason);
}

#[test]
fn another_programs_text() {
    let reason = "it is no header of a heap profile";
    damaged(Kind::Heap, "something else\n", 1, reason);
    damaged(
        Kind::Heap,
        "heap profile: 1: 2 [3: 4] @ heapprofile\n",
        1,
        reason,
    );
    let reason = "it is no header of a goroutine; it is a text of heap or allocs";
    damaged(Kind::Goroutine, format!("{HEAP}{STATS}"), 1, reason);
    let text = format!("{GOROUTINE}main.g\nmain.h()\n");
    damaged(Kind::Goroutine, text, 5, "it is no place in a source file");
}

#[test]
fn symbols_are_taken_as_they_are() {
    let symbols = [
        "main.with space",
        "main.with\ttab",
        "main.Größe.世界",
        "main.(*List[...]).Each.func1.2",
        "main.f.func1.2",
        "main.a+b",
        "_cgo_wait",
        "memeqbody",
        "go.(*struct { a int; b (x) }).f",
    ];
    for symbol in symbols {
        let frame = format!("#\t0x401233\t{symbol}+0x13\t\t\tdir with space/f.go:7\n");
        let text = format!("{BLOCK}9 1 @ 0x401234\n{frame}\n");
        assert_eq!(functions(Kind::Block, text), [symbol]);
        let text = GOROUTINE.replace("main.f", symbol);
        assert_eq!(functions(Kind::Goroutine, text), [symbol]);
    }
    let text = format!("{BLOCK}9 1 @ 0x1\n#\t0x0\n#\t0x7f01\n\n");
    assert_eq!(functions(Kind::Block, text), ["0x7f01"]);
    let text =
        "goroutine 1 [syscall]:\nc_wait\n\twait.c:3 pc=0x7f01\nnon-Go function\n\tpc=0x7f02\n";
    let c = ["c_wait", "non-Go function"];
    assert_eq!(functions(Kind::Goroutine, text), c);
}

#[test]
fn goroutines_are_told_apart_by_state_minutes_and_thread() {
    let states = [
        "select",
        "select",
        "select, 2 minutes",
        "IO wait, locked to thread",
    ];
    let text: Vec<_> = states
        .map(|state| GOROUTINE.replace("running", state))
        .into();
    let profile = converted(&parse(Kind::Goroutine, text.join("\n")));
    let counts: Vec<_> = profile
        .samples
        .iter()
        .map(|(_, values)| values[0])
        .collect();
    assert_eq!(counts, [2, 1, 1]);
    let labels = ["state=select", "state=select", "minutes=", "state=IO wait"];
    assert_eq!(profile.labels[..4], labels);
    assert_eq!(profile.labels[4..], ["locked_to_thread=yes"]);
}

#[test]
fn the_creator_is_no_frame() {
    let creator = "created by main.g in goroutine 3\n\tmain/g.go:9 +0x5\n";
    let text = format!("{GOROUTINE}{creator}");
    assert_eq!(functions(Kind::Goroutine, text), ["main.f"]);
}
