//! Lock: the cluster's Lease is taken, and what a dead run left is dealt with.

use std::future::pending;

use futures::TryFutureExt;
use tokio::time::Instant;

use crate::cluster::install::{self, Install};
use crate::cluster::lease::{self, Journal, LeaseError, Stage, StartedPod};
use crate::cluster::profiler::ProfilerState;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::destination::{Found, Summary};
use crate::run::context::{Context, LockedCluster, Taken};
use crate::run::late_manifest;
use crate::run::outcome::Fault;
use crate::run::phase_results::{Finished, Locked, Ready, Refused};
use crate::run::resume::{self, LeftPods};
use crate::run::{profiler_off, profiler_switch};

/// Takes the lock for a run that can begin, and decides how the run goes on.
///
/// # Errors
/// The run was told to stop, a live run keeps the lock, what a dead one left cannot be undone,
/// something that is no run bears the run's name at a destination, or the API server or a destination
/// failed.
pub(in crate::run) async fn take(context: &Context, ready: Ready) -> Result<Locked, Fault> {
    let begun = resume::unless_told(context, begin(context)).await?;
    if begun.resumed.is_some() {
        return Ok(Locked::Held {
            resumed: begun.resumed.map(Box::new),
            may_be_off: true,
        });
    }
    let mut found = ready.found;
    if begun.was_contended {
        // Whoever had the lock before may have shipped this run.
        found = resume::unless_told(context, context.find().err_into()).await?;
    }
    match found {
        Found::Complete(manifest) => {
            let left = begun.left;
            return Ok(Locked::AlreadyThere { manifest, left });
        }
        Found::Invalid(error) | Found::Mismatched(error) => return Err(error.into()),
        Found::Unfinished(_) => {
            let run_id = &context.config.run_id;
            tracing::warn!(%run_id, "an archive without a manifest is replaced");
        }
        Found::Absent | Found::Unknown => {}
    }
    Ok(Locked::Held {
        resumed: None,
        may_be_off: begun.was_contended || ready.profiler == ProfilerState::Off,
    })
}

/// A lock that was taken for this run.
struct Begun {
    /// The journal of an attempt of this run that died after it had sent start.
    resumed: Option<Journal>,
    /// Whether another holder was waited for, or cleaned up after: the profiler may have been turned
    /// off since preflight.
    was_contended: bool,
    /// What nobody can undo now of what another run left, for a person. The journal has it, too.
    left: Option<String>,
}

/// Takes the lock. What an attempt of this run left is taken up; what another run left is undone and
/// discarded, for this run's start clears it.
async fn begin(context: &Context) -> Result<Begun, Fault> {
    let cluster = &context.cluster;
    let install = context.install()?;
    let wait = context.config.patience.lock_wait;
    let taken = cluster.take_lease(install, wait).await?;
    let Some(left) = taken.left else {
        return Ok(Begun {
            resumed: None,
            was_contended: taken.waited,
            left: None,
        });
    };
    let has_started = left.stage > Stage::Begun;
    let is_own = left.run_id == cluster.run_id;
    if is_own && has_started {
        return Ok(Begun {
            resumed: Some(left),
            was_contended: true,
            left: None,
        });
    }
    let remains = clean_up(cluster, install, &left).await?;
    let remains = remains.inspect(|remains| tracing::error!("{}", remains.message));
    let remains = remains.map(|remains| (remains.message, remains.unstopped));
    let (message, unstopped) = remains.unzip();
    if has_started {
        tracing::warn!(
            run_id = left.run_id,
            pods = left.pods.len(),
            "discarding what it had profiled and not shipped"
        );
    }
    context.remove_left_by(&left.run_id).await;
    let run_id = cluster.run_id.clone();
    // What could not be undone stays in the journal, so that this run stops those pods beside its own, and its
    // restore phase tries again.
    let noted = cluster.lease.note(|journal| {
        journal.begin_again(run_id);
        journal.unstopped = unstopped.unwrap_or_default();
    });
    noted.await?;
    Ok(Begun {
        resumed: None,
        was_contended: true,
        left: message,
    })
}

/// Cleans up after a dead run although this run cannot begin. Returns this run's fault, prefaced by what
/// could not be undone.
pub(in crate::run) async fn clean_up_for_refused(context: &Context, refused: Refused) -> Fault {
    let Refused {
        mut fault,
        clean_up_in,
    } = refused;
    let Some(install) = clean_up_in else {
        return fault;
    };
    let install = context.install.get_or_init(|| install);
    let cleaned_up = tokio::select! {
        _ = context.shutdown.requested() => return fault,
        cleaned_up = clean_up_if_dead(&context.cluster, install) => cleaned_up,
    };
    fault.preface(match cleaned_up {
        Ok(remains) => remains.map(|remains| remains.message),
        Err(other) => Some(other.message),
    });
    fault
}

