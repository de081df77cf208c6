//! Starting: all pods at once, and again when some did not.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::Fault;
use super::job::Job;
use super::preflight::Pods;
use crate::cluster::call::CallError;
use crate::cluster::pods::ComponentPod;
use crate::cluster::profiler::{self, DumpAnswer, DumpRequest};
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::component::{Component, selector};
use crate::outcome::ExitCode;

/// virt-api gives a pod five seconds.
const POD_LIMIT: Duration = Duration::from_secs(6);

/// A pod at which start went on failing while the others profile.
#[derive(Debug, Clone)]
pub(super) struct StartFailed {
    pub(super) pod: String,
    pub(super) why: String,
}

/// Starts profiling. A start that fails is stopped and tried again; one that goes on failing at
/// one pod is no reason to go without the others. A run that is told to stop goes on to the stop.
///
/// # Errors
/// It is not allowed, or fails for another reason than one pod.
pub(super) async fn start(
    job: &Job,
    pods: &Pods,
    confirmation: &mut StopConfirmation,
) -> Result<Option<StartFailed>, Fault> {
    // Whether start may have reached a pod, and whether it was sent again.
    let (mut tries, mut reached, mut again) = (1, false, false);
    // That the gate is open is known to one component after the other.
    let spreads = Instant::now() + job.site.connection.limits.gate;
    let failed = loop {
        let sent = tokio::select! {
            sent = profiler::start(&job.site.connection) => sent,
            () = told_and_waited(job) => break None,
        };
        reached |= sent.as_ref().is_err_and(CallError::may_pass);
        let error = match sent {
            Ok(()) => break None,
            Err(error)
                if profiler::is_spreading(&error, job.opened()) && Instant::now() < spreads =>
            {
                tracing::info!(%error, "a component does not know yet that the profiler is on");
                between_starts(job).await;
                again = true;
                continue;
            }
            Err(error) if !error.may_pass() => {
                if !reached {
                    confirmation.note_refused();
                }
                return Err(refused(error));
            }
            Err(error) => error,
        };
        tracing::warn!(%error, tries, "start failed");
        let failed = at_one_pod(&error, &pods.ready);
        if job.told.now().is_some() {
            break failed;
        }
        if tries >= job.config.patience.start_tries {
            let others = failed.is_some() && somebody_profiles(job, pods).await;
            break Some(failed.filter(|_| others).ok_or(Fault::from(error))?);
        }
        between_starts(job).await;
        (tries, again) = (tries + 1, true);
    };
    if again {
        confirmation.note_started().await;
    }
    Ok(failed)
}

/// Some pods may have started: the next try must find them all alike.
async fn between_starts(job: &Job) {
    if let Err(error) = profiler::stop(&job.site.connection).await {
        tracing::warn!(%error, "the stop in between failed, too");
    }
    tokio::time::sleep(job.site.connection.limits.first_pause).await;
}

/// virt-api names one pod, whether one failed or all did. A pod that saw stop without a start fails
/// its dump; one that profiles does not. So the first pod of each component is asked, until one
/// does.
async fn somebody_profiles(job: &Job, pods: &Pods) -> bool {
    for component in Component::ALL {
        let request = DumpRequest {
            label_selector: selector(&[component].into()),
            continue_token: String::new(),
            page_size: 1,
        };
        let answer = profiler::dump(&job.site.connection, &request).await;
        if matches!(answer, Ok(DumpAnswer::Page(_))) {
            return true;
        }
    }
    let pods = pods.ready.len();
    tracing::warn!(pods, "start failed at a pod of every component");
    false
}

/// A run that is told to stop lets a start that is under way reach its pods, so that the stop comes
/// after it, but for no longer than virt-api waits for a pod.
async fn told_and_waited(job: &Job) {
    job.told.order().await;
    tokio::time::sleep(POD_LIMIT).await;
    tracing::warn!("start is under way for too long; stopping all the same");
}

fn refused(error: CallError) -> Fault {
    if profiler::is_off(&error) {
        let message = format!("the profiler was turned off after it had been found on: {error}");
        return Fault::new(ExitCode::NotAllowed, message);
    }
    error.into()
}

/// The pod that the error is about: virt-api names it, or its address in a URL.
fn at_one_pod(error: &CallError, pods: &[ComponentPod]) -> Option<StartFailed> {
    let text = error.to_string();
    let is_named = |pod: &&ComponentPod| {
        let ip = pod.ip.as_deref().unwrap_or("no address");
        text.contains(&pod.pod.name)
            || text.contains(&format!("//{ip}:"))
            || text.contains(&format!("//[{ip}]:"))
    };
    let pod = pods.iter().find(is_named)?.pod.name.clone();
    Some(StartFailed {
        pod,
        why: format!("start failed: {text}"),
    })
}
