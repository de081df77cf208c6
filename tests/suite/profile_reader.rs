//! The reader of profiles says what `go tool pprof` says of the same files, and so does what it merges.

use std::io::Cursor;

use cluster_profiler_job::pprof::{Kind, Label, Merged, ProfileReader, convert};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use standin::KINDS;

use crate::goldens::{golden, packed, served};
use crate::google_pprof::{raw, read};
use crate::proto_reader::decode_packed;

fn open(bytes: Vec<u8>) -> ProfileReader<Cursor<Vec<u8>>> {
    ProfileReader::open(Cursor::new(bytes)).expect("a profile")
}

/// Profiles merged, and what they are when they are written.
fn merged(files: &[String]) -> (Merged, Vec<u8>) {
    let mut merged = Merged::new();
    for file in files {
        merged.add(&mut open(packed(file))).expect("it fits");
    }
    let mut written = Vec::new();
    merged.write(&mut written).expect("memory");
    (merged, written)
}

#[test]
fn every_kind_is_read_as_pprof_reads_it() {
    for set in ["small", "large"] {
        for kind in KINDS {
            let oracle = raw(&format!("{set}/{kind}"));
            // Packed as Go writes it, and not.
            for bytes in [
                packed(&format!("{set}/{kind}.pb")),
                golden(&format!("{set}/{kind}.pb")),
            ] {
                let mut profile = open(bytes);
                let said = read(&mut profile);
                assert!(!said.samples.is_empty(), "{set}/{kind}");
                said.assert_same(&oracle, &format!("{set}/{kind}"));
                assert_eq!(said.count, oracle.count, "{set}/{kind}");
                assert_eq!(profile.totals().expect("sums"), oracle.totals());
            }
        }
    }
}

#[test]
fn a_profile_that_is_merged_is_what_pprof_makes_of_it() {
    for set in ["small", "large"] {
        for kind in KINDS {
            let oracle = raw(&format!("{set}/{kind}"));
            let (merged, written) = merged(&[format!("{set}/{kind}.pb")]);
            let said = read(&mut open(written.clone()));
            said.assert_same(&oracle, &format!("{set}/{kind}"));
            assert_eq!(said.count, oracle.samples.len(), "{set}/{kind}");
            assert_eq!(merged.samples(), said.count as u64, "{set}/{kind}");
            assert_eq!(merged.totals().expect("sums"), oracle.totals());
            // And so it is to a reader that shares nothing with the writer.
            let decoded = decode_packed(&written);
            assert_eq!(decoded.samples.len(), said.count, "{set}/{kind}");
            assert_eq!(
                decoded.time_nanos,
                decode_packed(&packed(&format!("{set}/{kind}.pb"))).time_nanos
            );
        }
    }
}

#[test]
fn profiles_are_merged_by_the_keys_of_pprof() {
    for kind in KINDS {
        let oracle = raw(&format!("merged/{kind}"));
        let files = ["small", "large"].map(|set| format!("{set}/{kind}.pb"));
        let (merged, written) = merged(&files);
        let said = read(&mut open(written));
        said.assert_same(&oracle, kind);
        assert_eq!(said.count, oracle.count, "{kind}");
        assert_eq!(merged.samples(), oracle.count as u64, "{kind}");
        let alone = files
            .iter()
            .map(|file| read(&mut open(packed(file))).samples.len());
        assert!(oracle.count < alone.sum(), "{kind}: some are alike");
    }
}

#[test]
fn profiles_of_other_values_are_not_merged() {
    let mut merged = Merged::new();
    merged
        .add(&mut open(packed("small/heap.pb")))
        .expect("it fits");
    let error = merged.add(&mut open(packed("small/block.pb")));
    let why = error.expect_err("other values").to_string();
    assert!(why.contains("contentions/count"), "{why}");
    assert!(why.contains("inuse_space/bytes"), "{why}");
}

