//! Turning the profiler on where the run may, and putting the gate back.

use tokio::time::Instant;

use super::fault::Fault;
use super::site::Site;
use crate::cluster::install::Install;
use crate::cluster::lease::Journal;
use crate::cluster::profiler::{self, ProfilerState};
use crate::cluster::profiler_switch::{
    self, Advice, Change, Mechanism, SwitchError, WriteTries, Written,
};
use crate::cluster::retry::{Backoff, poll_until};
use crate::config::FeatureGate;
use crate::outcome::ExitCode;

/// A profiler that is turned on, and may not be known everywhere to be.
pub(super) struct TurnedOn {
    mechanism: Mechanism,
    /// The object that was changed for that, unless somebody else did.
    pub(super) object: Option<String>,
}

/// Sees that the profiler is on, and turns it on where the run may. Gives the object that was changed.
///
/// # Errors
/// It is off and must not, or cannot, be turned on.
pub(super) async fn open(site: &Site, install: &Install) -> Result<Option<String>, Fault> {
    let Some(turned) = turn_on(site, install).await? else {
        return Ok(None);
    };
    spread(site, install, &turned).await?;
    Ok(turned.object)
}

/// Turns the profiler on where the run may; `None` if it is on.
///
/// # Errors
/// It is off and must not, or cannot, be turned on.
pub(super) async fn turn_on(site: &Site, install: &Install) -> Result<Option<TurnedOn>, Fault> {
    if profiler::probe(&site.connection).await? == ProfilerState::On {
        return Ok(None);
    }
    if !site.feature_gate.may_enable() {
        return Err(is_off(site, install).await);
    }
    let mechanism = profiler_switch::installed_mechanism(&site.connection).await?;
    // The object, from when it may have been changed by a try that was not answered.
    let (mut unsure, mut tries) = (None, WriteTries::new(&site.connection));
    let object = loop {
        let plan = profiler_switch::plan_change(&site.connection, install, mechanism).await;
        let Some(plan) = plan.map_err(cannot)? else {
            break unsure;
        };
        note(site, plan.change, unsure.is_some()).await?;
        let (object, applied) = (plan.object().to_owned(), plan.apply().await);
        if let Ok(Written::Done) = applied {
            tracing::info!(object, "turned the profiler on");
            break Some(object);
        }
        if let Ok(Written::Unknown(_)) = applied {
            unsure = Some(object.clone());
        }
        if unsure.is_none() {
            forget(site).await?;
        }
        let applied = applied.map_err(cannot)?;
        tries.again(applied, &object).await?;
    };
    Ok(Some(TurnedOn { mechanism, object }))
}

/// Only what is put back is in the record. An unsure change is the same one, tried again.
async fn note(site: &Site, change: Change, unsure: bool) -> Result<(), Fault> {
    if site.feature_gate != FeatureGate::EnableAndRestore {
        return Ok(());
    }
    let noted = site.hold.note(|record| {
        if unsure {
            record.forget_change();
        }
        record.changes.push(change);
    });
    noted.await
}

/// Takes the last change out of the record: it was not made.
async fn forget(site: &Site) -> Result<(), Fault> {
    if site.feature_gate == FeatureGate::EnableAndRestore {
        site.hold.note(Journal::forget_change).await?;
    }
    Ok(())
}

fn cannot(error: SwitchError) -> Fault {
    let mut fault = Fault::from(error);
    if fault.code == ExitCode::NotAllowed {
        fault.message +=
            "; or turn the profiler on yourself, and use PROFILER_FEATURE_GATE=require";
    }
    fault
}

/// Returns when the operator has acted on the configuration and virt-api knows it. What each
/// component knows shows when it is started.
///
/// # Errors
/// That takes too long, or the API server failed.
pub(super) async fn spread(site: &Site, install: &Install, turned: &TurnedOn) -> Result<(), Fault> {
    let limits = &site.connection.limits;
    let limit = limits.gate;
    let reached = poll_until(limits, Instant::now() + limit, || async {
        let reached = has_reached(site, install, turned.mechanism, ProfilerState::On).await?;
        Ok::<_, Fault>(reached.then_some(()))
    });
    if reached.await?.is_some() {
        return Ok(());
    }
    let message = format!(
        "the profiler of KubeVirt {}/{} is turned on, but not on after {limit:?}: see its \
         status.phase and observedGeneration, and virt-api's log",
        install.namespace, install.name
    );
    Err(Fault::new(ExitCode::Retry, message))
}

