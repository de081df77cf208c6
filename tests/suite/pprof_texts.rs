//! Texts that a component, a person or something between them may hand in, and what becomes of each.

use std::path::Path;

use cluster_profiler_job::pprof::{Kind, Parsed, convert};

use crate::pprof_decode::{Decoded, converted};

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
