//! Texts that nobody wrote: whatever comes, there is a profile that holds together or a damage with
//! its line, and the copy is what came. Seeds are fixed, and a failure names its own.

use std::io::{self, BufReader, Read};

use cluster_profiler_job::pprof::{Kind, Parsed, Problem, Served, convert, read};
use fastrand::Rng;

use crate::goldens::{golden, served};
use crate::proto_reader::{Decoded, converted};

/// Mutants of each kind.
const MUTANTS: u64 = 600;

/// How much of a golden text a mutant is made of: what is beyond repeats it.
const BASE: usize = 8 * 1024;

/// What the formats are made of, and what none of them expects.
const PIECES: [&[u8]; 24] = [
    b"\n",
    b"\n\n",
    b"\t",
    b" ",
    b"#\t0x1\tf+0x1\tg:1\n",
    b"#\t0x0\n",
    b"@",
    b" @ 0x1",
    b"1: 1 [1: 1] @ 0x1\n",
    b"0: 0 [0: 0] @\n\n",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"heap profile: 1: 1 [1: 1] @ heap/0\n",
    b"# runtime.MemStats\n",
    b"# a = b\n",
    b"cycles/second=0\n",
    b"sampling period=0\n",
    b"goroutine 1 [select, 9 minutes, locked to thread]:\n",
    b"created by f in goroutine 1\n",
    b"...additional frames elided...\n",
    b"[originating from goroutine 1]:\n",
    b"\0",
    b"\xff\xc3",
    b"\r",
];

fn is_text(kind: &Kind) -> bool {
    *kind != Kind::Cpu
}

fn name(kind: Kind) -> &'static str {
    kind.file_name().trim_end_matches(".pprof")
}

/// A golden text with as many of its shorter records as fit, between its first and its last.
fn base(kind: Kind) -> Vec<u8> {
    let text = String::from_utf8(golden(&format!("small/{}.txt", name(kind)))).expect("text");
    let records: Vec<_> = text.split("\n\n").collect();
    let [first, between @ .., last] = &records[..] else {
        return text.into_bytes();
    };
    let mut base = vec![*first];
    let mut room = BASE;
    for record in between.iter().filter(|record| record.len() < BASE / 4) {
        let Some(left) = room.checked_sub(record.len()) else {
            break;
        };
        room = left;
        base.push(record);
    }
    base.push(last);
    let base = base.join("\n\n");
    let Some(rest) = base.strip_prefix("heap profile: ") else {
        return base.into_bytes();
    };
    // The header counts what is there.
    let (_, rest) = rest.split_once(" @ heap/").expect("a header");
    let mut sums = [0_i64; 4];
    for record in rest.lines().filter(|line| line.contains("] @ 0x")) {
        let (counts, _) = record.split_once(" @ ").expect("a record");
        let numbers = counts
            .split([':', ' ', '[', ']'])
            .filter(|part| !part.is_empty());
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += number.parse::<i64>().expect("a number");
        }
    }
    let [a, b, c, d] = sums;
    format!("heap profile: {a}: {b} [{c}: {d}] @ heap/{rest}").into_bytes()
}

fn range(rng: &mut Rng, length: usize) -> std::ops::Range<usize> {
    let start = rng.usize(..=length);
    start..(start + rng.usize(..200)).min(length)
}

fn mutate(text: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.usize(..=text.len());
    let some = range(rng, text.len());
    match rng.u8(..7) {
        0 => text.truncate(at),
        1 => drop(text.drain(some)),
        2 => {
            let again = text[some].to_vec();
            text.splice(at..at, again);
        }
        3 | 4 => {
            let piece = PIECES[rng.usize(..PIECES.len())];
            text.splice(at..at, piece.iter().copied());
        }
        5 => text[some].fill(rng.u8(..)),
        _ => {
            if let Some(byte) = text.get_mut(at) {
                *byte ^= 1 << rng.u8(..8);
            }
        }
    }
}

fn mutant(base: &[u8], seed: u64) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let mut text = base.to_vec();
    (0..=rng.u8(..6)).for_each(|_| mutate(&mut text, &mut rng));
    text
}

/// Everything that a profile refers to is in it.
fn assert_sound(profile: &Decoded) {
    assert_eq!(profile.string(0), "");
    for (stack, values) in &profile.samples {
        profile.frames(stack);
        assert_eq!(values.len(), profile.sample_types.len());
    }
}

fn assert_settled(parsed: &Parsed, lines: u64) {
    if parsed.profile.is_some() {
        assert_sound(&converted(parsed));
        let note = |problem: &Problem| matches!(problem, Problem::Note(_));
        assert!(parsed.problems.iter().all(note), "{:?}", parsed.problems);
    } else {
        let [Problem::Damage { line, .. }] = parsed.problems[..] else {
            panic!("{:?}", parsed.problems);
        };
        assert!((1..=lines + 1).contains(&line), "{line} of {lines}");
    }
}

