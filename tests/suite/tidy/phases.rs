//! The shape of a run: its phases, and how deep a reader has to go.

use std::collections::BTreeSet;

use super::source::Tree;
use super::{documents, graph, imports};

/// Files of `run/` that a chain of imports may have.
const DEPTH: usize = 5;

const FOLDER: &str = "run/phases/";

/// A chain of imports in `run/` that is too long.
pub(super) fn depth_faults(tree: &Tree) -> Vec<String> {
    let mut graph = graph::graph(tree);
    graph.retain(|name, _| name.starts_with("run/"));
    for files in graph.values_mut() {
        files.retain(|file| file.starts_with("run/"));
    }
    let chain = graph::longest_chain(&graph);
    let (length, chain) = (chain.len(), chain.join(" -> "));
    let fault = format!("a chain of {length} files, more than {DEPTH}: {chain}");
    (length > DEPTH).then_some(fault).into_iter().collect()
}

/// Phases without a file, files of no phase, phases that import each other, and phases that are entered
/// elsewhere than in `run.rs`.
pub(super) fn faults(tree: &Tree, phases: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let files = tree.keys().filter_map(|name| name.strip_prefix(FOLDER));
    let files: BTreeSet<_> = files.collect();
    let wanted: BTreeSet<_> = phases.iter().copied().collect();
    let lacking = wanted.difference(&files);
    faults.extend(lacking.map(|phase| format!("there is no {FOLDER}{phase}.rs")));
    let others = files.difference(&wanted);
    faults.extend(others.map(|name| format!("{FOLDER}{name}.rs is no phase")));
    for (name, file) in tree {
        let phase = name.starts_with(FOLDER);
        for other in imports::files(tree, name) {
            if phase && other.starts_with(FOLDER) {
                faults.push(format!("{name} imports {other}, which is another phase"));
            }
        }
        if name != "run" && entered(&file.code).next().is_some() {
            faults.push(format!("{name} enters a phase, which only run.rs may"));
        }
    }
    let run = tree.get("run").map_or("", |file| &file.code);
    let entered: BTreeSet<_> = entered(run).map(str::to_lowercase).collect();
    // A run begins in the first.
    let never = phases
        .iter()
        .skip(1)
        .filter(|phase| !entered.contains(**phase));
    faults.extend(never.map(|phase| format!("run.rs does not enter {phase}")));
    faults
}

/// A phase as its row in the document tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) phase: String,
    pub(super) file: String,
    pub(super) undo: String,
}

impl Row {
    /// The row of a phase that these steps undo.
    pub(super) fn new(phase: &str, steps: &[impl std::fmt::Debug]) -> Self {
        let steps: Vec<_> = steps.iter().map(|step| format!("`{step:?}`")).collect();
        let undo = if steps.is_empty() {
            "nothing".to_owned()
        } else {
            steps.join(" ")
        };
        Self {
            phase: format!("`{phase}`"),
            file: format!("`{FOLDER}{phase}.rs`"),
            undo,
        }
    }
}

/// Rows of the document's table that are not as the code has them.
pub(super) fn table_faults(document: &str, phases: Vec<Row>) -> Vec<String> {
    let rows = documents::rows(document, "| phase | file | what it changes");
    let rows: Vec<_> = rows
        .into_iter()
        .map(|cells| Row {
            phase: cells[0].clone(),
            file: cells[1].clone(),
            undo: cells[3].clone(),
        })
        .collect();
    let wrong = rows.iter().filter(|row| !phases.contains(row));
    let lacking = phases.iter().filter(|phase| !rows.contains(phase));
    let mut faults: Vec<_> = wrong
        .map(|row| format!("the document has {row:?}"))
        .chain(lacking.map(|phase| format!("the document lacks {phase:?}")))
        .collect();
    if faults.is_empty() && rows != phases {
        faults.push("the document's phases are in another order".to_owned());
    }
    faults
}

/// What `.enter(…)` is called with; a phase is its last word.
fn entered(code: &str) -> impl Iterator<Item = &str> {
    let calls = code.split(".enter(").skip(1);
    let arguments = calls.filter_map(|call| call.split(')').next());
    arguments
        .filter(|argument| !argument.is_empty())
        .filter_map(|argument| argument.trim().rsplit("::").next())
}

#[test]
fn a_run_that_is_too_deep_is_seen() {
    let tree = super::source::tree([
        ("run", "use a::A;"),
        ("run/a", "use super::b::B;"),
        ("run/b", "use super::c::C;"),
        ("run/c", "use super::d::D;"),
        ("run/d", "use super::e::E;"),
        ("run/e", "use super::f::F; use crate::below::G;"),
        ("run/f", ""),
        ("below", ""),
    ]);
    let chain = "run/a -> run/b -> run/c -> run/d -> run/e -> run/f";
    let expected = format!("a chain of 6 files, more than 5: {chain}");
    assert_eq!(depth_faults(&tree), [expected]);
}

#[test]
fn a_phase_out_of_its_place_is_seen() {
    let tree = super::source::tree([
        ("run", "fn f() { clock.enter(Phase::Stop); }"),
        ("run/phases/lock", ""),
        ("run/phases/start", ""),
        ("run/phases/stop", "use super::lock::Lock;"),
        (
            "run/other",
            "fn f() { clock.enter(next); runtime.enter(); }",
        ),
    ]);
    let faults = faults(&tree, &["lock", "stop", "dump"]);
    assert_eq!(
        faults,
        [
            "there is no run/phases/dump.rs",
            "run/phases/start.rs is no phase",
            "run/other enters a phase, which only run.rs may",
            "run/phases/stop imports run/phases/lock, which is another phase",
            "run.rs does not enter dump",
        ]
    );
}

#[test]
fn a_row_that_is_not_as_the_code_has_it_is_seen() {
    #[derive(Debug)]
    enum Undo {
        Unlock,
    }
    let table = |stop: &str| {
        format!(
            "| phase | file | what it changes | what undoes it |\n|---|---|---|---|\n\
             | `lock` | `run/phases/lock.rs` | a | `Unlock` |\n\
             | `stop` | `run/phases/{stop}.rs` | a | nothing |\n"
        )
    };
    let none: [Undo; 0] = [];
    let phases = || vec![Row::new("lock", &[Undo::Unlock]), Row::new("stop", &none)];
    assert_eq!(table_faults(&table("stop"), phases()), [""; 0]);
    assert_eq!(table_faults(&table("start"), phases()).len(), 2);
}