#[test]
fn a_converted_profile_is_read_with_its_labels_and_comments() {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Cpu) {
        let name = kind.file_name().trim_end_matches(".pprof");
        let text = served("small", name);
        let parsed = convert(kind, text.as_slice()).expect("memory");
        let ours = parsed.expect("a text").profile.expect("a profile");
        let time = Timestamp::from_second(1_700_000_000).expect("a time");
        let mut bytes = Vec::new();
        ours.write(time, &mut bytes).expect("memory");
        let decoded = decode_packed(&bytes);
        let mut profile = open(bytes);
        let mut frames = Vec::new();
        let mut values = Vec::new();
        let mut labels = Vec::new();
        let visited = profile.each_sample(|sample| {
            let of = sample.frames();
            frames.push(
                of.map(|frame| {
                    (
                        frame.function.to_owned(),
                        frame.file.to_owned(),
                        frame.line.unsigned_abs(),
                    )
                })
                .collect::<Vec<_>>(),
            );
            values.push(sample.values.to_vec());
            labels.extend(sample.labels().filter_map(|label| match label {
                Label::Text { name, text } => Some(format!("{name}={text}")),
                Label::Number { .. } => None,
            }));
            Ok(())
        });
        visited.expect("samples");
        let of = decoded.samples.iter();
        let (oracle_frames, oracle_values): (Vec<_>, Vec<_>) = of
            .map(|(stack, values)| (decoded.frames(stack), values.clone()))
            .unzip();
        assert_eq!(frames, oracle_frames, "{name}");
        assert_eq!(values, oracle_values, "{name}");
        let oracle_labels = decoded.labels.iter().filter(|label| !label.ends_with('='));
        assert_eq!(labels, oracle_labels.cloned().collect::<Vec<_>>(), "{name}");
        let header = profile.header();
        assert_eq!(header.time_nanos, time.as_second() * 1_000_000_000);
        if kind == Kind::Mutex {
            assert_eq!(header.comments, ["sampling period=5"]);
        }
    }
}

/// A message as `(field, wire type, content)`.
fn field(number: u8, wire: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | wire];
    if wire == 2 {
        bytes.push(u8::try_from(content.len()).expect("short"));
    }
    bytes.extend_from_slice(content);
    bytes
}

fn message(number: u8, fields: &[Vec<u8>]) -> Vec<u8> {
    field(number, 2, &fields.concat())
}

fn number(of: u8, value: u8) -> Vec<u8> {
    field(of, 0, &[value])
}

/// A small profile, in pieces: types, samples, then tables. Strings: 1 `a`, 2 `b`, 3 `f.go`.
fn pieces() -> Vec<Vec<u8>> {
    vec![
        message(1, &[number(1, 1), number(2, 2)]),
        // Not packed, with a field that nobody knows, and labels: a word, a number with a unit, nothing.
        message(
            2,
            &[
                number(1, 1),
                number(1, 2),
                number(2, 7),
                number(15, 9),
                message(3, &[number(1, 1), number(2, 2)]),
                message(3, &[number(1, 2), number(3, 5), number(4, 1)]),
                message(3, &[number(1, 2)]),
            ],
        ),
        // Packed.
        message(2, &[field(1, 2, &[1, 2]), field(2, 2, &[8])]),
        message(3, &[number(1, 1), number(2, 4), number(3, 9), number(5, 3)]),
        message(
            4,
            &[
                number(1, 2),
                number(2, 1),
                number(3, 6),
                message(4, &[number(1, 2), number(2, 4)]),
            ],
        ),
        // Two lines, of which the first is inlined into the second.
        message(
            4,
            &[
                number(1, 1),
                number(2, 1),
                number(3, 5),
                message(4, &[number(1, 1), number(2, 3)]),
                message(4, &[number(1, 2), number(2, 9)]),
            ],
        ),
        message(5, &[number(1, 1), number(2, 1), number(4, 3)]),
        message(5, &[number(1, 2), number(2, 2), number(4, 3)]),
        field(6, 2, b""),
        field(6, 2, b"a"),
        field(6, 2, b"b"),
        field(6, 2, b"f.go"),
        // Of fixed width, and of a number that nobody knows.
        field(15, 1, &[0; 8]),
        field(15, 5, &[0; 4]),
        field(15, 2, &[1; 20]),
    ]
}

