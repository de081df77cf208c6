//! What people and other programs see of a run: log lines, progress, signal files, the Event, and the
//! message of its end.

pub(super) mod event;
pub(crate) mod log;
pub(super) mod progress;
pub(super) mod signal_files;
pub(super) mod termination;
