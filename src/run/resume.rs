//! An attempt that died: what it profiled lies in the pods, and its journal says in which.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use super::context::{Context, LockedCluster};
use super::outcome::Fault;
use super::phase_results::{StartFailed, Started, WindowOver};
use super::shutdown::ShutdownRequest;
use crate::archive::Baseline;
use crate::cluster::call::CallError;
use crate::cluster::install::Install;
use crate::cluster::lease::{self, Journal, Stage, StartedPod};
use crate::cluster::pods;
use crate::cluster::profiler;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::limits::{TOLD_LOOK, WRITE_LIMIT};
use crate::manifest::{EndedBy, ExpectedPod};
use crate::window::WindowEnd;

/// Takes up the window of an attempt of this run that died: what comes next is its stop.
///
/// # Errors
/// The API server failed, or did not tell of the pods while a run that was told to stop had time: the journal keeps
/// them.
pub(super) async fn take_up(context: &Context, journal: Journal) -> Result<WindowOver, Fault> {
    let left = left_pods(&context.cluster, context.install()?, &journal);
    let LeftPods {
        started: pods,
        unstopped,
    } = match context.shutdown.within(left).await {
        Ok(left) => left?,
        Err(request) => return Err(told(context, request).await),
    };
    let chosen = |pod: &&ExpectedPod| context.config.components.contains(&pod.component);
    let expected: Vec<_> = pods.iter().filter(chosen).cloned().collect();
    tracing::warn!(
        pods = expected.len(),
        stage = ?journal.stage,
        "an attempt of this run died: stopping, and dumping what it profiled"
    );
    let connection = context.cluster.connection.clone();
    let namespace = context.install()?.namespace.clone();
    let mut confirmation = StopConfirmation::new(connection, namespace, pods);
    confirmation.carry(unstopped);
    *context.stop_confirmation.lock().await = Some(confirmation);
    let now = (context.cluster.connection.limits.now)();
    let at = journal.started.unwrap_or(now);
    let warnings = [
        clock_warning(&journal, now),
        lost_snapshots(context, &journal, at),
    ];
    let warnings: Vec<_> = warnings.into_iter().flatten().collect();
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let failed = journal.start_failed;
    Ok(WindowOver {
        started: Started {
            at,
            since: Instant::now(),
            failed: failed.map(|(pod, why)| StartFailed { pod, why }),
            expected,
            vmis: None,
            surroundings: None,
        },
        end: WindowEnd {
            by: journal.ended_by.unwrap_or(EndedBy::Died),
            workload_exit_code: journal.workload_exit_code,
        },
        stopped: Some(journal.stopped.unwrap_or(now).max(at)),
        died_dumping: journal.dumping,
        warnings,
    })
}

/// What is to be said where the snapshots of an attempt that died are gone.
fn lost_snapshots(context: &Context, journal: &Journal, started: Timestamp) -> Option<String> {
    let every = context.config.snapshots.as_ref()?.every;
    let was_short = |stopped: Timestamp| {
        let length = stopped.duration_since(started);
        Duration::try_from(length).is_ok_and(|length| length < every)
    };
    if journal.stopped.is_some_and(was_short) || !context.snapshots().all().is_empty() {
        return None;
    }
    let unknown = match journal.stopped {
        None => ", or it died before one was due",
        Some(_) => "",
    };
    Some(format!(
        "there are no snapshots: the temporary directory of the attempt that died is gone{unknown}"
    ))
}

/// The baseline that an attempt of this run took which died, if one is asked for.
pub(super) fn left_baseline(context: &Context) -> Option<Baseline> {
    let left = || Baseline::left(&context.spool());
    context.config.baseline.then(left)
}

/// What is to be said of a window that begins later than this node's clock says that it is.
fn clock_warning(journal: &Journal, now: Timestamp) -> Option<String> {
    let started = journal.started.filter(|started| now < *started)?;
    let unknown = match journal.stopped {
        None => "; when the window ended is not known, and counts as its begin",
        Some(_) => "",
    };
    Some(format!(
        "by this node's clock it is {now}, and the window that an attempt opened which died begins at {started}: the \
         clock was set back, or differs from that attempt's{unknown}"
    ))
}