#[test]
fn tables_before_or_after_samples_packed_or_not_several_lines_and_labels() {
    let stack = ["0x5 a f.go:3", "0x5 b f.go:9", "0x6 b f.go:4"];
    let stack = stack.map(str::to_owned).to_vec();
    let labels = ["a=b", "b=5 a"].map(str::to_owned).to_vec();
    let forward = pieces();
    let mut backward = pieces();
    // Only strings have an order.
    backward.reverse();
    backward[3..7].reverse();
    for (what, bytes) in [("forward", forward), ("backward", backward)] {
        let said = read(&mut open(bytes.concat()));
        assert_eq!(said.types, ["a/b"], "{what}");
        assert_eq!(said.samples.len(), 2, "{what}");
        assert_eq!(said.samples[&(stack.clone(), labels.clone())], [7]);
        assert_eq!(said.samples[&(stack.clone(), vec![])], [8]);
    }
}

#[test]
fn a_program_that_lies_elsewhere_in_memory_is_the_same_program() {
    let mut elsewhere = pieces();
    elsewhere[3] = message(
        3,
        &[number(1, 1), number(2, 104), number(3, 109), number(5, 3)],
    );
    let [first, second] =
        [(4, 106), (5, 105)].map(|(at, address)| (elsewhere[at].clone(), address));
    for (at, (mut location, address)) in [(4, first), (5, second)] {
        // After the ids of the location and of its mapping comes its address.
        location[7] = address;
        elsewhere[at] = location;
    }
    let mut merged = Merged::new();
    for bytes in [pieces().concat(), elsewhere.concat()] {
        merged.add(&mut open(bytes)).expect("it fits");
    }
    assert_eq!(merged.samples(), 2);
    let mut written = Vec::new();
    merged.write(&mut written).expect("memory");
    let said = read(&mut open(written));
    let one = read(&mut open(pieces().concat()));
    let doubled = one
        .samples
        .iter()
        .map(|(key, values)| (key.clone(), vec![2 * values[0]]));
    assert_eq!(said.samples, doubled.collect());
    // Another program is another one, at the same address too.
    let other = with(
        3,
        message(3, &[number(1, 1), number(2, 4), number(3, 9), number(5, 1)]),
    );
    merged.add(&mut open(other)).expect("it fits");
    assert_eq!(merged.samples(), 4);
}

/// The pieces with one of them replaced.
fn with(at: usize, piece: Vec<u8>) -> Vec<u8> {
    let mut pieces = pieces();
    pieces[at] = piece;
    pieces.concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut gzip, content).expect("memory");
    gzip.finish().expect("memory")
}

/// A field of a number of bytes, however many.
fn long_field(number: u8, length: usize, content: u8) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut left = length;
    while left >= 0x80 {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes.resize(bytes.len() + length, content);
    bytes
}

/// A location of almost 1 MiB of empty lines.
fn empty_lines(id: u8) -> Vec<u8> {
    let inner = [number(1, id), [0x22, 0].repeat(400_000)].concat();
    let mut bytes = long_field(4, inner.len(), 0);
    bytes.truncate(bytes.len() - inner.len());
    [bytes, inner].concat()
}

/// What a profile has, its bytes, and what the error says.
type Case = (&'static str, Vec<u8>, &'static str);

/// Asserts that each is refused for its reason, packed or not.
fn assert_refused(cases: &[Case]) {
    for (what, bytes, why) in cases {
        let is_there = !bytes.is_empty();
        for bytes in [Some(bytes.clone()), is_there.then(|| gzip(bytes))]
            .into_iter()
            .flatten()
        {
            let read = ProfileReader::open(Cursor::new(bytes)).and_then(|mut profile| {
                let totals = profile.totals();
                let merged = Merged::new().add(&mut profile);
                assert_eq!(merged.is_ok(), totals.is_ok(), "{what}");
                totals
            });
            let error = read.expect_err(what).to_string();
            assert!(error.contains(why), "{what}: {error}");
            assert!(error.len() < 300, "{what}: {error}");
        }
    }
}

