//! The rules of docs/architecture.md and CONTRIBUTING.md about the source, held.

mod documents;
mod graph;
mod imports;
mod layers;
mod phases;
mod source;
mod spelling;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cluster_profiler_job::run::phase::Phase;
use source::Tree;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The helpers' crates.
const HELPERS: [&str; 4] = [
    "bench/src",
    "bench/src/bin/peer",
    "bucket/src",
    "standin/src",
];

const ARCHITECTURE: &str = include_str!("../../docs/architecture.md");

/// The runner's files.
fn runner() -> Tree {
    source::read(&Path::new(ROOT).join("src"))
}

/// Fails with all faults at once.
fn hold(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn imports_point_to_lower_layers() {
    let layers = layers::table(ARCHITECTURE);
    let tree = runner();
    hold(layers::faults(&layers, &tree));
    let seen = tree.iter().map(|(name, file)| imports::paths(name, file));
    let seen: usize = seen.map(|paths| paths.len()).sum();
    assert!(seen > 200, "only {seen} imports were seen");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    hold(graph::faults(&runner()));
}

#[test]
fn the_helpers_keep_the_rules_that_are_theirs_too() {
    let rules = [
        graph::faults,
        spelling::tuple_parameters,
        spelling::matches_on_bools,
    ];
    let mut faults = Vec::new();
    for helper in HELPERS {
        let tree = source::read(&Path::new(ROOT).join("helpers").join(helper));
        let found = rules.iter().flat_map(|rule| rule(&tree));
        faults.extend(found.map(|fault| format!("helpers/{helper}: {fault}")));
    }
    hold(faults);
}

#[test]
fn a_run_is_not_deep() {
    hold(phases::depth_faults(&runner()));
}

#[test]
fn every_phase_is_one_file_that_only_the_run_enters() {
    hold(phases::faults(&runner(), &Phase::ALL.map(Phase::name)));
}

#[test]
fn the_document_has_every_phase_with_its_file_and_its_undo() {
    let rows = Phase::ALL.map(|phase| phases::Row::new(phase.name(), phase.undo()));
    hold(phases::table_faults(ARCHITECTURE, rows.into()));
}

#[test]
fn files_are_few_and_short() {
    hold(spelling::sizes(&runner()));
}

#[test]
fn the_source_is_spelled_by_the_rules() {
    let tree = runner();
    let rules = [
        spelling::durations,
        spelling::aws_types,
        spelling::variables,
        spelling::tuple_parameters,
        spelling::matches_on_bools,
    ];
    hold(rules.iter().flat_map(|rule| rule(&tree)).collect());
}

#[test]
fn documents_name_files_that_exist() {
    let places = [PathBuf::from(ROOT), Path::new(ROOT).join("src")];
    let exists = |name: &str| places.iter().any(|place| place.join(name).exists());
    let documents = [
        ARCHITECTURE,
        include_str!("../../README.md"),
        include_str!("../../CONTRIBUTING.md"),
    ];
    let named: BTreeSet<_> = documents.into_iter().flat_map(documents::files).collect();
    let gone = named.into_iter().filter(|name| !exists(name));
    hold(gone.map(|name| format!("there is no {name}")).collect());
}
