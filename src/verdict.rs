//! What changed in the numbers of new runs against those of earlier ones, and how sure that is: numbers in, verdicts
//! out. `docs/verdict.md` has the method, and what it reached on real nights.

mod comparison;
mod family;
mod functions;
mod outliers;
mod statistics;

pub use comparison::{Comparison, Series, Spread};
pub use family::{Judgement, Rules, Verdict, judge};
pub use functions::{
    FunctionChange, FunctionCost, Level, Scatter, ScatterOf, Totals, false_discovery,
};
pub use outliers::{OUTLIER_RULE, outliers};
pub(crate) use statistics::median;
