//! The manifest's types for what changed against the runs before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::verdict::Verdict;

/// A verdict.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// It did not change by as much as matters.
    Unchanged,
    /// Neither a change nor the absence of one is shown.
    Inconclusive,
    /// It fell.
    Improvement,
    /// There is no earlier run that can be compared.
    NotComparable,
    /// It rose.
    Regression,
}

impl Word {
    /// The verdict as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotComparable => "not-comparable",
            Self::Unchanged => Verdict::Unchanged.word(),
            Self::Inconclusive => Verdict::Inconclusive.word(),
            Self::Improvement => Verdict::Improvement.word(),
            Self::Regression => Verdict::Regression.word(),
        }
    }

    /// Whether it says that something changed.
    pub fn is_change(self) -> bool {
        match self {
            Self::Regression | Self::Improvement => true,
            Self::Unchanged | Self::Inconclusive | Self::NotComparable => false,
        }
    }
}

impl From<Verdict> for Word {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Regression => Self::Regression,
            Verdict::Improvement => Self::Improvement,
            Verdict::Unchanged => Self::Unchanged,
            Verdict::Inconclusive => Self::Inconclusive,
        }
    }
}

/// What changed against the comparable runs before, as the run itself saw it at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunComparison {
    /// What is said of all numbers together: the gravest of their verdicts. None, if there is none of any.
    pub verdict: Option<Word>,
    /// Whether a change is more than suspected: the run before shows it, too.
    pub confirmed: bool,
    /// The same in one line, for a person, with what changed, or why there is no verdict.
    pub summary: String,
    /// How many comparable runs before it was held against.
    pub earlier_runs: usize,
    /// The run whose level was accepted as the new normal, with which these begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// The numbers that changed.
    pub changed: Vec<ChangedNumber>,
}

/// A number that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedNumber {
    /// The component whose pods it is of, together; none if it is of virtual machine instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// What it is, with its unit.
    pub name: String,
    /// That of this run.
    pub new: f64,
    /// The median of the earlier runs.
    pub earlier: f64,
    /// The former by the latter.
    pub ratio: f64,
    /// What is said of it.
    pub verdict: Word,
    /// Whether that is more than suspected.
    pub confirmed: bool,
}

impl RunComparison {
    /// Whether something is worse for sure.
    pub fn is_confirmed_regression(&self) -> bool {
        let mut changed = self.changed.iter();
        changed.any(|number| number.verdict == Word::Regression && number.confirmed)
    }

    /// The verdict in two words at most, such as `regression, suspected`; `none` where there is none.
    pub fn short(&self) -> String {
        let Some(verdict) = self.verdict else {
            return "none".to_owned();
        };
        if !verdict.is_change() {
            return verdict.name().to_owned();
        }
        let sure = if self.confirmed {
            "confirmed"
        } else {
            "suspected"
        };
        format!("{}, {sure}", verdict.name())
    }
}
