//! `undo`: what a person does about a run that died and comes no more.

use super::fault::Fault;
use super::hold::Hold;
use super::lock;
use super::site::Site;
use crate::cluster::{connect, install, lease, rights};
use crate::config::{EnablePolicy, UndoConfig};
use crate::limits::Limits;
use crate::outcome::ExitCode;

/// Who holds the lock meanwhile.
const NAME: &str = "undo";

/// Stops, puts the gate back, and takes the record away. Says what was done.
///
/// # Errors
/// A live run holds the lock, or something cannot be undone.
pub(super) async fn undo(config: UndoConfig, limits: Limits) -> Result<String, Fault> {
    let connection = connect::connect(&config.kubeconfig, limits).await?;
    let namespace = config.namespace.as_deref();
    let install = install::find(&connection, namespace).await?;
    rights::check(&connection, rights::needed(&install.namespace)).await?;
    if lease::peek(&connection, &install.namespace)
        .await?
        .is_none()
    {
        return Ok(nothing(&install.namespace));
    }
    let site = Site {
        connection,
        hold: Hold::new(),
        run_id: NAME.to_owned(),
        // A profiler that was turned off under a run can only be stopped once it is on again.
        enable_policy: EnablePolicy::EnableAndRestore,
        stop_wait: config.stop_wait,
    };
    let (Some(left), _) = lock::take(&site, &install, config.lock_wait).await? else {
        site.hold.release(false).await?;
        return Ok(nothing(&install.namespace));
    };
    let tidied = tokio::select! {
        tidied = lock::tidy(&site, &install, &left) => tidied,
        lost = site.hold.lost() => Err(Fault::new(ExitCode::Retry, lost)),
    };
    let record = site.hold.record().await;
    let keep = record.is_some_and(|record| record.is_to_be_undone());
    let released = site.hold.release(keep).await;
    if let Some(remains) = tidied? {
        return Err(Fault::new(ExitCode::NotAllowed, remains));
    }
    released?;
    Ok(done(&left))
}

fn done(left: &lease::Record) -> String {
    let pods = left.pods.len();
    if left.is_known() {
        let run = &left.run_id;
        format!(
            "undid what the run {run} had left: its {pods} pods do not profile, and the gate is as it was"
        )
    } else {
        "no component pod profiles; what the run had done about the gate is not known, for its record \
         could not be read: see whether the profiler is to be on"
            .to_owned()
    }
}

fn nothing(namespace: &str) -> String {
    format!("no run has left anything in {namespace}")
}
