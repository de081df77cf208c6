//! `undo`: what a person does about a run that died and comes no more.

use std::ffi::OsString;
use std::future::pending;

use tokio::sync::mpsc;

use crate::cluster::install::Install;
use crate::cluster::{connect, install, lease, rights};
use crate::config::{EnablePolicy, LogFormat, UndoConfig, undo_config};
use crate::limits::Limits;
use crate::outcome::ExitCode;
use crate::run::Fault;
use crate::run::context::LockedCluster;
use crate::run::phases::lock::clean_up;
use crate::run::run_lease::RunLease;
use crate::run::status::log::{self, complain, say};

/// The name under which the Lease is held meanwhile.
const HOLDER: &str = "undo";

/// What a signal in the middle leaves.
const TOLD: &str = "told to stop in the middle: what the run had left may be undone in part, and its journal stays; \
                    call cluster-profiler-job undo again";

/// Undoes what a run left that died: stops, puts back what turned its profiler on, and takes its journal
/// away.
pub async fn undo(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    limits: Limits,
) -> ExitCode {
    undo_until_told(environment, limits, mpsc::channel(1).1).await
}

/// `undo`, until a signal comes. It ends where it is then, gives the Lease up and leaves the journal in it: what
/// is not undone, the next `undo` or the next run undoes, without waiting for a Lease to die. A second signal ends
/// it at once.
pub async fn undo_until_told(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    limits: Limits,
    mut signals: mpsc::Receiver<ExitCode>,
) -> ExitCode {
    let (telling, config) = undo_config(environment);
    log::init(
        telling.log.or(Some(LogFormat::Text)),
        telling.log_filter.as_deref(),
    );
    let undone = match config {
        Ok(config) => undo_in_cluster(config, limits, &mut signals).await,
        Err(faults) => Err(Fault::usage(faults.to_string())),
    };
    match undone {
        Ok(done) => {
            say(&done);
            ExitCode::Complete
        }
        Err(Fault { code, message, .. }) => {
            complain(&message);
            code
        }
    }
}

/// Says what was done.
///
/// # Errors
/// A live run holds the lock, or something cannot be undone.
async fn undo_in_cluster(
    config: UndoConfig,
    limits: Limits,
    signals: &mut mpsc::Receiver<ExitCode>,
) -> Result<String, Fault> {
    let locked = tokio::select! {
        code = told(signals) => {
            let message = "told to stop before anything was undone";
            return Err(Fault::new(code, message));
        }
        locked = lock(config, limits) => locked?,
    };
    match locked {
        Locked::Nothing(namespace) => Ok(nothing_to_undo(&namespace)),
        Locked::Left(left) => undo_left(*left, signals).await,
    }
}

/// The exit code of the next signal.
async fn told(signals: &mut mpsc::Receiver<ExitCode>) -> ExitCode {
    match signals.recv().await {
        Some(code) => code,
        None => pending().await,
    }
}

/// What there is to undo.
enum Locked {
    /// Nothing, in this namespace.
    Nothing(String),
    Left(Box<Left>),
}

/// What a dead run left, under the Lease.
struct Left {
    cluster: LockedCluster,
    install: Install,
    journal: lease::Journal,
}

/// Takes the Lease, and looks what a dead run left.
///
/// # Errors
/// A live run holds the lock, or the API server failed.
async fn lock(config: UndoConfig, limits: Limits) -> Result<Locked, Fault> {
    let connection = connect::connect(&config.kubeconfig, &config.proxies, limits).await?;
    let install = install::find(&connection, config.namespace.as_deref()).await?;
    let namespace = install.namespace.clone();
    rights::check(&connection, rights::needed(&namespace)).await?;
    if lease::peek(&connection, &namespace).await?.is_none() {
        return Ok(Locked::Nothing(namespace));
    }
    let cluster = LockedCluster {
        connection,
        lease: RunLease::new(),
        run_id: HOLDER.to_owned(),
        // A profiler that was turned off under a run can only be stopped once it is on again.
        enable_policy: EnablePolicy::EnableAndRestore,
        stop_wait: config.stop_wait,
    };
    let taken = cluster.take_lease(&install, config.lock_wait).await?;
    let Some(journal) = taken.left else {
        cluster.lease.release(false, pending()).await?;
        return Ok(Locked::Nothing(namespace));
    };
    Ok(Locked::Left(Box::new(Left {
        cluster,
        install,
        journal,
    })))
}

/// Undoes what was left, and gives the Lease up.
///
/// # Errors
/// Something cannot be undone, or a signal came.
async fn undo_left(left: Left, signals: &mut mpsc::Receiver<ExitCode>) -> Result<String, Fault> {
    let Left {
        cluster,
        install,
        journal,
    } = left;
    let cleaned_up = tokio::select! {
        cleaned_up = clean_up(&cluster, &install, &journal) => cleaned_up,
        lost = cluster.lease.lost() => Err(Fault::may_pass(lost)),
        code = told(signals) => Err(Fault::new(code, TOLD)),
    };
    let keep = cluster.lease.journal();
    let keep = keep.is_some_and(|journal| journal.is_to_be_undone());
    let released = tokio::select! {
        released = cluster.lease.release(keep, pending()) => released,
        code = told(signals) => return Err(Fault::new(code, TOLD)),
    };
    if let Some(remains) = cleaned_up? {
        return Err(Fault::not_allowed(remains.message));
    }
    released?;
    Ok(undone(&journal))
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
