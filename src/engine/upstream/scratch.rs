//! The program's directory in the temporary one, and those that runs left that were killed.

use std::io;

use tempfile::TempDir;

use crate::archive::Spool;

/// The beginning of a directory's name, before the run's.
const PREFIX: &str = "cluster-profiler-dump-";

/// What stands between the run's name, which has none, and some random letters.
const SEPARATOR: char = '_';

/// Makes the directory of a run.
///
/// # Errors
/// It cannot be made.
pub(super) fn make(spool: &Spool) -> io::Result<TempDir> {
    TempDir::with_prefix_in(prefix_of_run(spool), spool.temporary())
}

fn prefix_of_run(spool: &Spool) -> String {
    format!("{PREFIX}{}{SEPARATOR}", spool.root())
}

/// Removes directories of this run, which has the cluster's lock and has made none yet, and of any run if they are
/// older than a day. One that cannot be removed is in nobody's way but for its size: it is warned of.
pub(in crate::engine) fn remove_abandoned(spool: &Spool) {
    let of_run = prefix_of_run(spool);
    spool.remove_abandoned(PREFIX, |name| name.starts_with(&of_run));
}
