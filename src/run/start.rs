//! Starting: all pods at once, and again when some did not.

use super::fault::Fault;
use super::job::Job;
use crate::cluster::call::CallError;
use crate::cluster::pods::ComponentPod;
use crate::cluster::profiler;
use crate::outcome::ExitCode;

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
        let error = match profiler::start(&job.connection).await {
            Ok(()) => return Ok(None),
            Err(error) if !error.may_pass() => return Err(refused(error)),
            Err(error) => error,
        };
        tracing::warn!(%error, tries, "start failed");
        if tries >= job.config.patience.start_tries {
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
