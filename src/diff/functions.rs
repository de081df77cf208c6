//! What `diff --functions` says, and how it is told.

use schemars::JsonSchema;
use serde::Serialize;

use crate::component::Component;

/// The functions of a number of a component.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NumberFunctions {
    /// The component.
    pub component: Component,
    /// The number's name.
    pub name: &'static str,
    /// Of how many earlier runs the profiles were read.
    pub earlier_runs: usize,
    /// Of how many new runs.
    pub new_runs: usize,
    /// Where it is known from how much functions scatter without any change.
    pub scatter: ScatterWord,
    /// How many functions were tested.
    pub tested: usize,
    /// How many functions have too few samples.
    pub too_few_samples: usize,
    /// What those have of the new runs' cost, by themselves, from 0 to 1.
    pub too_few_samples_share: f64,
    /// How many functions changed.
    pub changed: usize,
    /// They: those that explain most come first, those whose cost only moved come last. 20 at most.
    pub functions: Vec<ChangedFunction>,
}

/// Where it is known from how much functions scatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScatterWord {
    /// From the earlier runs.
    Runs,
    /// From the pods of each earlier run, for these are too few. What differs between runs is not known.
    Pods,
    /// From the number of samples alone. What differs between pods or runs is not known.
    Samples,
}

/// A function that changed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ChangedFunction {
    /// Its name, without versions of modules, type arguments, and numbers of closures.
    pub name: String,
    /// What it costs by itself.
    #[serde(rename = "self")]
    pub own: FunctionShare,
    /// What it costs with all that it calls.
    pub cumulative: FunctionShare,
    /// Where the cost came from or went to, if it only moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
}

/// What a function has of a number.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FunctionShare {
    /// Its share in the earlier runs, from 0 to 1.
    pub earlier: f64,
    /// Its share in the new runs.
    pub new: f64,
    /// Whether it changed.
    pub changed: bool,
    /// New cost by earlier cost, beside the level of all functions together, if there are enough samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// The 95 % interval of the ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The share of false ones among all functions whose number here is as small or smaller (Benjamini and Hochberg).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<f64>,
}

/// A cost that moved between functions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moved {
    /// The function or package whose cost as a whole did not change.
    pub within: String,
    /// The functions that the cost came from or went to.
    pub other: Vec<String>,
}
