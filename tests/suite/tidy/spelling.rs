//! Rules that a file keeps or breaks by itself.

use super::source::Tree;

/// Lines that a file may have.
const LINES: usize = 300;

/// Files that the runner may have.
const FILES: usize = 280;

/// Words in a constant's name that make it a limit.
const LIMITS: [&str; 6] = ["TRIES", "ATTEMPTS", "PAUSE", "TIMEOUT", "INTERVAL", "WAIT"];

/// Files that are too long, and too many files.
pub(super) fn sizes(tree: &Tree) -> Vec<String> {
    let long = tree.iter().filter(|(_, file)| file.lines > LINES);
    let mut faults: Vec<_> = long
        .map(|(name, file)| format!("{name} has {} lines, more than {LINES}", file.lines))
        .collect();
    if tree.len() > FILES {
        faults.push(format!("{} files, more than {FILES}", tree.len()));
    }
    faults
}

/// Times and tries that no user sets, elsewhere than in `limits.rs`; a setting's default is in `config`.
pub(super) fn durations(tree: &Tree) -> Vec<String> {
    lines(tree, "a limit that belongs in limits.rs", |name, line| {
        let literal = line.split("Duration::from_").skip(1).any(|call| {
            let argument = call.split_once('(').map_or("", |(_, argument)| argument);
            argument.starts_with(|c: char| c.is_ascii_digit())
        });
        let constant = line
            .split_once("const ")
            .and_then(|(_, rest)| rest.split_once(": "));
        let constant = constant.is_some_and(|(constant, of)| {
            let of = of.split([' ', ';']).next().unwrap_or_default();
            of.ends_with("Duration") || LIMITS.iter().any(|limit| constant.contains(limit))
        });
        let of = name.split('/').next().unwrap_or_default();
        let allowed = of == "limits" || of == "config";
        (literal || constant) && !allowed
    })
}

/// Types of the AWS SDK elsewhere than in the S3 destination.
pub(super) fn aws_types(tree: &Tree) -> Vec<String> {
    lines(tree, "the AWS SDK outside destination/s3", |name, line| {
        let paths = line.split("::");
        let named = paths.take(line.matches("::").count()).any(|path| {
            let word = path
                .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next();
            word.is_some_and(|word| word.starts_with("aws_"))
        });
        named && !name.starts_with("destination/s3")
    })
}

/// Variables that are read elsewhere than in `main.rs`, which hands them to `config`.
pub(super) fn variables(tree: &Tree) -> Vec<String> {
    lines(
        tree,
        "a variable that only config may read",
        |name, line| line.contains("env::var") && name != "main",
    )
}

/// `match` on a bool, where `if` says the same.
pub(super) fn matches_on_bools(tree: &Tree) -> Vec<String> {
    lines(tree, "a match on a bool", |_, line| {
        let line = line.trim_start();
        line.starts_with("true =>") || line.starts_with("false =>")
    })
}

fn lines(tree: &Tree, what: &str, is_fault: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, file) in tree {
        for (at, line) in file.code.lines().enumerate() {
            if is_fault(name, line) {
                faults.push(format!("{name}.rs:{}: {what}", at + 1));
            }
        }
    }
    faults
}

/// Functions with a parameter that is taken apart as a tuple.
pub(super) fn tuple_parameters(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, file) in tree {
        for (at, _) in file.code.match_indices("fn ") {
            let function = &file.code[at + "fn ".len()..];
            if parameters(function).into_iter().any(is_tuple) {
                let line = file.code[..at].matches('\n').count() + 1;
                faults.push(format!("{name}.rs:{line}: a tuple for a parameter"));
            }
        }
    }
    faults
}

fn is_tuple(parameter: &str) -> bool {
    parameter
        .trim_start_matches(['&', ' ', '\n'])
        .starts_with('(')
}

/// The parameters of `name<…>(…)`.
fn parameters(function: &str) -> Vec<&str> {
    let (mut depth, mut generic) = (0, 0);
    let (mut begin, mut found) = (0, Vec::new());
    let mut previous = ' ';
    for (at, c) in function.char_indices() {
        match c {
            '<' => generic += 1,
            '>' if previous != '-' => generic -= 1,
            '(' | '[' | '{' => {
                depth += 1;
                if depth == 1 && generic == 0 {
                    begin = at + 1;
                }
            }
            ')' if depth == 1 && generic == 0 => {
                found.push(&function[begin..at]);
                break;
            }
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 1 && generic == 0 => {
                found.push(&function[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
        previous = c;
    }
    found
}

#[test]
fn sizes_are_seen() {
    let long = "\n".repeat(LINES + 1);
    let mut tree = super::source::tree([("a", &long), ("b", "")]);
    assert_eq!(sizes(&tree), ["a has 301 lines, more than 300"]);
    for number in 0..FILES {
        tree.insert(format!("c{number}"), super::source::file(""));
    }
    assert_eq!(sizes(&tree).len(), 2);
}

#[test]
fn limits_out_of_their_place_are_seen() {
    let text = "fn f() { Duration::from_secs(5 * 60); Duration::from_secs(seconds); }
        SignedDuration::from_mins(1);
        const LIFE: std::time::Duration = limits::LIFE;
        pub const TRIES: usize = 5;
        const NAME: &str = a;
        let life: Duration = life;";
    let tree = super::source::tree([("a", text), ("config/types", text), ("limits", text)]);
    let of = "a limit that belongs in limits.rs";
    let expected = [1, 2, 3, 4].map(|line| format!("a.rs:{line}: {of}"));
    assert_eq!(durations(&tree), expected);
}

#[test]
fn the_aws_sdk_out_of_its_place_is_seen() {
    let text = "use aws_sdk_s3::Client;\nlet aws_region = other::f();\nfn f(a: &aws_types::A) {}";
    let tree = super::source::tree([("config/s3", text), ("destination/s3/client", text)]);
    let of = "the AWS SDK outside destination/s3";
    let expected = [1, 3].map(|line| format!("config/s3.rs:{line}: {of}"));
    assert_eq!(aws_types(&tree), expected);
}

#[test]
fn a_variable_that_is_read_out_of_its_place_is_seen() {
    let text = "let all = std::env::vars_os();";
    let tree = super::source::tree([("a", text), ("main", text)]);
    assert_eq!(
        variables(&tree),
        ["a.rs:1: a variable that only config may read"]
    );
}

#[test]
fn a_match_on_a_bool_is_seen() {
    let text = "match a {\n    true => 1,\n    false => 2,\n}\nmatch b { Some(true) => 1 }";
    let tree = super::source::tree([("a", text)]);
    assert_eq!(
        matches_on_bools(&tree),
        ["a.rs:2: a match on a bool", "a.rs:3: a match on a bool"]
    );
}

#[test]
fn a_tuple_for_a_parameter_is_seen() {
    let text = "fn good(a: (A, B), b: impl Fn(A, B) -> C) { let (a, b): (A, B) = c; }
        fn one<E: Fn((A, B)) -> C>(a: A, (b, c): (B, C)) {}
        fn two(
            &(a, b): &(A, B),
        ) {}
        fn three((a, b): Both) {}";
    let tree = super::source::tree([("a", text)]);
    let expected = [2, 3, 6].map(|line| format!("a.rs:{line}: a tuple for a parameter"));
    assert_eq!(tuple_parameters(&tree), expected);
}
