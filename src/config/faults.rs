//! What is wrong with the environment, all of it.

use std::time::Duration;

use super::parse::duration;
use super::variable::PREFIX;

/// Collects faults by the variable's name.
pub(super) struct Faults(pub(super) Vec<String>);

impl Faults {
    /// The variable's value, understood by `parse`, or `None` where it is unset or faulty.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        value: Option<&String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(value?).map_err(|fault| self.add(name, &fault)).ok()
    }

    /// The variable's duration, or the default where it is unset or faulty.
    pub(super) fn duration(
        &mut self,
        name: &str,
        value: Option<&String>,
        default: Duration,
    ) -> Duration {
        self.read(name, value, duration).unwrap_or(default)
    }

    pub(super) fn add(&mut self, name: &str, fault: &str) {
        self.0.push(format!("{PREFIX}{name}: {fault}"));
    }
}
