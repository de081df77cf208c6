//! Which of its destinations a run goes to.

use super::fault::Fault;
use crate::destination::Destination;

/// Where a run goes.
pub(super) struct Target<'a> {
    pub(super) destination: &'a Destination,
    /// Of the fallback: why the run is not where it should be.
    pub(super) instead: Option<&'a Fault>,
}
