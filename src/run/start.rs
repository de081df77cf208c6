//! Starting: all pods at once, and again when some did not.

use std::time::Duration;

use super::fault::Fault;
use super::job::Job;
use crate::cluster::call::CallError;
use crate::cluster::pods::ComponentPod;
use crate::cluster::profiler;
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
/// one pod is no reason to go without the others.
///
/// # Errors
/// It is not allowed, or fails for another reason than one pod.
pub(super) async fn start(job: &Job, pods: &[ComponentPod]) -> Result<Option<StartFailed>, Fault> {
    let mut tries = 1;
    loop {
        let sent = tokio::select! {
            sent = profiler::start(&job.connection) => sent,
            () = told_and_waited(job) => return Ok(None),
        };
        let error = match sent {
            Ok(()) => return Ok(None),
            Err(error) if !error.may_pass() => return Err(refused(error)),
            Err(error) => error,
        };
        tracing::warn!(%error, tries, "start failed");
        if tries >= job.config.patience.start_tries || job.told.now().is_some() {
            return at_one_pod(&error, pods)
                .map(Some)
                .ok_or_else(|| error.into());
        }
        // Some pods may have started: the next try must find them all alike.
        if let Err(error) = profiler::stop(&job.connection).await {
            tracing::warn!(%error, "the stop in between failed, too");
        }
        tokio::time::sleep(job.connection.limits.first_pause).await;
        tries += 1;
    }
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
