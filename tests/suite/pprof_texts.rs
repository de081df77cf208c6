//! Texts that a component, a person or something between them may hand in, and what becomes of each.

use std::io::Write;
use std::path::Path;

use cluster_profiler_job::pprof::{Kind, Parsed, Served, convert, read};

use flate2::{Compression, write::GzEncoder};

use crate::goldens::{golden, packed};
use crate::proto_reader::{Decoded, converted};

/// A text of `data/texts`.
fn text(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/data/texts");
    std::fs::read(directory.join(name)).expect("a text")
}

fn parse(kind: Kind, text: &[u8]) -> Parsed {
    let parsed = convert(kind, text).expect("memory can be read");
    parsed.expect("a kind that is text")
}

fn problems(parsed: &Parsed) -> Vec<String> {
    parsed.problems.iter().map(ToString::to_string).collect()
}

/// The functions of each sample, from the innermost.
fn stacks(profile: &Decoded) -> Vec<Vec<String>> {
    let names = |stack| {
        let frames = profile.frames(stack).into_iter();
        frames.map(|(name, ..)| name).collect()
    };
    let samples = profile.samples.iter();
    samples.map(|(stack, _)| names(stack)).collect()
}

#[test]
fn labels_of_go_1_27_are_labels_of_the_sample() {
    let parsed = parse(Kind::Goroutine, &text("go127-labels.goroutine.txt"));
    assert_eq!(problems(&parsed), [""; 0]);
    let profile = converted(&parsed);
    assert_eq!(
        profile.labels,
        [
            "state=running",
            "queue=vmi",
            "worker=3",
            "state=chan receive",
            "minutes=",
            "route=GET /vms/{name} ]: x",
            "tenant=a\tb",
            "state=select",
            "locked_to_thread=yes",
            "empty=",
            "key with blank=v",
            "state=IO wait",
        ]
    );
    let innermost = stacks(&profile).into_iter().map(|stack| stack[0].clone());
    let app = "example.com/app/";
    assert_eq!(
        innermost.collect::<Vec<_>>(),
        [
            "watch.(*Controller).Execute",
            "rest.serve",
            "rest.poll",
            "rest.listen"
        ]
        .map(|name| format!("{app}{name}"))
    );
}

