//! `diff`: the numbers of runs against those of comparable runs before, with a verdict where there are enough.

mod accepted;
mod comparable;
mod document;
mod functions;
mod functions_table;
mod history;
mod judged;
mod junit;
mod note;
mod orion;
mod outliers;
mod quantity;
mod table;

pub use accepted::Accepted;
pub use comparable::{UNKNOWN, incomplete};
pub use document::{
    Compared, Diff, DiffRun, LeftOut, NotComparable, NotMeasured, PassedOver, Word,
};
pub use functions::{ChangedFunction, FunctionShare, Moved, NumberFunctions, ScatterWord};
pub use history::{History, before, newest, two};
pub use judged::diff;
pub use junit::junit;
pub use note::note;
pub use orion::orion;
pub use outliers::PodOutlier;
pub use quantity::{shown_name, shown_value};
pub use table::{headline, table, word};
