//! Start, window, stop; or only the last, of a window whose attempt died.

use jiff::Timestamp;
use tokio::time::Instant;

use super::fault::Fault;
use super::job::Job;
use super::phase::{Clock, Phase};
use super::preflight::{self, Pods};
use super::resume::{self, Resumed};
use super::start::{self, StartFailed};
use super::{signal_files, stop};
use crate::cluster::confirm::Confirmation;
use crate::cluster::install::Install;
use crate::cluster::lease::{self, Stage};
use crate::engine::Engine;
use crate::manifest::{ExpectedPod, Window};
use crate::window::{self, WindowEnd};

/// What a window left.
pub(super) struct Profiled {
    pub(super) window: Window,
    pub(super) ended: WindowEnd,
    pub(super) failed: Option<StartFailed>,
    pub(super) expected: Vec<ExpectedPod>,
    /// When the stop is given up, confirmed or not.
    pub(super) stop_until: Instant,
}

/// Everything up to a stop: of a window of this attempt, or of one whose attempt died.
///
/// # Errors
/// The first thing that failed.
pub(super) async fn profile<E: Engine>(
    job: &Job,
    engine: &E,
    (install, left): (&Install, Option<lease::Record>),
    clock: &mut Clock,
) -> Result<Profiled, Fault> {
    if let Some(left) = left {
        return take_up(job, (install, &left), clock).await;
    }
    let pods = preflight::pods(job, install).await?;
    tracing::info!(
        run_id = %job.config.run_id,
        kubevirt = install.version,
        namespace = install.namespace,
        pods = pods.expected.len(),
        engine = engine.name(),
        "ready to profile"
    );
    window(job, (install, pods), clock).await
}

/// Stop, of a window whose attempt died.
async fn take_up(
    job: &Job,
    (install, left): (&Install, &lease::Record),
    clock: &mut Clock,
) -> Result<Profiled, Fault> {
    let Resumed {
        window,
        ended,
        failed,
        expected,
        confirmation,
    } = resume::resume(job, install, left).await?;
    clock.enter(Phase::Stop);
    let mut held = job.confirmation.lock().await;
    let stop_until = stop(job, install, (held.insert(confirmation), ended)).await?;
    Ok(Profiled {
        window,
        ended,
        failed,
        expected,
        stop_until,
    })
}

/// Start, window, stop.
async fn window(
    job: &Job,
    (install, pods): (&Install, Pods),
    clock: &mut Clock,
) -> Result<Profiled, Fault> {
    let started: Vec<_> = pods.ready.iter().map(|pod| pod.pod.clone()).collect();
    let mut held = job.confirmation.lock().await;
    clock.enter(Phase::Start);
    job.site
        .hold
        .note(|record| {
            record.stage = Stage::Started;
            record.started = Some(Timestamp::now());
            record.pods = started.iter().map(Into::into).collect();
        })
        .await?;
    let (connection, namespace) = (job.site.connection.clone(), install.namespace.clone());
    let confirmation = held.insert(Confirmation::new(connection, namespace, started));
    let failed = start::start(job, &pods, confirmation).await?;
    let begin = Timestamp::now();
    job.site
        .hold
        .note(|record| {
            record.started = Some(begin);
            record.pods = confirmation.waiting().iter().map(Into::into).collect();
            record.start_failed = failed.as_ref().map(|f| (f.pod.clone(), f.why.clone()));
        })
        .await?;
    clock.enter(Phase::Window);
    let ended = open(job).await?;
    clock.enter(Phase::Stop);
    signal_files::not_ready(&job.config.signals);
    let end = Timestamp::now();
    // The stop waits for nothing: should this not be written, it is sent all the same.
    let noted = job.site.hold.note(|record| {
        record.stopped = Some(end);
        record.ended_by = Some(ended.by);
        record.workload_exit_code = ended.workload_exit_code;
    });
    if let Err(fault) = noted.await {
        tracing::warn!(%fault, "the record of this run could not be written");
    }
    let stop_until = stop(job, install, (confirmation, ended)).await?;
    Ok(Profiled {
        window: Window {
            start: begin,
            stop: end,
            ended_by: ended.by,
        },
        ended,
        failed,
        expected: pods.expected,
        stop_until,
    })
}

/// Stop. Gives the time when it is given up.
async fn stop(
    job: &Job,
    install: &Install,
    (confirmation, ended): (&mut Confirmation, WindowEnd),
) -> Result<Instant, Fault> {
    let stop_until = Instant::now() + job.config.patience.stop_wait;
    stop::stop(confirmation, stop_until, job, install).await?;
    if confirmation.is_confirmed() {
        job.site.hold.note_stopped().await?;
        tracing::info!(ended_by = ?ended.by, "profiling is off");
    }
    Ok(stop_until)
}

/// Opens the window, and waits for its end. One that ends before it opens is not told of.
async fn open(job: &Job) -> Result<WindowEnd, Fault> {
    if let Some(order) = job.told.now() {
        return Ok(WindowEnd {
            by: order.by,
            workload_exit_code: None,
        });
    }
    signal_files::ready(&job.config.signals)?;
    let longest = longest(job);
    tracing::info!(longest = %humantime::format_duration(longest), "profiling is on");
    job.progress.window(longest);
    let told = async { job.told.order().await.by };
    Ok(window::wait_for_end(&job.config.window, &job.config.signals.stop, told).await)
}

/// How long the window can last as far as is known when it opens.
fn longest(job: &Job) -> std::time::Duration {
    let config = &job.config.window;
    if config.settle_after_stop_file {
        config.max
    } else {
        config.settle
    }
}
