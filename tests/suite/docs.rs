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

/// Names of our variables in a text, in full.
fn variables_in(text: &str) -> Vec<String> {
    let names = text.split("PROFILER_").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit()));
        format!("PROFILER_{}", &rest[..end.unwrap_or(rest.len())])
    });
    names.filter(|name| name != "PROFILER_").collect()
}

#[test]
fn messages_and_documents_name_variables_that_exist() {
    assert_eq!(
        variables_in("set PROFILER_KEEP=3, PROFILER_"),
        ["PROFILER_KEEP"]
    );
    let mut folders = vec![env!("CARGO_MANIFEST_DIR").to_owned() + "/src"];
    folders.push(env!("CARGO_MANIFEST_DIR").to_owned() + "/docs");
    let mut texts = vec![README.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path.display().to_string());
            } else if path.extension().is_none_or(|of| of != "png") {
                texts.push(std::fs::read_to_string(path).expect("a text"));
            }
        }
    }
    let known: Vec<_> = VARIABLES.iter().map(Variable::name).collect();
    for name in texts.iter().flat_map(|text| variables_in(text)) {
        assert!(known.contains(&name), "there is no {name}");
    }
}
