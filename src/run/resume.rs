//! An attempt that died: what it profiled lies in the pods, and its journal says in which.

use tokio::time::Instant;

use super::context::{Context, LockedCluster};
use super::outcome::Fault;
use super::phase_results::{StartFailed, Started, WindowOver};
use crate::cluster::call::CallError;
use crate::cluster::install::Install;
use crate::cluster::lease::{Journal, Stage, StartedPod};
use crate::cluster::pods;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::manifest::{EndedBy, ExpectedPod};
use crate::window::WindowEnd;

/// Takes up the window of an attempt of this run that died: what comes next is its stop.
///
/// # Errors
/// The API server failed.
pub(super) async fn take_up(context: &Context, journal: Journal) -> Result<WindowOver, Fault> {
    let install = context.install()?;
    let LeftPods {
        started: pods,
        unstopped,
    } = left_pods(&context.cluster, install, &journal).await?;
    let chosen = |pod: &&ExpectedPod| context.config.components.contains(&pod.component);
    let expected: Vec<_> = pods.iter().filter(chosen).cloned().collect();
    tracing::warn!(
        pods = expected.len(),
        stage = ?journal.stage,
        "an attempt of this run died: stopping, and dumping what it profiled"
    );
    let connection = context.cluster.connection.clone();
    let mut confirmation = StopConfirmation::new(connection, install.namespace.clone(), pods);
    confirmation.carry(unstopped);
    *context.stop_confirmation.lock().await = Some(confirmation);
    let now = (context.cluster.connection.limits.now)();
    let failed = journal.start_failed;
    Ok(WindowOver {
        started: Started {
            at: journal.started.unwrap_or(now),
            since: Instant::now(),
            failed: failed.map(|(pod, why)| StartFailed { pod, why }),
            expected,
        },
        end: WindowEnd {
            by: journal.ended_by.unwrap_or(EndedBy::Died),
            workload_exit_code: journal.workload_exit_code,
        },
        stopped: Some(journal.stopped.unwrap_or(now)),
    })
}

/// The pods that a journal names.
pub(super) struct LeftPods {
    /// Those that its run started.
    pub(super) started: Vec<ExpectedPod>,
    /// Those that earlier runs started, and nobody could stop until now.
    pub(super) unstopped: Vec<ExpectedPod>,
}

/// The pods that a journal names, as they are now, but with the restarts that they had. Of one that
/// is gone only its name is known. A journal of a run that started pods and died before it could name them
/// is of all.
///
/// # Errors
/// The API server failed.
pub(super) async fn left_pods(
    cluster: &LockedCluster,
    install: &Install,
    journal: &Journal,
) -> Result<LeftPods, CallError> {
    let now = pods::list(&cluster.connection.patient(), &install.namespace).await?;
    let find = |started: &StartedPod| {
        let mut there = now.iter().map(|pod| &pod.pod);
        let same = |pod: &&ExpectedPod| {
            pod.name == started.name && pod.uid.starts_with(&started.uid_prefix)
        };
        let found = there.find(same).cloned();
        let pod = found.or_else(|| ExpectedPod::gone(&started.name, &started.uid_prefix))?;
        Some(ExpectedPod {
            restarts: started.restarts,
            ..pod
        })
    };
    let mut started: Vec<_> = journal.pods.iter().filter_map(find).collect();
    let unstopped = journal.unstopped.iter().filter_map(find).collect();
    if journal.pods.is_empty() && journal.stage > Stage::Begun {
        started = now.into_iter().map(|pod| pod.pod).collect();
    }
    Ok(LeftPods { started, unstopped })
}
