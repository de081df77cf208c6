//! Turning the profiler on where the run may, and putting the gate back.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::Fault;
use super::site::Site;
use crate::cluster::enable::{self, Advice};
use crate::cluster::gate::{self, Change, GateError, Switch, Tries, Written};
use crate::cluster::install::Install;
use crate::cluster::lease::Record;
use crate::cluster::profiler::{self, Gate};
use crate::cluster::schema;
use crate::config::EnablePolicy;
use crate::outcome::ExitCode;

/// A profiler that is turned on, and may not be known everywhere to be.
pub(super) struct TurnedOn {
    switch: Switch,
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
    if profiler::probe(&site.connection).await? == Gate::On {
        return Ok(None);
    }
    if !site.enable_policy.may_enable() {
        return Err(is_off(site, install).await);
    }
    let switch = schema::switch(&site.connection).await?;
    // The object, from when it may have been changed by a try that was not answered.
    let (mut unsure, mut tries) = (None, Tries::new(&site.connection));
    let object = loop {
        let plan = gate::plan(&site.connection, install, switch).await;
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
    Ok(Some(TurnedOn { switch, object }))
}

/// Only what is put back is in the record. An unsure change is the same one, tried again.
async fn note(site: &Site, change: Change, unsure: bool) -> Result<(), Fault> {
    if site.enable_policy != EnablePolicy::EnableAndRestore {
        return Ok(());
    }
    let noted = site.hold.note(|record| {
        if unsure {
            record.forget_change();
        }
        record.gate.push(change);
    });
    noted.await
}

/// Takes the last change out of the record: it was not made.
async fn forget(site: &Site) -> Result<(), Fault> {
    if site.enable_policy == EnablePolicy::EnableAndRestore {
        site.hold.note(Record::forget_change).await?;
    }
    Ok(())
}

fn cannot(error: GateError) -> Fault {
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
    let limit = site.connection.limits.gate;
    let end = Instant::now() + limit;
    let mut pause = site.connection.limits.first_pause;
    while !has_reached(site, install, (turned.switch, Gate::On)).await? {
        if Instant::now() >= end {
            let message = format!(
                "the profiler of KubeVirt {}/{} is turned on, but not on after {limit:?}: see its \
                 status.phase and observedGeneration, and virt-api's log",
                install.namespace, install.name
            );
            return Err(Fault::new(ExitCode::Retry, message));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(site.connection.limits.longest_pause);
    }
    Ok(())
}

async fn has_reached(
    site: &Site,
    install: &Install,
    (switch, gate): (Switch, Gate),
) -> Result<bool, Fault> {
    let on = gate == Gate::On;
    Ok(
        gate::is_settled(&site.connection, install, (switch, on)).await?
            && profiler::probe(&site.connection).await? == gate,
    )
}

/// The fault of a profiler that is off, with the command for it.
pub(super) async fn is_off(site: &Site, install: &Install) -> Fault {
    let advice = enable::advice(&site.connection, install).await;
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
    let switch = match restored.await {
        Ok(Ok(restored)) => restored?,
        Ok(Err(why)) => return Some(why),
        Err(_) => return Some(left_on(&format!("no answer came for {:?}", limits.gate))),
    };
    tokio::select! {
        () = closed(site, install, switch) => {}
        () = hurry => {}
        () = tokio::time::sleep(limits.lease) => {
            tracing::warn!("the gate is as it was, but virt-api does not know it yet");
        }
    }
    None
}

/// Puts all of it back, from the last to the first. Gives what was switched, if anything was.
async fn restore(site: &Site, install: &Install) -> Result<Option<Switch>, String> {
    let mut switch = None;
    while let Some(change) = last_change(site).await {
        match gate::restore(&site.connection, install, &change).await {
            Ok(true) => tracing::info!("the gate is as it was"),
            Ok(false) => tracing::warn!("the gate had been put back by somebody else"),
            Err(error) => return Err(left_on(&error.to_string())),
        }
        let noted = site.hold.note(Record::forget_change).await;
        noted.map_err(|fault| {
            format!("the gate is as it was, but the record of it still says otherwise: {fault}")
        })?;
        switch = Some(change.switch);
    }
    Ok(switch)
}

/// The last change of the gate that is to be undone.
pub(super) async fn last_change(site: &Site) -> Option<Change> {
    site.hold.record().await?.gate.last().copied()
}

/// Returns when the profiler is off, or when it is known that somebody else wants it on.
async fn closed(site: &Site, install: &Install, switch: Switch) {
    let wanted = gate::is_wanted(&site.connection, install, switch).await;
    if wanted.unwrap_or(false) {
        return tracing::info!("the profiler stays on, for somebody else has turned it on");
    }
    let mut pause = Duration::ZERO;
    while !has_reached(site, install, (switch, Gate::Off))
        .await
        .unwrap_or(false)
    {
        let limits = &site.connection.limits;
        pause = (pause * 2).clamp(limits.first_pause, limits.longest_pause);
        tokio::time::sleep(pause).await;
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
    match gate::rivals(&site.connection, install).await {
        Ok(rivals) if rivals.is_empty() => "nobody is known to have written it".to_owned(),
        Ok(rivals) => format!("it was last written by {}", rivals.join(", ")),
        Err(error) => format!("who wrote it is not known: {error}"),
    }
}