async fn has_reached(
    site: &Site,
    install: &Install,
    mechanism: Mechanism,
    state: ProfilerState,
) -> Result<bool, Fault> {
    Ok(
        profiler_switch::is_settled(&site.connection, install, mechanism, state).await?
            && profiler::probe(&site.connection).await? == state,
    )
}

/// The fault of a profiler that is off, with the command for it.
pub(super) async fn is_off(site: &Site, install: &Install) -> Fault {
    let advice = profiler_switch::advice(&site.connection, install).await;
    let Install {
        namespace,
        name,
        version,
        ..
    } = install;
    let version = version.as_deref().unwrap_or("of unknown version");
    let message =
        format!("the profiler is off in KubeVirt {version} ({namespace}/{name}); {advice}");
    let code = match advice {
        Advice::Wait => ExitCode::Retry,
        Advice::Command(_) => ExitCode::NotAllowed,
    };
    Fault::new(code, message)
}

/// Puts back what the record says was changed, and waits until that has taken effect, so that nobody
/// finds the profiler on who comes next; `hurry` ends the waiting. What cannot be put back is
/// returned, for a person.
pub(super) async fn close(
    site: &Site,
    install: &Install,
    hurry: impl Future<Output = ()>,
) -> Option<String> {
    let limits = &site.connection.limits;
    let restored = tokio::time::timeout(limits.gate, restore(site, install));
    let mechanism = match restored.await {
        Ok(Ok(restored)) => restored?,
        Ok(Err(why)) => return Some(why),
        Err(_) => return Some(left_on(&format!("no answer came for {:?}", limits.gate))),
    };
    tokio::select! {
        () = closed(site, install, mechanism) => {}
        () = hurry => {}
        () = tokio::time::sleep(limits.lease) => {
            tracing::warn!("the gate is as it was, but virt-api does not know it yet");
        }
    }
    None
}

/// Puts all of it back, from the last to the first. Gives what was switched, if anything was.
async fn restore(site: &Site, install: &Install) -> Result<Option<Mechanism>, String> {
    let mut mechanism = None;
    while let Some(change) = last_change(site).await {
        match profiler_switch::restore(&site.connection, install, &change).await {
            Ok(true) => tracing::info!("the gate is as it was"),
            Ok(false) => tracing::warn!("the gate had been put back by somebody else"),
            Err(error) => return Err(left_on(&error.to_string())),
        }
        let noted = site.hold.note(Journal::forget_change).await;
        noted.map_err(|fault| {
            format!("the gate is as it was, but the record of it still says otherwise: {fault}")
        })?;
        mechanism = Some(change.mechanism);
    }
    Ok(mechanism)
}

/// The last change of the gate that is to be undone.
pub(super) async fn last_change(site: &Site) -> Option<Change> {
    site.hold.record().await?.changes.last().copied()
}

/// Returns when the profiler is off, or when it is known that somebody else wants it on.
async fn closed(site: &Site, install: &Install, mechanism: Mechanism) {
    let wanted = profiler_switch::is_wanted(&site.connection, install, mechanism).await;
    if wanted.unwrap_or(false) {
        return tracing::info!("the profiler stays on, for somebody else has turned it on");
    }
    let mut backoff = Backoff::new(&site.connection.limits);
    while !has_reached(site, install, mechanism, ProfilerState::Off)
        .await
        .unwrap_or(false)
    {
        backoff.pause().await;
    }
}

fn left_on(why: &str) -> String {
    format!(
        "the profiler is STILL TURNED ON: {why}; when that is mended: cluster-profiler-job undo"
    )
}

/// What to say of a gate that stays open because a pod may still be profiling: closed before every
/// pod has stopped, it would leave profiling on for good.
pub(super) async fn stays_open(site: &Site) -> Option<String> {
    let text = "the profiler stays turned on, for a pod may still be profiling; when it has stopped: \
                cluster-profiler-job undo";
    last_change(site).await.map(|_| text.to_owned())
}

/// Names who else writes what turns the profiler on, for a person.
pub(super) async fn rivals(site: &Site, install: &Install) -> String {
    match profiler_switch::other_writers(&site.connection, install).await {
        Ok(rivals) if rivals.is_empty() => "nobody is known to have written it".to_owned(),
        Ok(rivals) => format!("it was last written by {}", rivals.join(", ")),
        Err(error) => format!("who wrote it is not known: {error}"),
    }
}
