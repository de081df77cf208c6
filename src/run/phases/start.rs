//! Start: profiling is started in all pods at once, and again when some did not start.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cluster::call::CallError;
use crate::cluster::install::Install;
use crate::cluster::lease::Stage;
use crate::cluster::pods::ComponentPod;
use crate::cluster::profiler::{self, DumpAnswer, DumpRequest};
use crate::cluster::retry::Backoff;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::component::{Component, selector};
use crate::limits::{LIST_BEFORE_STOP, POD_LIMIT, WRITE_LIMIT};
use crate::manifest::ExpectedPod;
use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::phase_results::{ReadyPods, StartFailed, Started};
use crate::run::{resume, run_lease, surroundings, vmis};

/// Starts profiling in every Ready component pod, and notes in the journal which pods they are before it
/// is sent. A start that fails is stopped and tried again; one that goes on failing at one pod is no
/// reason to go without the others. A run that is told to stop goes on to the stop.
///
/// # Errors
/// Start is not allowed, fails for another reason than one pod, or the journal cannot be written.
pub(in crate::run) async fn start(context: &Context, pods: ReadyPods) -> Result<Started, Fault> {
    let install = context.install()?;
    tracing::info!(
        run_id = %context.config.run_id,
        kubevirt = install.version,
        namespace = install.namespace,
        pods = pods.expected.len(),
        engine = context.engine.name(),
        "ready to profile"
    );
    let started: Vec<_> = pods.ready.iter().map(|pod| pod.pod.clone()).collect();
    let unstopped = resume::unless_told(context, unstopped(context, install)).await?;
    let vmis = vmis::begin(context).await;
    let surroundings = surroundings::at_start(context, &pods.expected).await;
    let mut slot = context.stop_confirmation.lock().await;
    let lease = &context.cluster.lease;
    let limits = &context.cluster.connection.limits;
    let told = || async {
        context.shutdown.requested().await;
    };
    let noted = lease.note_patiently(limits, told(), |journal| {
        journal.stage = Stage::Started;
        journal.started = Some((limits.now)());
        journal.pods = started.iter().map(Into::into).collect();
    });
    noted.await?;
    let connection = context.cluster.connection.clone();
    let mut confirmation = StopConfirmation::new(connection, install.namespace.clone(), started);
    confirmation.carry(unstopped);
    let confirmation = slot.insert(confirmation);
    let failed = send_start(context, &pods, confirmation).await?;
    let at = (limits.now)();
    if let Some(vmis) = &vmis {
        vmis.open_window();
    }
    let since = Instant::now();
    let noted = lease.note_patiently(limits, told(), |journal| {
        journal.started = Some(at);
        journal.pods = confirmation.started().map(Into::into).collect();
        journal.start_failed = failed.as_ref().map(|f| (f.pod.clone(), f.why.clone()));
    });
    // What is noted of the pods by now is enough to stop them, and their data are at stake.
    run_lease::unless_lost(noted.await)?;
    Ok(Started {
        at,
        since,
        failed,
        expected: pods.expected,
        vmis,
        surroundings: Some(surroundings),
    })
}

/// The pods that earlier runs started and nobody could stop until now.
async fn unstopped(context: &Context, install: &Install) -> Result<Vec<ExpectedPod>, Fault> {
    match context.cluster.lease.journal() {
        Some(journal) if !journal.unstopped.is_empty() => {
            Ok(resume::left_pods(&context.cluster, install, &journal)
                .await?
                .unstopped)
        }
        Some(_) | None => Ok(Vec::new()),
    }
}

/// Sends start until it reached all pods, or all but one that goes on failing.
async fn send_start(
    context: &Context,
    pods: &ReadyPods,
    confirmation: &mut StopConfirmation,
) -> Result<Option<StartFailed>, Fault> {
    let connection = &context.cluster.connection;
    let mut tries = 1;
    // Whether start may have reached a pod.
    let mut reached = false;
    // That the profiler is on is known to one component after the other.
    let spreads = Instant::now() + connection.limits.gate;
    let mut backoff = Backoff::new(&connection.limits);
    let wait = connection.waits.begin();
    let failed = loop {
        let sent = tokio::select! {
            sent = profiler::start(connection) => sent,
            () = told_and_waited(context, POD_LIMIT) => {
                tracing::warn!("start is under way for too long; stopping all the same");
                break None;
            }
        };
        reached |= sent.as_ref().is_err_and(CallError::may_pass);
        let error = match sent {
            Ok(()) => break None,
            Err(error)
                if profiler::is_spreading(&error, context.turned_on())
                    && Instant::now() < spreads =>
            {
                let pause = backoff.next_pause();
                tracing::info!(%error, ?pause, "a component does not know yet that the profiler is on");
                wait.tell(format_args!(
                    "every component to know that the profiler is on: {error}"
                ));
                between_starts(context, &mut backoff).await;
                if context.shutdown.is_requested() {
                    break None;
                }
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
        if context.shutdown.is_requested() {
            break failed;
        }
        if tries >= context.config.patience.start_tries {
            let others = failed.is_some() && somebody_profiles(context, pods).await;
            break Some(failed.filter(|_| others).ok_or(Fault::from(error))?);
        }
        wait.tell(format_args!("the start to succeed: {error}"));
        between_starts(context, &mut backoff).await;
        tries += 1;
    };
    // Pods may have become Ready since they were listed.
    tokio::select! {
        () = confirmation.note_started() => {}
        () = told_and_waited(context, LIST_BEFORE_STOP) => {
            tracing::warn!("pods that came since preflight are not known");
        }
    }
    Ok(failed)
}

/// Stops before the next try, since some pods may have started: it must find them all alike. Then waits until it
/// is time for that, or the run is told to stop.
async fn between_starts(context: &Context, backoff: &mut Backoff) {
    tokio::select! {
        stopped = profiler::stop(&context.cluster.connection) => {
            if let Err(error) = stopped {
                tracing::warn!(%error, "the stop in between failed, too");
            }
        }
        // The stop of the run comes next.
        () = told_and_waited(context, WRITE_LIMIT) => return,
    }
    tokio::select! {
        () = backoff.pause() => {}
        _ = context.shutdown.requested() => {}
    }
}

/// Whether any pod profiles, though start failed at one: virt-api names one pod, whether one failed or all
/// did. A pod that saw stop without a start fails its dump; one that profiles does not. So the first pod
/// of each component is asked, until one does.
async fn somebody_profiles(context: &Context, pods: &ReadyPods) -> bool {
    for component in Component::ALL {
        let request = DumpRequest {
            label_selector: selector(&[component].into()),
            continue_token: String::new(),
            page_size: 1,
        };
        let answer = tokio::select! {
            answer = profiler::dump(&context.cluster.connection, &request) => answer,
            // Whoever profiles is stopped at once.
            _ = context.shutdown.requested() => return false,
        };
        if matches!(answer, Ok(DumpAnswer::Page(_))) {
            return true;
        }
    }
    let pods = pods.ready.len();
    tracing::warn!(pods, "start failed at a pod of every component");
    false
}

/// Resolves so long after a request to stop: a start that is under way may reach its pods until then, so that
/// the stop comes after it.
async fn told_and_waited(context: &Context, wait: Duration) {
    context.shutdown.requested().await;
    sleep(wait).await;
}

fn refused(error: CallError) -> Fault {
    if profiler::is_off(&error) {
        let message = format!("the profiler was turned off after it had been found on: {error}");
        return Fault::not_allowed(message);
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
