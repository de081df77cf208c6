//! Going on where an attempt of the same run was when it died: what it profiled lies in the pods.

use jiff::Timestamp;

use super::fault::Fault;
use super::job::Job;
use super::lock;
use super::start::StartFailed;
use crate::cluster::confirm::Confirmation;
use crate::cluster::install::Install;
use crate::cluster::lease::Record;
use crate::manifest::{EndedBy, ExpectedPod, Window};
use crate::window::WindowEnd;

/// What an attempt left.
pub(super) struct Resumed {
    pub(super) window: Window,
    pub(super) ended: WindowEnd,
    pub(super) failed: Option<StartFailed>,
    pub(super) expected: Vec<ExpectedPod>,
    pub(super) confirmation: Confirmation,
}

/// Takes up what the record says.
///
/// # Errors
/// The API server failed.
pub(super) async fn resume(job: &Job, install: &Install, left: &Record) -> Result<Resumed, Fault> {
    let started = lock::started(&job.site, install, left).await?;
    let chosen = started
        .iter()
        .filter(|pod| job.config.components.contains(&pod.component));
    let expected: Vec<_> = chosen.cloned().collect();
    tracing::warn!(
        pods = expected.len(),
        stage = ?left.stage,
        "an attempt of this run died: stopping, and dumping what it profiled"
    );
    let now = Timestamp::now();
    let by = left.ended_by.unwrap_or(EndedBy::Died);
    let failed = left.start_failed.clone();
    let (connection, namespace) = (job.site.connection.clone(), install.namespace.clone());
    Ok(Resumed {
        window: Window {
            start: left.started.unwrap_or(now),
            stop: left.stopped.unwrap_or(now),
            ended_by: by,
        },
        ended: WindowEnd {
            by,
            workload_exit_code: left.workload_exit_code,
        },
        failed: failed.map(|(pod, why)| StartFailed { pod, why }),
        confirmation: Confirmation::new(connection, namespace, started),
        expected,
    })
}
