//! Turning the profiler off again: putting back what was changed to turn it on.

use tokio::time::sleep;

use super::context::LockedCluster;
use crate::cluster::call::Connection;
use crate::cluster::install::Install;
use crate::cluster::lease::{Journal, LeaseError};
use crate::cluster::profiler::ProfilerState;
use crate::cluster::profiler_switch::{self, Mechanism, SwitchError};
use crate::cluster::retry::{Backoff, Outlook, persist};

/// The reason that a change is not put back.
#[derive(Debug, thiserror::Error)]
enum PutBackError {
    #[error(transparent)]
    Switch(#[from] SwitchError),
    #[error("that all pods have stopped cannot be noted: {0}")]
    Stopped(LeaseError),
    #[error("the gate is as it was, but the journal of it still says otherwise: {0}")]
    Journal(LeaseError),
}

impl PutBackError {
    /// A refusal may pass: to put back is worth all the time that there is for it.
    fn outlook(&self) -> Outlook {
        let outlook = match self {
            Self::Switch(error) => error.outlook(),
            Self::Stopped(error) | Self::Journal(error) => error.outlook(),
        };
        match outlook {
            Outlook::MayPass | Outlook::Refused => Outlook::MayPass,
            Outlook::Final => Outlook::Final,
        }
    }
}

/// Notes that no pod profiles any more, puts back what the journal says was changed, and waits until that has
/// taken effect, so that whoever comes next does not find the profiler on; `hurry` ends the waiting. Errors
/// that may pass, and refusals, are tried again for as long as a change of the gate may take, or until `given_up`
/// resolves.
/// What cannot be put back is returned, for a person.
pub(super) async fn turn_off(
    cluster: &LockedCluster,
    install: &Install,
    hurry: impl Future<Output = ()>,
    given_up: impl Future<Output = ()>,
) -> Option<String> {
    let Connection { limits, waits, .. } = &cluster.connection;
    let over = async {
        tokio::select! {
            () = sleep(limits.gate) => {}
            () = given_up => {}
        }
    };
    let restored = persist(limits, waits, over, PutBackError::outlook, || {
        put_back(cluster, install)
    });
    let mechanism = match restored.await {
        Ok(mechanism) => mechanism?,
        Err(Some(PutBackError::Journal(error))) => {
            return Some(PutBackError::Journal(error).to_string());
        }
        Err(Some(error)) => return left_on(cluster, &error.to_string()),
        Err(None) => return left_on(cluster, "no answer came"),
    };
    tokio::select! {
        () = wait_until_off(cluster, install, mechanism) => {}
        () = hurry => {}
        () = sleep(limits.lease) => {
            tracing::warn!("the gate is as it was, but virt-api does not know it yet");
        }
    }
    None
}

/// Puts all changes back, from the last to the first. Gives what was switched, if anything was.
async fn put_back(
    cluster: &LockedCluster,
    install: &Install,
) -> Result<Option<Mechanism>, PutBackError> {
    let lease = &cluster.lease;
    lease.note_stopped().await.map_err(PutBackError::Stopped)?;
    let mut mechanism = None;
    while let Some(change) = cluster.last_change() {
        if profiler_switch::restore(&cluster.connection, install, &change).await? {
            tracing::info!("the gate is as it was");
        } else {
            tracing::warn!("the gate had been put back by somebody else");
        }
        let noted = lease.note(Journal::forget_change).await;
        noted.map_err(PutBackError::Journal)?;
        mechanism = Some(change.mechanism);
    }
    Ok(mechanism)
}

/// Waits until the profiler is off, or until it is known that somebody else wants it on.
async fn wait_until_off(cluster: &LockedCluster, install: &Install, mechanism: Mechanism) {
    let connection = &cluster.connection;
    let wanted = profiler_switch::is_wanted(connection, install, mechanism).await;
    if wanted.unwrap_or(false) {
        return tracing::info!("the profiler stays on, for somebody else has turned it on");
    }
    let mut backoff = Backoff::new(&connection.limits);
    let wait = connection.waits.begin();
    let off = ProfilerState::Off;
    loop {
        match profiler_switch::lacking(connection, install, mechanism, off).await {
            Ok(None) => return,
            Ok(Some(lacking)) => wait.tell(lacking),
            Err(error) => wait.tell(format_args!("the profiler to be off: {error}")),
        }
        backoff.pause().await;
    }
}

fn left_on(cluster: &LockedCluster, why: &str) -> Option<String> {
    let is_on = cluster.last_change().is_some();
    is_on.then(|| {
        format!(
            "the profiler is STILL TURNED ON: {why}; when that is mended: cluster-profiler-job undo"
        )
    })
}

/// What to say where the profiler was turned on and stays so, because a pod may still be profiling: turned
/// off before every pod has stopped, it would leave that one profiling for good.
pub(super) fn stays_on(cluster: &LockedCluster) -> Option<String> {
    let text = "the profiler stays turned on, for a pod may still be profiling; when it has stopped: \
                cluster-profiler-job undo";
    cluster.last_change().map(|_| text.to_owned())
}
