//! docs/faults.md: what becomes of a run that a fault strikes, for every fault and every phase. Each test
//! makes one of its tables, and holds every cell to what must hold whatever happens.
//!
//! `BLESS=1 cargo test fault_table` writes the tables anew.

mod api;
mod bucket;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cluster_profiler_job::engine::configured;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::{Manifest, State};
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::phase::Phase;
use cluster_profiler_job::run::run_with;
use serde_json::Value;
use standin::{Options, Standin};
use tokio::sync::mpsc;

use crate::harness::Place;
use crate::lock::record;

/// Runs that are under way at once.
const AT_ONCE: usize = 6;

/// What became of a run: its exit codes, one for each attempt.
type Codes = Vec<u8>;

/// A table: its rows are faults, its columns what they strike, and a cell has what became of each run.
#[derive(Default)]
struct Table {
    cells: BTreeMap<(usize, usize), BTreeSet<Codes>>,
}

impl Table {
    fn note(&mut self, row: usize, column: usize, codes: Codes) {
        self.cells.entry((row, column)).or_default().insert(codes);
    }

    fn markdown(&self, rows: &[&str], columns: &[&str]) -> String {
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
fn assert_documented(name: &str, table: &str) {
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
    assert_eq!(
        there, table,
        "BLESS=1 cargo test fault_table writes it anew"
    );
}

/// Pauses and limits a hundred times shorter than the real ones, but for those that a busy machine needs.
fn scaled() -> Limits {
    let real = Limits::default();
    Limits {
        call: std::time::Duration::from_secs(4),
        first_pause: real.first_pause / 100,
        longest_pause: real.longest_pause / 100,
        ..real
    }
}

/// A cluster of four pods, of which two are dumped, with so much noise in their profiles, whose
/// profiler is off.
async fn cluster(cpu_padding: usize) -> Standin {
    let options = Options {
        gate: false,
        pods: 4,
        cpu_padding,
        ..Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

/// A short run that turns the profiler on and off again.
fn short_and_restoring(place: Place) -> Place {
    place
        .with("PROFILER_FEATURE_GATE", "enable-and-restore")
        .with("PROFILER_PREFLIGHT_RETRY", "10m")
        .with("PROFILER_COMPONENTS", "virt-controller,virt-handler")
        .with("PROFILER_CONCURRENCY", 1)
}

/// One attempt, in this process.
async fn attempt(place: &Place) -> u8 {
    let (_signals, receiver) = mpsc::channel(1);
    let code = run_with(place.variables(), receiver, scaled(), configured).await;
    code.number()
}

/// Attempts of a run, as a Job makes them: the first meets the faults that are set, and the others none.
async fn attempts(attempt: impl AsyncFn() -> u8, no_more_faults: impl Fn()) -> Codes {
    let mut codes = Vec::new();
    loop {
        let code = attempt().await;
        codes.push(code);
        let is_final = ExitCode::from_number(code).is_some_and(ExitCode::is_final);
        if is_final || codes.len() == 3 {
            return codes;
        }
        no_more_faults();
    }
}

/// What must hold after the last attempt, whatever happened.
fn assert_nothing_left(standin: &Standin, before: &Value, what: &str) {
    assert!(standin.profiling().is_empty(), "{what}: pods profile");
    assert_eq!(&standin.configuration(), before, "{what}: the gate");
    assert_eq!(record(standin), None, "{what}: the journal");
}

/// No data is lost: every pod is complete.
fn assert_complete(manifest: &Manifest, what: &str) {
    for pod in &manifest.pods {
        assert_eq!(pod.state, State::Complete, "{what}: {:?}", pod.why);
    }
    assert_eq!(manifest.pods.len(), 2, "{what}");
}

/// The names of the phases.
fn phases() -> Vec<&'static str> {
    Phase::ALL.iter().map(|phase| phase.name()).collect()
}
