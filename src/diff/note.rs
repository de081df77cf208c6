//! What `diff` says, in short, as a run's manifest has it.

use super::document::{Compared, Diff};
use super::table::headline;
use crate::manifest::{ChangedNumber, RunComparison};

/// What a manifest says of a comparison.
pub fn note(diff: &Diff) -> RunComparison {
    RunComparison {
        verdict: diff.verdict,
        confirmed: diff.confirmed,
        summary: headline(diff),
        earlier_runs: diff.earlier.len(),
        accepted: diff.accepted.as_ref().map(|of| of.run_id.clone()),
        changed: diff.numbers.iter().filter_map(changed).collect(),
    }
}

fn changed(number: &Compared) -> Option<ChangedNumber> {
    let verdict = number.verdict.filter(|verdict| verdict.is_change())?;
    Some(ChangedNumber {
        component: number.component,
        name: number.name.to_owned(),
        new: number.new,
        earlier: number.earlier,
        ratio: number.ratio,
        verdict,
        confirmed: number.confirmed,
    })
}
