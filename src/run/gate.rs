//! Turning the profiler on where the run may, and putting the gate back.

use tokio::time::Instant;

use super::fault::Fault;
use super::site::Site;
use crate::cluster::enable::{self, Advice};
use crate::cluster::gate::{self, Applied, Change, GateError, Plan};
use crate::cluster::install::Install;
use crate::cluster::profiler::{self, Gate};
use crate::cluster::schema;
use crate::config::FeatureGate;
use crate::outcome::ExitCode;

/// Sees that the profiler is on, and turns it on where the run may. Gives the object that was changed.
///
/// # Errors
/// It is off and must not, or cannot, be turned on.
pub(super) async fn open(site: &Site, install: &Install) -> Result<Option<String>, Fault> {
    if profiler::probe(&site.connection).await? == Gate::On {
        return Ok(None);
    }
    if !site.feature_gate.may_enable() {
        return Err(is_off(site, install).await);
    }
    let switch = schema::switch(&site.connection).await?;
    let mut changed = None;
    for _ in 0..gate::CONFLICTS {
        let Some(plan) = gate::plan(&site.connection, install, switch).await? else {
            break;
        };
        note(site, &plan).await?;
        if plan.apply().await? == Applied::Done {
            tracing::info!(object = plan.object(), "turned the profiler on");
            changed = Some(plan.object().to_owned());
            break;
        }
    }
    let end = Instant::now() + site.connection.limits.gate;
    let mut pause = site.connection.limits.first_pause;
    while !has_spread(site, install, switch).await? {
        if Instant::now() >= end {
            let limit = site.connection.limits.gate;
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
    Ok(changed)
}

/// Only what is put back is in the record.
async fn note(site: &Site, plan: &Plan) -> Result<(), Fault> {
    if site.feature_gate != FeatureGate::EnableAndRestore {
        return Ok(());
    }
    let change: Change = plan.change;
    site.hold.note(|record| record.gate = Some(change)).await
}

/// Whether the operator has acted on the configuration and virt-api knows it. What each component
/// knows shows when it is started.
async fn has_spread(site: &Site, install: &Install, switch: gate::Switch) -> Result<bool, Fault> {
    Ok(gate::is_settled(&site.connection, install, switch).await?
        && profiler::probe(&site.connection).await? == Gate::On)
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

/// Puts back what the record says was changed. What cannot be is returned, for a person.
pub(super) async fn restore(site: &Site, install: &Install) -> Option<String> {
    let change = site.hold.record().await?.gate?;
    match gate::restore(&site.connection, install, &change).await {
        Ok(true) => tracing::info!("the gate is as it was"),
        Ok(false) => tracing::warn!("the gate had been put back by somebody else"),
        Err(error) => return Some(left_on(&error)),
    }
    // Should this fail, the next attempt finds nothing to put back.
    let noted = site.hold.note(|record| record.gate = None).await;
    noted.err().map(|fault| fault.message)
}

fn left_on(error: &GateError) -> String {
    format!(
        "the profiler is STILL TURNED ON: {error}; when that is mended: cluster-profiler-job undo"
    )
}

/// Names who else writes what turns the profiler on, for a person.
pub(super) async fn rivals(site: &Site, install: &Install) -> String {
    match gate::rivals(&site.connection, install).await {
        Ok(rivals) if rivals.is_empty() => "nobody is known to have written it".to_owned(),
        Ok(rivals) => format!("it was last written by {}", rivals.join(", ")),
        Err(error) => format!("who wrote it is not known: {error}"),
    }
}
