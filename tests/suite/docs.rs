//! What the documents say is what the program does.

use cluster_profiler_job::config::{VARIABLES, Variable};
use cluster_profiler_job::manifest::Manifest;
use cluster_profiler_job::outcome::ExitCode;

use crate::harness::BINARY;

const README: &str = include_str!("../../README.md");

/// The rows of the README's table with this heading.
fn rows(heading: &str) -> Vec<String> {
    let after = README
        .split(&format!("## {heading}\n"))
        .nth(1)
        .expect("the heading");
    let section = after.split("\n## ").next().expect("a section");
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1);
    rows.map(str::to_owned).collect()
}

#[test]
fn the_environment_table_is_the_programs() {
    let row = |v: &Variable| format!("| `{}` | {} | {} |", v.name(), v.default, v.meaning);
    let expected: Vec<_> = VARIABLES.iter().map(row).collect();
    assert_eq!(
        rows("Environment"),
        expected,
        "make it:\n{}",
        expected.join("\n")
    );
}

#[test]
fn the_exit_code_table_is_the_programs() {
    let expected = ExitCode::ALL.map(|code| format!("| {} | {} |", code.number(), code.meaning()));
    assert_eq!(
        rows("Exit codes"),
        expected,
        "make it:\n{}",
        expected.join("\n")
    );
}

#[test]
fn help_has_both_tables() {
    let help = std::process::Command::new(BINARY)
        .arg("--help")
        .output()
        .expect("help");
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).expect("text");
    // It is wrapped for a terminal.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for variable in VARIABLES {
        assert!(help.contains(&variable.name()), "{}", variable.name());
    }
    for code in ExitCode::ALL {
        assert!(help.contains(code.meaning()), "{code:?}");
    }
}

#[test]
fn an_argument_that_is_none_is_a_usage_error() {
    let run = std::process::Command::new(BINARY)
        .arg("--dump")
        .output()
        .expect("an end");
    assert_eq!(run.status.code(), Some(i32::from(ExitCode::Usage.number())));
}

/// `BLESS=1 cargo test the_manifests_schema` writes it anew.
#[test]
fn the_manifests_schema_is_the_programs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/manifest.schema.json");
    let schema =
        serde_json::to_string_pretty(&schemars::schema_for!(Manifest)).expect("JSON") + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &schema).expect("the schema is written");
    }
    let checked_in = std::fs::read_to_string(path).expect("the schema is checked in");
    assert_eq!(
        checked_in, schema,
        "BLESS=1 cargo test the_manifests_schema writes it anew"
    );
}
