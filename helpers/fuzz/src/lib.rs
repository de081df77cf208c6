//! What must hold whatever bytes come, for each reader of what others wrote. libFuzzer finds the bytes: a target of
//! `fuzz_targets` is one line that calls a function here.

#[path = "../../../tests/suite/proto_reader.rs"]
#[expect(dead_code, reason = "the suite compares more of a profile")]
mod proto_reader;

use std::alloc::System;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cap::Cap;
use cluster_profiler_job::archive::Spool;
use cluster_profiler_job::cluster::lease::Journal;
use cluster_profiler_job::cluster::profiler_switch::{
    add_operation, parse_operations, remove_operation,
};
use cluster_profiler_job::destination::{Summary, endpoint_of};
use cluster_profiler_job::engine::read_page;
use cluster_profiler_job::manifest::Manifest;
use cluster_profiler_job::pprof::{
    Kind, Merged, Parsed, Problem, ProfileReader, Served, convert, read,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// The most memory that an input may take, however small it was packed: a profile takes 32 MiB, and what is made of
/// it as much again.
const MOST_MEMORY: usize = 96 << 20;

/// The longest input of which what is made is looked at too.
const LONGEST: usize = 1 << 20;

const KINDS: [Kind; 7] = Kind::ALL;

/// Calls a check. One that takes more memory than it may is a crash.
pub fn bounded(data: &[u8], check: fn(&[u8])) {
    if data.len() > LONGEST {
        return;
    }
    let limit = MEMORY.allocated() + MOST_MEMORY;
    MEMORY.set_limit(limit).expect("it is more than there is");
    check(data);
    MEMORY.set_limit(usize::MAX).expect("no limit");
}

/// The kind that the first byte chooses, and the rest.
fn kind(data: &[u8]) -> Option<(Kind, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((KINDS[usize::from(*first) % KINDS.len()], rest))
}

/// A text becomes a profile in which everything is there that it refers to, or one damage with its line.
pub fn text(data: &[u8]) {
    let Some((kind, text)) = kind(data) else {
        return;
    };
    let Some(parsed) = convert(kind, text).expect("memory can be read") else {
        assert_eq!(kind, Kind::Cpu);
        return;
    };
    let Some(profile) = &parsed.profile else {
        let [Problem::Damage { line, .. }] = parsed.problems[..] else {
            panic!("{:?}", parsed.problems);
        };
        let lines = text.split(|byte| *byte == b'\n').count() as u64;
        assert!((1..=lines + 1).contains(&line), "{line} of {lines}");
        return;
    };
    let note = |problem: &Problem| matches!(problem, Problem::Note(_));
    assert!(parsed.problems.iter().all(note), "{:?}", parsed.problems);
    let decoded = proto_reader::converted(&parsed);
    assert_eq!(decoded.string(0), "");
    assert_eq!(decoded.samples.len() as u64, profile.samples());
    for (stack, values) in &decoded.samples {
        decoded.frames(stack);
        assert_eq!(values.len(), decoded.sample_types.len());
    }
    if kind == Kind::Threadcreate && parsed.partial.is_none() {
        let sum = |sum: i64, (_, values): &(_, Vec<i64>)| sum.saturating_add(values[0]);
        let sum = decoded.samples.iter().fold(0, sum);
        assert_eq!(Some(sum), total(text), "of the header");
    }
    is_read_again(&parsed);
}

/// The number in a header of threadcreate.
fn total(text: &[u8]) -> Option<i64> {
    let line = text.split(|byte| *byte == b'\n').next()?;
    let line = str::from_utf8(line).ok()?.trim_end_matches('\r');
    line.rsplit_once(' ')?.1.parse().ok()
}

/// What was made is a profile to the program itself.
fn is_read_again(parsed: &Parsed) {
    let profile = parsed.profile.as_ref().expect("a profile");
    let mut packed = Vec::new();
    let time = Timestamp::from_second(1).expect("a time");
    profile.write(time, &mut packed).expect("memory");
    let served = read(Kind::Cpu, packed.as_slice(), std::io::sink()).expect("memory");
    let Served::Profile(summary) = served else {
        panic!("{served:?}");
    };
    assert_eq!(summary.samples, profile.samples());
    assert_eq!(summary.time_nanos, 1_000_000_000);
}

/// A file of a dump is kept as it came, whatever it is: a text, a profile, packed or not.
pub fn file(data: &[u8]) {
    let Some((kind, content)) = kind(data) else {
        return;
    };
    // Half of the first byte's values have it packed, for a mutation of what is packed is only damage.
    let packed = if data[0] < 128 {
        content.to_vec()
    } else {
        gzip(content)
    };
    let mut copy = Vec::new();
    let served = read(kind, packed.as_slice(), &mut copy).expect("memory can be read");
    assert_eq!(copy, packed);
    if let Served::Damaged(why) = served {
        assert!(!why.is_empty());
        assert!(
            why.len() < 1000 && !why.contains(|c: char| c.is_control()),
            "{why:?}"
        );
    }
    is_merged_to_itself(&packed);
}

/// A profile that is read and merged has the same totals when it was written and read again; what is none is told by
/// one short line.
fn is_merged_to_itself(packed: &[u8]) {
    let mut merged = Merged::new();
    let added = ProfileReader::open(Cursor::new(packed)).and_then(|mut profile| {
        merged.add(&mut profile)?;
        profile.totals()
    });
    let totals = match added {
        Ok(totals) => totals,
        Err(error) => {
            let why = error.to_string();
            assert!(!why.is_empty() && why.len() < 300, "{why:?}");
            return;
        }
    };
    let mut written = Vec::new();
    merged.write(&mut written).expect("memory");
    let mut again = ProfileReader::open(Cursor::new(written)).expect("what was written");
    assert_eq!(again.totals().expect("sums"), totals);
    assert_eq!(merged.totals().expect("sums"), totals);
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(content).expect("memory");
    gzip.finish().expect("memory")
}

/// A page is a pod's bundle or an error; names that nobody asked for are few and short.
pub fn page(data: &[u8]) {
    let spool = Spool::new("run".to_owned(), std::env::temp_dir(), true);
    let Ok((bundle, names)) = read_page(data, "pod", &spool) else {
        return;
    };
    assert!(names.len() <= 21, "{}", names.len());
    for name in names {
        assert!(name.name.chars().count() <= 101, "{}", name.name);
        assert_eq!(name.page_of, "pod");
    }
    let Some(bundle) = bundle else {
        return;
    };
    assert_eq!(bundle.entries.len() + bundle.lacking().len(), KINDS.len());
    for (kind, entry) in &bundle.entries {
        assert_eq!(entry.file.path, format!("run/pod/{}", kind.file_name()));
        assert!(entry.file.damage.is_none() || entry.file.samples.is_none());
    }
}

/// Of a manifest few fields are read, and those are what the whole one says.
pub fn manifest(data: &[u8]) {
    let Ok(summary) = Summary::read(data).expect("memory can be read") else {
        return;
    };
    assert!(summary.pods.complete() <= summary.pods.expected());
    for text in [&summary.run_id, &summary.reason, &summary.archive.uri] {
        assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
    }
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(data) {
        assert_eq!(manifest.pods.len(), summary.pods.expected());
        assert_eq!(manifest.exit_code, summary.exit_code);
        assert_eq!(manifest.archive.sha256, summary.archive.sha256);
    }
}

/// A journal that was understood is the same when it was written and read once more. Lines are the annotations; the
/// first byte says whether the lists of pods come packed or are packed here.
pub fn journal(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let lines = rest.split(|byte| *byte == b'\n');
    let names = ["record", "pods", "unstopped"].map(|name| format!("cluster-profiler-job/{name}"));
    let mut annotations = BTreeMap::new();
    for (name, line) in names.into_iter().zip(lines) {
        let is_packed_here = first % 2 == 0 && !name.ends_with("record");
        let text = if is_packed_here {
            STANDARD.encode(gzip(line))
        } else {
            String::from_utf8_lossy(line).into_owned()
        };
        annotations.insert(name, text);
    }
    let Some(journal) = Journal::of(&annotations) else {
        return;
    };
    let again = Journal::of(&journal.annotations()).expect("a journal");
    assert_eq!(again, Journal::of(&again.annotations()).expect("a journal"));
    if journal.is_known() {
        assert_eq!(again.run_id, journal.run_id);
        assert_eq!(again.stage, journal.stage);
        assert_eq!(again.changes, journal.changes);
        assert_eq!(again.pods.len(), journal.pods.len());
    }
}

/// An operation that is put into an annotation and taken out again leaves every byte of the others.
pub fn annotation(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let operation = json!({ "op": "add", "path": "/spec/configuration/x", "value": true });
    let before = match (parse_operations(text), add_operation(text, &operation)) {
        (Ok(operations), Ok(added)) => {
            let with = parse_operations(&added).expect("a patch");
            assert_eq!(with.len(), operations.len() + 1);
            assert_eq!(with[..operations.len()], operations);
            let last = serde_json::to_value(&with[operations.len()]).expect("JSON");
            assert_eq!(last, operation);
            let removed = remove_operation(&added, &operation).expect("a patch");
            assert_eq!(removed, Some((text.to_owned(), operations.len())));
            operations
        }
        (Err(_), Err(_)) => return,
        (parsed, added) => panic!("{parsed:?} but {added:?}"),
    };
    // And one that was there goes alone.
    let Some(first) = before.first() else {
        return;
    };
    let first: Value = serde_json::to_value(first).expect("JSON");
    if let Some((left, count)) = remove_operation(text, &first).expect("a patch") {
        assert_eq!(parse_operations(&left).expect("a patch").len(), count);
        assert_eq!(count, before.len() - 1);
    }
}

/// Of a redirect's Location, which is the first line, or of its body, which is the rest, only a scheme and a host are told.
pub fn endpoint(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let location = parts.next().and_then(|line| str::from_utf8(line).ok());
    let Some(endpoint) = endpoint_of(location, parts.next().unwrap_or_default()) else {
        return;
    };
    assert!(endpoint.len() <= 400, "{endpoint:?}");
    let (scheme, host) = endpoint.split_once("://").expect("a scheme");
    let other = |c: char| !c.is_ascii_graphic() || "/?#@<>\"\\".contains(c);
    assert!(!scheme.is_empty() && !host.is_empty(), "{endpoint:?}");
    assert!(!host.contains(other), "{endpoint:?}");
}
