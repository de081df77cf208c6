//! The types of a checked configuration that are about the window.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::pprof::Kind;

/// The times that end profiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowConfig {
    /// How long the window stays open: from its beginning, after the stop file, or once the instances are Running.
    pub settle: Duration,
    /// Whether the settle duration begins with the stop file, because the user named one.
    pub settle_after_stop_file: bool,
    /// The number of virtual machine instances that have to be Running before the settle duration begins, if the
    /// user named one.
    pub until_vmis_running: Option<u32>,
    /// The window's longest length, whatever else happens.
    pub max: Duration,
}

impl WindowConfig {
    /// Whether the settle duration begins with the window, because nothing else begins it.
    pub fn settles_from_the_beginning(&self) -> bool {
        !self.settle_after_stop_file && self.until_vmis_running.is_none()
    }
}

/// The virtual machine instances that are followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VmiConfig {
    /// Their namespace; `None` is all.
    pub namespace: Option<String>,
    /// The selector of their labels; `None` is all.
    pub selector: Option<String>,
}

/// Dumps within the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// From one to the next.
    pub every: Duration,
    /// The kinds of profile that are kept.
    pub kinds: BTreeSet<Kind>,
}