#[test]
fn labels_in_the_brackets_after_them_and_none() {
    let table: [(&str, &[&str]); 12] = [
        ("[running]:", &["state=running"]),
        (
            r#"[select, 3 minutes labels:{"a": "b", "c": "d"}]:"#,
            &["state=select", "minutes=", "a=b", "c=d"],
        ),
        // A value holds what else ends the brackets, or begins labels of the other kind.
        (
            r#"[select labels:{"a": "] {x: y}:", "b": "x]:"}]:"#,
            &["state=select", "a=] {x: y}:", "b=x]:"],
        ),
        (
            r#"[select] {a: " labels:{]:", b: "x, y: z"}:"#,
            &["state=select", "a= labels:{]:", "b=x, y: z"],
        ),
        (
            r#"[select] {"\"quoted\" \\": "\x07\u4e16\U0001f600\n\r\t"}:"#,
            &["state=select", "\"quoted\" \\=\u{7}世😀\n\r\t"],
        ),
        // Bare words with marks in them.
        (
            "[select] {path: /a/b:c, k: v}w}:",
            &["state=select", "path=/a/b:c", "k=v}w"],
        ),
        // Labels that are written in a way of their own are kept as they stand.
        (
            r#"[select] {"a": "\q"}:"#,
            &["state=select", r#"labels={"a": "\q"}"#],
        ),
        ("[select] {a}:", &["state=select", "labels={a}"]),
        (
            r#"[select] {"a": "\U99999999"}:"#,
            &["state=select", r#"labels={"a": "\U99999999"}"#],
        ),
        (
            "[select, synctest bubble 7]:",
            &["state=select, synctest bubble 7"],
        ),
        ("[IO wait (scan)]:", &["state=IO wait (scan)"]),
        ("gp=0xc000002380 m=0 mp=0x1 [idle]:", &["state=idle"]),
    ];
    for (header, labels) in table {
        let text = format!("goroutine 7 {header}\nmain.f()\n\tf.go:7 +0x1\n");
        let parsed = parse(Kind::Goroutine, text.as_bytes());
        assert_eq!(problems(&parsed), [""; 0], "{header}");
        assert_eq!(converted(&parsed).labels, labels, "{header}");
    }
}

#[test]
fn what_is_no_header_in_spite_of_its_brackets() {
    for header in [
        "[running]",
        "[running] {a: b}",
        "[running] a: b:",
        "[running] {a: b:",
        "{a: b}:",
    ] {
        let text = format!("goroutine 7 {header}\nmain.f()\n\tf.go:7 +0x1\n");
        let parsed = parse(Kind::Goroutine, text.as_bytes());
        assert_eq!(
            problems(&parsed),
            ["line 1: it is no header of a goroutine"]
        );
    }
}

#[test]
fn goroutines_with_other_labels_are_other_goroutines() {
    let goroutine =
        |label| format!("goroutine 7 [select] {{k: {label}}}:\nmain.f()\n\tf.go:7 +0x1\n");
    let text = ["a", "b", "a"].map(goroutine).join("\n");
    let profile = converted(&parse(Kind::Goroutine, text.as_bytes()));
    let counts: Vec<_> = profile
        .samples
        .iter()
        .map(|(_, values)| values[0])
        .collect();
    assert_eq!(counts, [2, 1]);
}

/// A profile's own account: the stacks, and how often each was there.
fn told(parsed: &Parsed) -> Vec<(String, i64)> {
    let profile = converted(parsed);
    let counts = profile.samples.iter().map(|(_, values)| values[0]);
    let stacks = stacks(&profile).into_iter().map(|stack| stack.join(" "));
    stacks.zip(counts).collect()
}

fn tick_and_push() -> Vec<(String, i64)> {
    ["time.Sleep main.tick", "main.push"]
        .map(|stack| (stack.to_owned(), 1))
        .into()
}

#[test]
fn lines_that_end_in_cr_lf_and_tabs_that_were_pasted_as_blanks() {
    for name in ["crlf.goroutine.txt", "blanks-for-tabs.goroutine.txt"] {
        let parsed = parse(Kind::Goroutine, &text(name));
        assert_eq!(problems(&parsed), [""; 0], "{name}");
        assert_eq!(told(&parsed), tick_and_push(), "{name}");
        assert_eq!(parsed.partial, None, "{name}");
        let profile = converted(&parsed);
        let frames = profile.frames(&profile.samples[0].0);
        assert_eq!(frames[1].1, "/src/app/tick.go");
        assert_eq!(frames[1].2, 14);
    }
}

#[test]
fn blanks_for_tabs_in_a_heap() {
    let plain = text("no-final-newline.heap.txt");
    let tabs = parse(Kind::Heap, &plain);
    let plain = String::from_utf8(plain).expect("text");
    for blanks in [" ", "    ", "        "] {
        let pasted = parse(Kind::Heap, plain.replace('\t', blanks).as_bytes());
        assert_eq!(told(&pasted), told(&tabs));
        assert_eq!(pasted.problems, tabs.problems);
    }
}

#[test]
fn without_a_final_newline_nothing_that_is_whole_is_dropped() {
    let note = "the text ends without the end of its last line, which may lack something";
    let parsed = parse(Kind::Goroutine, &text("no-final-newline.goroutine.txt"));
    assert_eq!(told(&parsed), tick_and_push());
    assert_eq!(problems(&parsed), [note]);
    let parsed = parse(Kind::Heap, &text("no-final-newline.heap.txt"));
    let stacks: Vec<_> = told(&parsed).into_iter().map(|(stack, _)| stack).collect();
    assert_eq!(stacks, ["main.grow main.main", "main.cache main.main"]);
    assert_eq!(problems(&parsed), [note]);
    assert_eq!(parsed.partial, None);
    assert_eq!(parsed.mem_stats["MaxRSS"], "12345344");
    assert_eq!(parsed.mem_stats.len(), 5);
}

#[test]
fn a_creation_or_a_frame_without_a_place() {
    let parsed = parse(
        Kind::Goroutine,
        &text("created-by-without-place.goroutine.txt"),
    );
    assert_eq!(problems(&parsed), [""; 0]);
    let goroutines = ["main.loop", "main.work"].map(|stack| (stack.to_owned(), 1));
    assert_eq!(told(&parsed), goroutines);
    let text = "goroutine 1 [select]:\nmain.f(0x1)\nmain.g()\n\tg.go:7 +0x1\nmain.h(...)\n\n";
    let parsed = parse(Kind::Goroutine, text.as_bytes());
    assert_eq!(problems(&parsed), [""; 0]);
    assert_eq!(told(&parsed), [("main.f main.g main.h".to_owned(), 1)]);
}

#[test]
fn a_heap_that_is_cut_before_its_statistics_is_marked() {
    let parsed = parse(Kind::Heap, &text("cut-before-memstats.heap.txt"));
    assert_eq!(told(&parsed).len(), 2);
    let partial = parsed.partial.expect("it is partial");
    assert_eq!(partial.why, "it ends before runtime.MemStats");
    assert!(partial.slight && partial.left_out == 0);
}

#[test]
fn records_without_names_keep_their_addresses() {
    let parsed = parse(Kind::Heap, &text("no-symbols.heap.txt"));
    assert_eq!(
        problems(&parsed),
        ["2 records have addresses, and no names"]
    );
    let profile = converted(&parsed);
    let stacks: Vec<_> = profile.samples.iter().map(|(stack, _)| stack).collect();
    // The addresses of the calls, not of where they return to; the outermost they have in common.
    assert_eq!(stacks, [&[1, 2, 3], &[4, 5, 3]]);
    assert!(profile.locations.values().all(Vec::is_empty));
    assert!(!profile.says_that_it_has_names);
    // Block and threadcreate alike.
    let block = "--- contention:\ncycles/second=1000000000\n9 1 @ 0x401234 0x0\n";
    let parsed = parse(Kind::Block, block.as_bytes());
    assert_eq!(
        problems(&parsed),
        ["1 records have addresses, and no names"]
    );
}

/// Why a file is damage.
fn damage(kind: Kind, content: &[u8]) -> String {
    let served = read(kind, content, std::io::sink()).expect("memory can be read");
    let Served::Damaged(why) = served else {
        panic!("{served:?}");
    };
    why
}

#[test]
fn the_wrong_file_under_the_right_name_is_told() {
    let page = "a page of HTML (\"Log in\"), as a login or a proxy answers";
    let status = "a Status of the API server (\"Unauthorized\")";
    let debug1 = "a text of goroutine with debug=1, and only debug=2 has every goroutine";
    let profile = packed("small/heap.pb");
    let cut = &profile[..profile.len() / 2];
    let whole = golden("small/heap.pb");
    let table = [
        (text("debug1.goroutine.txt"), debug1.to_owned()),
        (text("login-page.heap.txt"), page.to_owned()),
        (text("status.heap.txt"), status.to_owned()),
        (b"[1, 2]\n".to_vec(), "JSON".to_owned()),
        (
            gzip(&text("login-page.heap.txt")),
            format!("gzip, with {page} in it"),
        ),
        (
            gzip(b"nothing known"),
            "gzip, with no profile in it".to_owned(),
        ),
        (
            cut.to_vec(),
            "gzip, with a profile.proto that is not whole in it".to_owned(),
        ),
        (
            whole[..whole.len() / 2].to_vec(),
            "a profile.proto that is not whole".to_owned(),
        ),
    ];
    for (content, what) in table {
        for kind in [Kind::Cpu, Kind::Heap, Kind::Goroutine, Kind::Mutex] {
            let why = damage(kind, &content);
            assert!(why.ends_with(&format!("; it is {what}")), "{kind:?}: {why}");
        }
    }
    // Nothing is said of what is only damaged.
    assert!(!damage(Kind::Heap, b"heap profile: nothing\n").contains("; it is"));
}

#[test]
fn a_profile_that_is_not_packed_is_a_profile() {
    let plain = golden("small/heap.pb");
    for kind in [Kind::Cpu, Kind::Heap, Kind::Goroutine] {
        let served = read(kind, plain.as_slice(), std::io::sink()).expect("memory can be read");
        assert!(
            matches!(served, Served::Profile(summary) if summary.samples > 0),
            "{kind:?}"
        );
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut output = GzEncoder::new(Vec::new(), Compression::default());
    output.write_all(content).expect("memory");
    output.finish().expect("memory")
}

const HEAP: &str = "heap profile: 3: 192 [6: 384] @ heap/1048576\n";
const STATS: &str = "\n# runtime.MemStats\n# Alloc = 1\n# DebugGC = false\n";

fn record(name: &str) -> String {
    format!("1: 64 [2: 128] @ 0x401234\n#\t0x401233\tmain.{name}+0x13\tmain/f.go:7\n\n")
}

/// Frames are read by what came after them before, and so must be read where something else comes.
#[test]
fn a_frame_has_another_caller_in_each_stack() {
    let frame = |name: &str| format!("#\t0x40{}\tmain.{name}+0x13\tmain/f.go:7\n", name.len());
    let wanted = [
        "f g", "f h", "f g", "f", "f g hh", "f gg", "f g", "f f f", "f f g", "h f g", "g f",
    ];
    let record = |stack: &&str| {
        let frames: String = stack.split(' ').map(frame).collect();
        format!("1 1 @ 0x401234\n{frames}\n")
    };
    let records: String = wanted.iter().map(record).collect();
    let text = format!("--- mutex:\ncycles/second=1000000\nsampling period=1\n{records}");
    for text in [
        text.clone(),
        text.replace('\n', "\r\n"),
        text.replace("\n\n", "\n"),
    ] {
        let parsed = parse(Kind::Mutex, text.as_bytes());
        assert_eq!(problems(&parsed), [""; 0]);
        let stacks = stacks(&converted(&parsed)).into_iter();
        let stacks: Vec<_> = stacks
            .map(|stack| stack.join(" ").replace("main.", ""))
            .collect();
        assert_eq!(stacks, wanted);
    }
}

#[test]
fn one_bad_record_leaves_the_others() {
    let (f, g, h) = (record("f"), record("g"), record("h"));
    let long = "x".repeat(100_000);
    let spoilt: [(String, &str); 7] = [
        (
            g.replace("1: 64", "1: six"),
            "it is no record of allocations",
        ),
        (
            g.replace("[2:", "[99999999999999999999:"),
            "it is no record of allocations",
        ),
        (g.replace("0x401233", "0xyz"), "it is no frame"),
        (g.replace("main.g", "main\0g"), "it has a NUL"),
        (
            g.replace("main.g", "main.\x1bg"),
            "its names are not UTF-8, or have control characters",
        ),
        (g.replace("main.g", &long), "it is longer than 65536 bytes"),
        (g.replace("#\t", "!\t"), "it is no frame"),
    ];
    for (bad, reason) in spoilt {
        for kind in [Kind::Heap, Kind::Allocs] {
            let parsed = parse(kind, format!("{HEAP}{f}{bad}{h}{STATS}").as_bytes());
            let stacks: Vec<_> = stacks(&converted(&parsed)).concat();
            assert_eq!(stacks, ["main.f", "main.h"], "{reason}");
            let partial = parsed.partial.expect("it is partial");
            assert_eq!((partial.left_out, partial.slight), (1, false), "{reason}");
            assert!(
                partial.why.starts_with("1 of 3 records left out"),
                "{}",
                partial.why
            );
            assert!(partial.why.ends_with(reason), "{}", partial.why);
        }
    }
}

#[test]
fn one_bad_goroutine_leaves_the_others() {
    let goroutine = |name| format!("goroutine 7 [select]:\nmain.{name}()\n\tf.go:7 +0x1\n\n");
    let (f, g, h) = (goroutine("f"), goroutine("g"), goroutine("h"));
    for (bad, reason) in [
        (
            g.replace("[select]", "select"),
            "it is no header of a goroutine",
        ),
        (
            g.replace("f.go:7", "f.go"),
            "it is no place in a source file",
        ),
        (
            g.replace("main.g", "main.\x1bg"),
            "its names are not UTF-8, or have control characters",
        ),
        (g.replace("f.go", "f\0go"), "it has a NUL"),
    ] {
        // The empty line between two goroutines may be lost, too.
        for end in ["\n\n", "\n"] {
            let bad = bad.replace("\n\n", end);
            let parsed = parse(Kind::Goroutine, format!("{f}{bad}{h}").as_bytes());
            let stacks: Vec<_> = stacks(&converted(&parsed)).concat();
            assert_eq!(stacks, ["main.f", "main.h"], "{reason}");
            let partial = parsed.partial.expect("it is partial");
            assert_eq!(partial.left_out, 1, "{reason}");
            assert!(partial.why.ends_with(reason), "{}", partial.why);
        }
    }
}

#[test]
fn little_left_out_is_slight_and_more_than_half_is_damage() {
    let good = "1 @ 0x1\n#\t0x1\tmain.f+0x1\tf.go:7\n\n";
    let text = |good_ones, bad_ones| {
        let bad = "1 @ 0x1\n#\tbad\n\n".repeat(bad_ones);
        format!(
            "threadcreate profile: total 9\n{}{bad}",
            good.repeat(good_ones)
        )
    };
    for (good_ones, bad_ones, slight) in
        [(99, 1, true), (98, 1, false), (198, 2, true), (2, 2, false)]
    {
        let parsed = parse(Kind::Threadcreate, text(good_ones, bad_ones).as_bytes());
        let partial = parsed.partial.expect("it is partial");
        assert_eq!(partial.left_out, bad_ones as u64);
        assert_eq!(partial.slight, slight, "{bad_ones} bad, {good_ones} good");
    }
    let parsed = parse(Kind::Threadcreate, text(2, 3).as_bytes());
    assert!(parsed.profile.is_none());
    assert_eq!(problems(&parsed), ["line 9: it is no frame"]);
}
