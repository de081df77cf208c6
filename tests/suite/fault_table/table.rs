//! A table of docs/faults.md, and what its rows share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::phase::Phase;

/// What became of a run: its exit codes, one for each attempt.
pub(crate) type Codes = Vec<u8>;

/// A table: its rows are faults, its columns what they strike, and a cell has what became of each run.
#[derive(Default)]
pub(crate) struct Table {
    cells: BTreeMap<(usize, usize), BTreeSet<Codes>>,
}

impl Table {
    pub(crate) fn note(&mut self, row: usize, column: usize, codes: Codes) {
        self.cells.entry((row, column)).or_default().insert(codes);
    }

    pub(crate) fn markdown(&self, rows: &[&str], columns: &[&str]) -> String {
        let mut text = format!("| fault | {} |\n", columns.join(" | "));
        text += &format!("|---|{}\n", "---|".repeat(columns.len()));
        for (row, name) in rows.iter().enumerate() {
            let cells = (0..columns.len()).map(|column| match self.cells.get(&(row, column)) {
                Some(ends) => ends
                    .iter()
                    .map(|codes| words(codes))
                    .collect::<Vec<_>>()
                    .join(", "),
                None => "–".to_owned(),
            });
            text += &format!("| {name} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
        }
        text
    }
}

fn words(codes: &[u8]) -> String {
    codes
        .iter()
        .map(u8::to_string)
        .collect::<Vec<_>>()
        .join(" → ")
}

/// Holds a table against the one of this name in docs/faults.md.
pub(crate) fn assert_documented(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    let text = std::fs::read_to_string(&path).expect("the document is checked in");
    let begin = format!("<!-- table: {name} -->\n");
    let (before, rest) = text.split_once(&begin).expect("the table's mark");
    let (there, after) = rest.split_once("<!-- end -->\n").expect("the table's end");
    if std::env::var_os("BLESS").is_some() {
        let text = format!("{before}{begin}{table}<!-- end -->\n{after}");
        std::fs::write(&path, text).expect("the document is written");
        return;
    }
    assert_eq!(there, table, "with BLESS=1 this test writes it anew");
}

/// Attempts of a run, as a Job makes them: the first ended so, and the others meet no fault.
pub(crate) async fn attempts(
    first: u8,
    next: impl AsyncFn() -> u8,
    no_more_faults: impl Fn(),
) -> Codes {
    let mut codes = vec![first];
    while codes.len() < 3 && !is_final(codes[codes.len() - 1]) {
        if codes.len() == 1 {
            no_more_faults();
        }
        codes.push(next().await);
    }
    codes
}

fn is_final(code: u8) -> bool {
    ExitCode::from_number(code).is_some_and(ExitCode::is_final)
}

/// The names of the phases.
pub(crate) fn phases() -> Vec<&'static str> {
    Phase::ALL.iter().map(|phase| phase.name()).collect()
}
