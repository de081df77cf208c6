//! Turning the profiler on where the run may.

use tokio::time::{Instant, sleep};

use super::context::{Context, LockedCluster};
use super::outcome::Fault;
use crate::cluster::call::Connection;
use crate::cluster::install::Install;
use crate::cluster::lease::Journal;
use crate::cluster::profiler::{self, ProfilerState};
use crate::cluster::profiler_switch::{
    self, Advice, Change, Mechanism, SwitchError, WriteTries, Written,
};
use crate::cluster::retry::{Outlook, persist, poll_until};
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::config::EnablePolicy;

/// A profiler that was switched on, and may not be known everywhere to be.
pub(super) struct SwitchedOn {
    mechanism: Mechanism,
    /// The object that this run changed; `None` if somebody else turned the profiler on meanwhile.
    pub(super) object: Option<String>,
}

/// The profiler's state by virt-api and, where the run may turn it on, by KubeVirt's object: after an outage
/// virt-api hears late that somebody turned it off.
///
/// # Errors
/// The API server or virt-api failed, or bodies do not arrive.
pub(super) async fn state(
    cluster: &LockedCluster,
    install: &Install,
) -> Result<ProfilerState, Fault> {
    let connection = &cluster.connection;
    let state = profiler::probe(connection).await?;
    if state == ProfilerState::Off || !cluster.enable_policy.may_enable() {
        return Ok(state);
    }
    let mechanism = profiler_switch::installed_mechanism(connection).await?;
    let is_configured = profiler_switch::is_configured(connection, install, mechanism).await?;
    Ok(if is_configured {
        ProfilerState::On
    } else {
        tracing::info!("virt-api does not know yet that somebody turned the profiler off");
        ProfilerState::Off
    })
}

/// Sees that the profiler is on everywhere, so that pods can be stopped or dumped, and turns it on where the
/// run may. Faults that may pass are tried again for as long as a change of the gate may take. Gives the
/// object that was changed.
///
/// # Errors
/// It is off and must not, or cannot, be turned on; or the API server failed for all that time.
pub(super) async fn turn_on(
    cluster: &LockedCluster,
    install: &Install,
) -> Result<Option<String>, Fault> {
    let Some(switched) = switch_on_patiently(cluster, install).await? else {
        return Ok(None);
    };
    wait_until_on(cluster, install, &switched).await?;
    Ok(switched.object)
}

/// Switches the profiler on as [`switch_on`] does, and again after faults that may pass, for as long as a
/// change of the gate may take.
///
/// # Errors
/// It is off and must not, or cannot, be turned on; or the API server failed for all that time.
pub(super) async fn switch_on_patiently(
    cluster: &LockedCluster,
    install: &Install,
) -> Result<Option<SwitchedOn>, Fault> {
    let Connection { limits, waits, .. } = &cluster.connection;
    let given_up = sleep(limits.gate);
    let outlook = |fault: &Fault| fault.outlook;
    let switched = persist(limits, waits, given_up, outlook, || {
        switch_on(cluster, install)
    });
    let no_answer = || Fault::may_pass(format!("no answer came for {:?}", limits.gate));
    switched
        .await
        .map_err(|last| last.unwrap_or_else(no_answer))
}

/// Switches the profiler on where the run may; `None` if it is on, by virt-api and by KubeVirt's object.
///
/// # Errors
/// It is off and must not, or cannot, be turned on; or the API server failed.
pub(super) async fn switch_on(
    cluster: &LockedCluster,
    install: &Install,
) -> Result<Option<SwitchedOn>, Fault> {
    let connection = &cluster.connection;
    if state(cluster, install).await? == ProfilerState::On {
        return Ok(None);
    }
    if !cluster.enable_policy.may_enable() {
        return Err(is_off(cluster, install).await);
    }
    let mechanism = profiler_switch::installed_mechanism(connection).await?;
    let mut tries = WriteTries::new(connection);
    // The object, from when it may have been changed by a try that was not answered.
    let mut unsure = None;
    let object = loop {
        let plan = profiler_switch::plan_change(connection, install, mechanism).await;
        let Some(plan) = plan.map_err(cannot_turn_on)? else {
            break unsure;
        };
        note_change(cluster, plan.change, unsure.is_some()).await?;
        let object = plan.object().to_owned();
        let applied = plan.apply().await;
        if let Ok(Written::Done) = applied {
            tracing::info!(object, "turned the profiler on");
            break Some(object);
        }
        if let Ok(Written::Unknown(_)) = applied {
            unsure = Some(object.clone());
        }
        if unsure.is_none() {
            forget_change(cluster).await?;
        }
        tries
            .again(applied.map_err(cannot_turn_on)?, &object)
            .await?;
    };
    Ok(Some(SwitchedOn { mechanism, object }))
}

