//! Patience with a destination where it has to be known what an earlier attempt left there.

use std::fmt;

use tokio::time::sleep;

use crate::cluster::call::Connection;
use crate::cluster::retry::{Outlook, persist};
use crate::config::RunId;
use crate::destination::DestinationError;

/// A try that is not believed yet.
#[derive(Debug)]
enum Doubted<T> {
    /// The place did not say what is there.
    Unknown(T),
    Failed(DestinationError),
}

impl<T> Doubted<T> {
    fn outlook(&self) -> Outlook {
        match self {
            Self::Failed(error) if !error.permanent => Outlook::MayPass,
            Self::Failed(_) | Self::Unknown(_) => Outlook::Refused,
        }
    }
}

impl<T> fmt::Display for Doubted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(_) => f.write_str("the destination does not say what is there"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// Tries again as long as a bucket is waited for where a run's data are at stake, or until the time is over. That
/// the place refuses, says nothing, or says what makes no sense, is believed when it was repeated: one server of many
/// may do so once, and a worse archive would take the place of what it has.
pub(super) async fn insist<T, F: Future<Output = Result<T, DestinationError>>>(
    connection: &Connection,
    run_id: &RunId,
    given_up: impl Future<Output = ()>,
    is_unknown: impl Fn(&T) -> bool,
    attempt: impl Fn() -> F,
) -> Result<T, DestinationError> {
    let limits = &connection.limits;
    let given_up = async {
        tokio::select! {
            () = given_up => {}
            () = sleep(limits.bucket.patience) => {}
        }
    };
    let attempt = || async {
        // A request to a bucket is a large future, and there may be two at once.
        match Box::pin(attempt()).await {
            Ok(seen) if is_unknown(&seen) => Err(Doubted::Unknown(seen)),
            tried => tried.map_err(Doubted::Failed),
        }
    };
    let tried = persist(
        limits,
        &connection.waits,
        given_up,
        Doubted::outlook,
        attempt,
    );
    match tried.await {
        Ok(seen) | Err(Some(Doubted::Unknown(seen))) => Ok(seen),
        Err(Some(Doubted::Failed(error))) => Err(error),
        Err(None) => Err(DestinationError {
            action: "look for",
            object: format!("the run {run_id}"),
            detail: "the destination did not answer in time".to_owned(),
            permanent: false,
        }),
    }
}