/// Does what comes before a start, until the run is told to stop.
///
/// # Errors
/// The run was told to stop, or what is done failed.
pub(super) async fn unless_told<T>(
    context: &Context,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    tokio::select! {
        request = context.shutdown.requested() => Err(told(context, request).await),
        done = work => done,
    }
}

/// The fault of a run that was told to stop before it started anything, or took up what was left by one that died.
/// It says what that is, as far as the Lease tells while there is time.
pub(super) async fn told(context: &Context, request: ShutdownRequest) -> Fault {
    let cluster = &context.cluster;
    let journal = match (cluster.lease.journal(), context.install.get()) {
        (Some(held), _) => {
            if held.may_be_profiling() {
                stop_unseen(cluster, TOLD_LOOK).await;
            }
            Some(held)
        }
        (None, None) => None,
        // Somebody else's may be that of a run that lives.
        (None, Some(install)) => {
            let peek = lease::peek(&cluster.connection, &install.namespace);
            let peeked = timeout(WRITE_LIMIT, context.shutdown.within(peek)).await;
            let journal = peeked.ok().and_then(Result::ok).and_then(Result::ok);
            journal
                .flatten()
                .filter(|left| left.run_id == cluster.run_id)
        }
    };
    Fault::before_start(
        request,
        journal.and_then(|left| left_by(&left, &cluster.run_id)),
    )
}

/// What a run that died has left, for a person, and who deals with it.
fn left_by(left: &Journal, own_run_id: &str) -> Option<String> {
    let is_own = left.run_id == own_run_id;
    let whose = if is_own {
        "an earlier attempt of this run".to_owned()
    } else {
        format!("the run {}", left.run_id)
    };
    if left.may_be_profiling() {
        let pods = left.pods.len() + left.unstopped.len();
        return Some(format!(
            "{whose} left {pods} pods that may still be PROFILING, and their stop is not confirmed: the next attempt \
             of this run, any other run or cluster-profiler-job undo stops them"
        ));
    }
    let next = if is_own { "this run" } else { "that run" };
    let unshipped = (left.stage == Stage::Stopped).then(|| {
        format!(
            "what {whose} profiled is not shipped: the pods have it until the next start, and the next attempt of \
             {next} ships it"
        )
    });
    // What this run has changed it puts back itself.
    let is_on = !is_own && !left.changes.is_empty();
    let on = is_on.then(|| {
        format!(
            "{whose} left the profiler TURNED ON: any other run or cluster-profiler-job undo puts that back"
        )
    });
    let left: Vec<_> = on.into_iter().chain(unshipped).collect();
    (!left.is_empty()).then(|| left.join("; "))
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
/// The API server failed; a stop was sent all the same.
pub(super) async fn left_pods(
    cluster: &LockedCluster,
    install: &Install,
    journal: &Journal,
) -> Result<LeftPods, CallError> {
    let connection = &cluster.connection;
    let now = match pods::list(&connection.patient(), &install.namespace).await {
        Ok(now) => now,
        Err(error) => {
            stop_unseen(cluster, connection.limits.call).await;
            return Err(error);
        }
    };
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

/// Sends a stop to what a dead run left, though how its pods are is not known: there may be no other attempt. Notes when,
/// for that is the end of their window; the next attempt looks whom it has reached.
async fn stop_unseen(cluster: &LockedCluster, longest: Duration) {
    let now = (cluster.connection.limits.now)();
    let noted = cluster.lease.note(|journal| {
        if journal.stage == Stage::Started {
            journal.stopped = journal.stopped.or(Some(now));
        }
    });
    let both = async { tokio::join!(noted, profiler::stop(&cluster.connection)) };
    match timeout(longest, both).await {
        Ok((_, Ok(()))) => {}
        Ok((_, Err(error))) => {
            tracing::warn!(%error, "what a dead run started could not be stopped either");
        }
        Err(_) => tracing::warn!("what a dead run started may not be stopped"),
    }
}
