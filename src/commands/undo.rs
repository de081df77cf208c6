//! `undo`: what a person does about a run that died and comes no more.

use std::ffi::OsString;

use crate::cluster::{connect, install, lease, rights};
use crate::config::{EnablePolicy, LogFormat, UndoConfig, undo_config};
use crate::limits::Limits;
use crate::outcome::ExitCode;
use crate::run::Fault;
use crate::run::context::LockedCluster;
use crate::run::phases::lock::{clean_up, take_lease};
use crate::run::run_lease::RunLease;
use crate::run::status::log;

/// The name under which the Lease is held meanwhile.
const HOLDER: &str = "undo";

/// Undoes what a run left that died: stops, puts back what turned its profiler on, and takes its journal
/// away.
pub async fn undo(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    limits: Limits,
) -> ExitCode {
    let (telling, config) = undo_config(environment);
    log::init(
        telling.log.or(Some(LogFormat::Text)),
        telling.log_filter.as_deref(),
    );
    let undone = match config {
        Ok(config) => undo_in_cluster(config, limits).await,
        Err(faults) => Err(Fault::usage(faults.to_string())),
    };
    match undone {
        Ok(done) => {
            println!("{done}");
            ExitCode::Complete
        }
        Err(Fault { code, message, .. }) => {
            eprintln!("{message}");
            code
        }
    }
}

/// Says what was done.
///
/// # Errors
/// A live run holds the lock, or something cannot be undone.
async fn undo_in_cluster(config: UndoConfig, limits: Limits) -> Result<String, Fault> {
    let connection = connect::connect(&config.kubeconfig, &config.proxies, limits).await?;
    let install = install::find(&connection, config.namespace.as_deref()).await?;
    let namespace = &install.namespace;
    rights::check(&connection, rights::needed(namespace)).await?;
    if lease::peek(&connection, namespace).await?.is_none() {
        return Ok(nothing_to_undo(namespace));
    }
    let cluster = LockedCluster {
        connection,
        lease: RunLease::new(),
        run_id: HOLDER.to_owned(),
        // A profiler that was turned off under a run can only be stopped once it is on again.
        enable_policy: EnablePolicy::EnableAndRestore,
        stop_wait: config.stop_wait,
    };
    let taken = take_lease(&cluster, &install, config.lock_wait).await?;
    let Some(left) = taken.left else {
        cluster.lease.release(false).await?;
        return Ok(nothing_to_undo(namespace));
    };
    let cleaned_up = tokio::select! {
        cleaned_up = clean_up(&cluster, &install, &left) => cleaned_up,
        lost = cluster.lease.lost() => Err(Fault::may_pass(lost)),
    };
    let journal = cluster.lease.journal();
    let keep = journal.is_some_and(|journal| journal.is_to_be_undone());
    let released = cluster.lease.release(keep).await;
    if let Some(remains) = cleaned_up? {
        return Err(Fault::not_allowed(remains.message));
    }
    released?;
    Ok(undone(&left))
}

fn undone(left: &lease::Journal) -> String {
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

fn nothing_to_undo(namespace: &str) -> String {
    format!("no run has left anything in {namespace}")
}
