//! `undo`: what a person does about a run that died and comes no more.

use super::fault::Fault;
use super::hold::Hold;
use super::lock;
use super::site::Site;
use crate::cluster::{connect, install, lease, rights};
use crate::config::{FeatureGate, UndoConfig};
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
        feature_gate: FeatureGate::EnableAndRestore,
        lock_wait: config.lock_wait,
        stop_wait: config.stop_wait,
    };
    let (Some(left), _) = lock::take(&site, &install).await? else {
        site.hold.release(false).await?;
        return Ok(nothing(&install.namespace));
    };
    let tidied = lock::tidy(&site, &install, &left).await;
    let record = site.hold.record().await;
    let remains = record.is_some_and(|record| record.is_to_be_undone());
    site.hold.release(remains).await?;
    tidied?;
    if remains {
        let message = "not everything could be undone: see above".to_owned();
        return Err(Fault::new(ExitCode::NotAllowed, message));
    }
    let (run, pods) = (&left.run_id, left.pods.len());
    Ok(format!(
        "undid what the run {run} had left: its {pods} pods do not profile, and the gate is as it was"
    ))
}

fn nothing(namespace: &str) -> String {
    format!("no run has left anything in {namespace}")
}
