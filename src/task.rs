//! Tasks and blocking threads that are waited for.

use tokio::task::JoinError;

/// A task's result. Its panic goes on here: a defect must end the run, not a thread.
pub fn joined<T>(result: Result<T, JoinError>) -> T {
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