/// Ends a run that an attempt has shipped: takes away what it left in the Lease, once that is undone, and has its manifest
/// say so. What nobody can undo now makes the run incomplete.
///
/// # Errors
/// The run was told to stop; or what is left cannot be found out or undone, though the attempt that shipped
/// the run was told to stop, and may not have lived to undo it.
pub(in crate::run) async fn close_journal(
    context: &Context,
    manifest: Summary,
) -> Result<Finished, Fault> {
    let was_unended = manifest.is_unended();
    let finished = Finished::already_there(manifest.clone(), &context.config.min_complete)?;
    let closed = tokio::select! {
        request = context.shutdown.requested() => {
            let why = request.why();
            let message = format!("{why} before what the run may have left in the cluster was undone");
            return Err(Fault::new(request.code, message));
        }
        closed = close_own_journal(context, &manifest) => closed,
    };
    match closed {
        Ok(remains) => Ok(finished.leaving(remains.map(|remains| remains.message))),
        Err(fault) if was_unended => Err(fault),
        Err(fault) => {
            tracing::warn!(%fault, "whether this run has left anything in the cluster is not known");
            Ok(finished)
        }
    }
}

async fn close_own_journal(
    context: &Context,
    manifest: &Summary,
) -> Result<Option<Remains>, Fault> {
    let cluster = &context.cluster;
    let namespace = context.config.namespace.as_deref();
    let install = install::find(&cluster.connection, namespace).await?;
    let left = lease::peek(&cluster.connection, &install.namespace).await?;
    let left = left.filter(Journal::is_open);
    if left
        .as_ref()
        .is_none_or(|left| left.run_id != cluster.run_id)
    {
        // Another run's may have what this one left.
        if left.is_none() {
            late_manifest::bring_up_to_date(context, manifest).await;
        }
        return Ok(None);
    }
    let cleaned_up = clean_up_if_dead(cluster, &install).await;
    let left = cluster.lease.journal();
    let is_undone = !left.as_ref().is_some_and(Journal::is_to_be_undone);
    // A living attempt, which has the Lease, writes its manifest itself.
    if is_undone && cluster.lease.is_held() && matches!(cleaned_up, Ok(None)) {
        late_manifest::bring_up_to_date(context, manifest).await;
    }
    let keep = left.is_some_and(|left| {
        left.is_to_be_undone() || (left.is_open() && left.run_id != cluster.run_id)
    });
    let released = cluster.lease.release(keep, pending()).await;
    let remains = cleaned_up?;
    released?;
    Ok(remains)
}

/// Cleans up after the holder of the Lease if it is dead. Waits for one Lease life, within which a dead
/// holder shows; a live one is left alone.
async fn clean_up_if_dead(
    cluster: &LockedCluster,
    install: &Install,
) -> Result<Option<Remains>, Fault> {
    let limits = &cluster.connection.limits;
    let wait = limits.lease + limits.lease_renewal;
    match cluster.take_lease(install, wait).await {
        Ok(Taken {
            left: Some(left), ..
        }) => clean_up(cluster, install, &left).await,
        Ok(Taken { left: None, .. }) | Err(LeaseError::Held { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What of a dead run nobody can undo now.
pub(crate) struct Remains {
    /// What it is, and what to do, for a person.
    pub(crate) message: String,
    /// The pods that may still be profiling.
    unstopped: Vec<StartedPod>,
}

/// Stops what a dead run left profiling, and puts back what turned its profiler on. The journal stays,
/// for the pods keep the run's data. What nobody can undo now, such as the stop in a pod that is not
/// Ready, is returned, for a person; the profiler then stays on.
///
/// # Errors
/// The stop failed, so that nothing else may be done.
pub(crate) async fn clean_up(
    cluster: &LockedCluster,
    install: &Install,
    left: &Journal,
) -> Result<Option<Remains>, Fault> {
    tracing::warn!(
        run_id = left.run_id,
        stage = ?left.stage,
        "a run died here: dealing with what it left"
    );
    if left.may_be_profiling() {
        if let Some(remains) = stop(cluster, install, left).await? {
            return Ok(Some(remains));
        }
        cluster.lease.note_stopped().await?;
    }
    let left_on = profiler_off::turn_off(cluster, install, pending(), pending()).await;
    Ok(left_on.map(|message| Remains {
        message,
        unstopped: Vec::new(),
    }))
}

/// Stops the pods of a dead run. Those that no stop can reach now are returned, for a person.
async fn stop(
    cluster: &LockedCluster,
    install: &Install,
    left: &Journal,
) -> Result<Option<Remains>, Fault> {
    profiler_switch::turn_on(cluster, install).await?;
    let LeftPods { started, unstopped } = resume::left_pods(cluster, install, left).await?;
    let connection = cluster.connection.clone();
    let mut confirmation = StopConfirmation::new(connection, install.namespace.clone(), started);
    confirmation.carry(unstopped);
    confirmation.attempt().await;
    let end = Instant::now() + cluster.stop_wait;
    confirmation.until(end).await;
    if confirmation.is_confirmed() {
        tracing::info!("profiling is off");
        return Ok(None);
    }
    let remains = confirmation.remains();
    let Some(error) = confirmation.error() else {
        return Ok(remains.map(|remains| Remains {
            message: format!("of the run {}: {remains}", left.run_id),
            unstopped: confirmation.waiting().map(Into::into).collect(),
        }));
    };
    let why = remains.unwrap_or_else(|| error.to_string());
    let message = format!("what the run {} left cannot be stopped: {why}", left.run_id);
    Err(Fault::may_pass(message))
}
