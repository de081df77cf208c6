//! What `diff` says, as `diff --json` writes it. Its JSON Schema is `docs/diff.schema.json`, generated from these types.

use schemars::JsonSchema;
use serde::Serialize;

use super::accepted::Accepted;
use super::functions::NumberFunctions;
use super::outliers::PodOutlier;
use super::quantity::{shown_name, shown_value};
use crate::component::Component;
pub use crate::manifest::Word;

/// The version of the format.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// New runs against earlier ones.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Diff {
    /// Version of this format.
    pub schema_version: u32,
    /// The new runs, the oldest first.
    pub new: Vec<DiffRun>,
    /// Runs that are newer than those and could not be judged, and why: the newest first, 50 at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<PassedOver>,
    /// The comparable runs before them, the oldest first.
    pub earlier: Vec<DiffRun>,
    /// The newest run whose level was accepted as the new normal, if there is one: no run before it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// What is said of all numbers together: the gravest of their verdicts. None, if there is none of any.
    pub verdict: Option<Word>,
    /// Whether a change is more than suspected: at least two new runs show it.
    pub confirmed: bool,
    /// Why there is no verdict, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_verdict: Option<String>,
    /// Each number, those that are tested first.
    pub numbers: Vec<Compared>,
    /// Numbers that cannot be compared as ratios, for they are zero in some run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Tested numbers that earlier runs have, and some new run has not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_measured: Vec<NotMeasured>,
    /// Pods of the newest run that are far from the others of their component.
    pub outliers: Vec<PodOutlier>,
    /// The functions of the numbers that changed, or of all if none did, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<NumberFunctions>>,
    /// Runs whose profiles could not be read, or not all, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<PassedOver>,
    /// Runs that are not comparable with the newest, and in what they differ: those that were looked at, 50 at most.
    pub not_comparable: Vec<NotComparable>,
    /// Runs that were passed over, and why: 50 at most.
    pub passed_over: Vec<PassedOver>,
}

/// A run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DiffRun {
    /// Its id.
    pub run_id: String,
    /// When its window began (RFC 3339, UTC).
    #[schemars(with = "String")]
    pub start: jiff::Timestamp,
    /// The KubeVirt version that was observed.
    pub kubevirt_version: Option<String>,
}

/// One number of the new runs against the earlier ones.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Compared {
    /// The component whose pods it is of, together; none if it is of virtual machine instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// What it is, with its unit.
    pub name: &'static str,
    /// The geometric mean of the new runs.
    pub new: f64,
    /// The median of the earlier runs.
    pub earlier: f64,
    /// The former by the latter.
    pub ratio: f64,
    /// Its values in the earlier runs that have it, the oldest first; one that is far from all others does not count.
    pub before: Vec<f64>,
    /// How many earlier runs count.
    pub runs: usize,
    /// The 95 % interval of the ratio, where there are enough earlier runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The chance that runs without any change differ as much, corrected for all tested numbers together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The smallest ratio that would have been called a regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_ratio: Option<f64>,
    /// What is said of it, if it is tested and there are enough earlier runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Word>,
    /// Whether a change is more than suspected.
    pub confirmed: bool,
}

/// A number that is zero in some run, and so has no ratio.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LeftOut {
    /// The component whose pods it is of, together; none if it is of virtual machine instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// What it is, with its unit.
    pub name: &'static str,
    /// That of the newest run.
    pub new: f64,
    /// The median of the earlier runs.
    pub earlier: f64,
}

impl LeftOut {
    /// What is said of it, for a person.
    pub fn shown(&self) -> String {
        let [earlier, new] = [self.earlier, self.new].map(|value| shown_value(self.name, value));
        format!(
            "{} {}: {earlier} before, {new} now; what is zero in some run has no ratio",
            self.component.map_or("VMIs", Component::name),
            shown_name(self.name)
        )
    }
}

/// A number that is not compared, for a new run has it not.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NotMeasured {
    /// The component whose pods it is of, together; none if it is of virtual machine instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// What it is, with its unit.
    pub name: &'static str,
}

impl NotMeasured {
    /// Which it is, for a person.
    pub fn shown(&self) -> String {
        let of = self.component.map_or("VMIs", Component::name);
        format!("{of} {}", shown_name(self.name))
    }
}

impl Diff {
    /// Where the numbers are missing that are not measured.
    pub fn where_missing(&self) -> &'static str {
        match self.new.as_slice() {
            [_] => "the newest run",
            _ => "all new runs",
        }
    }

    /// Whether a number is worse, for sure or, if that is asked for, by suspicion.
    pub fn is_failure(&self, on_suspicion: bool) -> bool {
        self.numbers
            .iter()
            .any(|number| number.is_failure(on_suspicion))
    }
}

impl Compared {
    /// Whether it is worse, for sure or, if that is asked for, by suspicion.
    pub(super) fn is_failure(&self, on_suspicion: bool) -> bool {
        self.verdict == Some(Word::Regression) && (self.confirmed || on_suspicion)
    }
}

/// A run whose numbers say nothing about those of the newest.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NotComparable {
    /// Its id.
    pub run_id: String,
    /// In what they differ first.
    pub field: String,
    /// That of the newest run.
    pub new: String,
    /// That of this run.
    pub earlier: String,
}

/// A run that was passed over.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PassedOver {
    /// Its id.
    pub run_id: String,
    /// Why.
    pub why: String,
}