#[test]
fn what_is_no_profile_is_told_by_the_reason() {
    let whole = pieces().concat();
    let cut_gzip = packed("small/heap.pb");
    let cut_gzip = cut_gzip[..cut_gzip.len() / 2].to_vec();
    let sample = |fields: &[Vec<u8>]| with(2, message(2, fields));
    let location = |fields: &[Vec<u8>]| with(4, message(4, fields));
    let mut long_varint = vec![0x08];
    long_varint.resize(30, 0xff);
    let cases = [
        ("nothing", vec![], "it is empty"),
        ("words", b"heap profile: 1".to_vec(), "field"),
        (
            "a cut",
            whole[..whole.len() - 3].to_vec(),
            "it ends in the middle of a field",
        ),
        ("a cut pack", cut_gzip, ""),
        (
            "a long varint",
            [whole.clone(), long_varint].concat(),
            "more than 64 bits",
        ),
        (
            "a group",
            [whole.clone(), vec![0x7b]].concat(),
            "unknown wire type",
        ),
        ("no type", with(0, vec![]), "no type of sample"),
        ("no strings", pieces()[..8].concat(), "no strings"),
        ("a first string", with(8, field(6, 2, b"x")), "first string"),
        (
            "a string index",
            with(0, message(1, &[number(1, 99)])),
            "string 99",
        ),
        (
            "a string index of 64 bits",
            with(
                0,
                message(1, &[field(1, 0, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])]),
            ),
            "a string that is not there",
        ),
        (
            "a label's string",
            sample(&[
                field(2, 2, &[1]),
                message(3, &[number(1, 98), number(2, 1)]),
            ]),
            "string 98",
        ),
        (
            "a location",
            sample(&[field(1, 2, &[1, 77]), field(2, 2, &[1])]),
            "location 77",
        ),
        (
            "a function",
            location(&[number(1, 2), message(4, &[number(1, 66)])]),
            "function 66",
        ),
        (
            "a function's name",
            with(6, message(5, &[number(1, 1), number(2, 97)])),
            "string 97",
        ),
        (
            "a mapping's file",
            with(3, message(3, &[number(1, 1), number(5, 96)])),
            "string 96",
        ),
        (
            "too many values",
            sample(&[field(2, 2, &[1, 2])]),
            "2 values",
        ),
        ("no value", sample(&[field(1, 2, &[1])]), "0 values"),
        ("id 0", location(&[number(3, 1)]), "id 0"),
        (
            "two ids",
            location(&[number(1, 1)]),
            "two locations with the id 1",
        ),
        (
            "a nested cut",
            sample(&[vec![0x12, 0x7f, 1]]),
            "it ends in the middle of a field",
        ),
    ];
    assert_refused(&cases);
}

#[test]
fn what_a_profile_has_too_much_of_is_told() {
    let whole = pieces().concat();
    let many = |piece: &[u8], count: usize| [whole.clone(), piece.repeat(count)].concat();
    let cases = [
        (
            "a huge length",
            [
                whole.clone(),
                vec![0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            ]
            .concat(),
            "1 MiB",
        ),
        (
            "a long string",
            [whole.clone(), long_field(6, 2 << 20, b'x')].concat(),
            "1 MiB",
        ),
        ("many types", many(&pieces()[0], 100), "64 types"),
        ("many comments", many(&number(13, 1), 2000), "1000 comments"),
        ("many strings", many(&[0x32, 0], 5 << 20), "16 MiB"),
        (
            "much text",
            many(&long_field(6, 1 << 20, b'x'), 20),
            "16 MiB",
        ),
        (
            "many lines",
            [whole.clone(), empty_lines(50), empty_lines(51)].concat(),
            "16 MiB",
        ),
        (
            "sums",
            {
                let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
                let sample = message(2, &[field(2, 2, &most)]);
                [whole.clone(), sample.repeat(2)].concat()
            },
            "more than 64 bits hold",
        ),
    ];
    assert_refused(&cases);
}

#[test]
fn a_profile_unpacks_no_further_than_its_bound() {
    let mebibyte = gzip(&long_field(15, (1 << 20) - 4, 0));
    let bomb = [gzip(&pieces().concat()), mebibyte.repeat(260)].concat();
    let error = ProfileReader::open(Cursor::new(bomb)).expect_err("a bomb");
    assert!(error.to_string().contains("256 MiB"), "{error}");
}

#[test]
fn what_is_merged_has_a_bound() {
    // Stacks that share little, of a profile that is small when it is packed.
    let mut bytes = pieces().concat();
    for count in 0..30_000_u32 {
        let mut stack = vec![1; 100];
        stack.extend((0..16).map(|bit| 1 + (count >> bit & 1) as u8));
        bytes.extend(message(2, &[field(1, 2, &stack), field(2, 2, &[1])]));
    }
    let mut profile = open(gzip(&bytes));
    let error = Merged::new().add(&mut profile).expect_err("a bound");
    assert!(error.to_string().contains("32 MiB"), "{error}");
}