#[test]
fn a_mutants_profile_holds_together_or_it_is_damage() {
    for kind in Kind::ALL.into_iter().filter(is_text) {
        let (base, mut whole) = (base(kind), 0);
        for seed in 0..MUTANTS {
            let text = mutant(&base, seed);
            let settled = std::panic::catch_unwind(|| {
                let parsed = convert(kind, text.as_slice()).expect("memory can be read");
                let parsed = parsed.expect("a text");
                assert_settled(&parsed, text.split(|byte| *byte == b'\n').count() as u64);
                parsed.profile.is_some()
            });
            whole += u64::from(settled.unwrap_or_else(|_| panic!("{kind:?}, seed {seed}")));
        }
        // Neither all nor none: else the mutants would show nothing.
        assert!(
            (1..MUTANTS).contains(&whole),
            "{kind:?}: {whole} of {MUTANTS}"
        );
    }
}

#[test]
fn whatever_comes_the_copy_is_the_same() {
    for kind in Kind::ALL {
        let base = served("small", name(kind));
        for seed in 0..MUTANTS / 6 {
            let content = mutant(&base, seed);
            let mut copy = Vec::new();
            let read = read(kind, content.as_slice(), &mut copy);
            assert!(read.is_ok(), "{kind:?}, seed {seed}: {read:?}");
            assert!(copy == content, "{kind:?}, seed {seed}");
        }
    }
}

#[test]
fn a_profile_that_is_cut_anywhere_is_no_profile() {
    let profile = served("small", "cpu");
    for end in 0..profile.len() {
        let served = read(Kind::Cpu, &profile[..end], io::sink()).expect("memory can be read");
        assert!(matches!(served, Served::Damaged(_)), "cut at {end}");
    }
}

/// A header, then records without end, each another one.
struct Endless<F> {
    record: F,
    rest: Vec<u8>,
    records: u64,
    bytes: u64,
}

impl<F: Fn(u64) -> String> Endless<F> {
    fn new(header: &str, record: F) -> Self {
        Self {
            record,
            rest: header.as_bytes().to_vec(),
            records: 0,
            bytes: 0,
        }
    }
}

impl<F: Fn(u64) -> String> Read for Endless<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.records += 1;
            self.rest = (self.record)(self.records).into_bytes();
        }
        let length = self.rest.as_slice().read(buffer)?;
        self.rest.drain(..length);
        self.bytes += length as u64;
        Ok(length)
    }
}

/// The text is damage long before it has filled the memory.
fn ends(kind: Kind, header: &str, record: impl Fn(u64) -> String) {
    let mut text = Endless::new(header, record);
    let parsed = convert(kind, BufReader::new(&mut text)).expect("it can be read");
    let parsed = parsed.expect("a text");
    assert!(parsed.profile.is_none());
    let told = format!("{:?}", parsed.problems);
    assert!(told.contains("32 MiB"), "{told}");
    assert!(
        text.bytes < 100 << 20,
        "{kind:?}: {} bytes were read",
        text.bytes
    );
}

#[test]
fn a_text_without_end_is_given_up() {
    let heap = "heap profile: 1: 1 [1: 1] @ heap/1048576\n";
    let frame = |n| format!("#\t{n:#x}\tf{n}+0x1\tf.go:{n}\n");
    ends(Kind::Heap, heap, |n| {
        format!("1: 1 [1: 1] @ 0x1\n{}\n", frame(n))
    });
    ends(Kind::Heap, heap, |n| format!("{n}: 1 [1: 1] @\n\n"));
    ends(Kind::Heap, &format!("{heap}1: 1 [1: 1] @ 0x1\n"), |n| {
        format!("#\t{n:#x}\tf{n:0>9999}+0x1\tf.go:1\n")
    });
    let block = "--- contention:\ncycles/second=1000000000\n";
    ends(Kind::Block, block, |n| {
        format!("{n} 1 @ 0x1\n{}\n", frame(n))
    });
    let mutex = "--- mutex:\ncycles/second=1000000000\nsampling period=5\n";
    ends(Kind::Mutex, mutex, |n| {
        format!("{n} 1 @ 0x1\n{}\n", frame(n))
    });
    let threads = "threadcreate profile: total 1\n";
    ends(Kind::Threadcreate, threads, |n| {
        format!("1 @ 0x1\n{}\n", frame(n))
    });
    ends(Kind::Goroutine, "", |n| {
        format!("goroutine {n} [s]:\nf{n}()\n\tf.go:{n}\n\n")
    });
    ends(Kind::Goroutine, "", |n| {
        format!("goroutine 1 [select, {n} minutes]:\n\n")
    });
    ends(Kind::Goroutine, "", |n| {
        format!("goroutine 1 [s{n:0>999}]:\n\n")
    });
}