/// Notes a change in the journal before it is made, if it is to be put back. After a write that was not
/// answered the new one is the same change, so it replaces that entry.
async fn note_change(cluster: &LockedCluster, change: Change, unsure: bool) -> Result<(), Fault> {
    if cluster.enable_policy != EnablePolicy::EnableAndRestore {
        return Ok(());
    }
    let noted = cluster.lease.note(|journal| {
        if unsure {
            journal.forget_change();
        }
        journal.changes.push(change);
    });
    Ok(noted.await?)
}

/// Takes the last change out of the journal: it was not made.
async fn forget_change(cluster: &LockedCluster) -> Result<(), Fault> {
    if cluster.enable_policy == EnablePolicy::EnableAndRestore {
        cluster.lease.note(Journal::forget_change).await?;
    }
    Ok(())
}

fn cannot_turn_on(error: SwitchError) -> Fault {
    let mut fault = Fault::from(error);
    if fault.is_not_allowed() {
        fault.message +=
            "; or turn the profiler on yourself, and use PROFILER_FEATURE_GATE=require";
    }
    fault
}

/// Waits until the operator has acted on the configuration and virt-api knows it. What each component
/// knows shows when it is started.
///
/// # Errors
/// That takes too long, or the API server failed.
pub(super) async fn wait_until_on(
    cluster: &LockedCluster,
    install: &Install,
    switched: &SwitchedOn,
) -> Result<(), Fault> {
    let connection = &cluster.connection;
    let limits = &connection.limits;
    let end = Instant::now() + limits.gate;
    let wait = &connection.waits.begin();
    let reached = poll_until(limits, end, || async {
        let mechanism = switched.mechanism;
        let on = ProfilerState::On;
        match profiler_switch::lacking(connection, install, mechanism, on).await {
            Ok(None) => Ok(Some(())),
            Ok(Some(lacking)) => {
                wait.tell(lacking);
                Ok(None)
            }
            Err(error) if error.outlook() == Outlook::MayPass => {
                tracing::warn!(%error, "whether the profiler is on is not known yet");
                wait.tell(format_args!("the profiler to be on: {error}"));
                Ok(None)
            }
            Err(error) => Err(Fault::from(error)),
        }
    });
    if reached.await?.is_some() {
        return Ok(());
    }
    Err(Fault::may_pass(format!(
        "the profiler of KubeVirt {}/{} is turned on, but not on after {:?}: see its \
         status.phase and observedGeneration, and virt-api's log",
        install.namespace, install.name, limits.gate
    )))
}

/// The fault of a profiler that is off, with the command that turns it on.
pub(super) async fn is_off(cluster: &LockedCluster, install: &Install) -> Fault {
    let advice = profiler_switch::advice(&cluster.connection, install).await;
    let Install {
        namespace, name, ..
    } = install;
    let version = install.version.as_deref().unwrap_or("of unknown version");
    let message =
        format!("the profiler is off in KubeVirt {version} ({namespace}/{name}); {advice}");
    match advice {
        Advice::Wait => Fault::may_pass(message),
        Advice::Command(_) => Fault::not_allowed(message),
    }
}

/// Turns a profiler on again that somebody turned off while it was profiling, where the run may, and
/// sends stop once more: nobody could stop otherwise.
pub(super) async fn turn_on_again_to_stop(
    context: &Context,
    install: &Install,
    confirmation: &mut StopConfirmation,
) {
    let off = confirmation.error().is_some_and(profiler::is_off);
    if !off || !context.config.enable_policy.may_enable() {
        return;
    }
    let rivals = rivals(&context.cluster, install).await;
    tracing::warn!("the profiler was turned off while it was profiling: {rivals}");
    match turn_on(&context.cluster, install).await {
        Ok(changed) => {
            if changed.is_some() {
                context.gate().changed = changed;
            }
            confirmation.attempt().await;
        }
        Err(fault) => tracing::error!(%fault, "it cannot be turned on again to be stopped"),
    }
}

/// The fault of a profiler that somebody turned off while it was profiling: nobody can stop it until it is
/// on again.
pub(super) async fn was_turned_off(cluster: &LockedCluster, install: &Install) -> Fault {
    let advice = profiler_switch::advice(&cluster.connection, install).await;
    let rivals = rivals(cluster, install).await;
    let stop = profiler::path("stop");
    Fault::not_allowed(format!(
        "the profiler was turned off while it was profiling: pods that had not stopped go on, and \
         none can be stopped. {rivals}; {advice}\nthen stop it: kubectl get --raw {stop}"
    ))
}

/// Names who else writes what turns the profiler on, for a person.
async fn rivals(cluster: &LockedCluster, install: &Install) -> String {
    match profiler_switch::other_writers(&cluster.connection, install).await {
        Ok(rivals) if rivals.is_empty() => "nobody is known to have written it".to_owned(),
        Ok(rivals) => format!("it was last written by {}", rivals.join(", ")),
        Err(error) => format!("who wrote it is not known: {error}"),
    }
}
