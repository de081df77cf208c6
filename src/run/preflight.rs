//! Proof, before anything is changed, that the run can succeed.

use std::io::Write;
use std::path::Path;

use tokio::time::Instant;

use super::fault::Fault;
use super::job::Job;
use crate::archive::check_path;
use crate::cluster::call::Connection;
use crate::cluster::install::{self, Install, InstallError};
use crate::cluster::pods::{self, ComponentPod};
use crate::cluster::profiler::{self, Gate};
use crate::cluster::{enable, rights};
use crate::config::Config;
use crate::destination::Found;
use crate::manifest::{ExpectedPod, Manifest};
use crate::outcome::ExitCode;
use crate::pprof::Kind;

/// What preflight found.
#[derive(Debug)]
pub(super) enum Preflight {
    /// The run can begin.
    Clear(Clear),
    /// The run is at the destination already.
    Shipped(Box<Manifest>),
}

/// What a run begins with.
#[derive(Debug)]
pub(super) struct Clear {
    /// The KubeVirt to profile.
    pub(super) install: Box<Install>,
    /// Every pod that start will reach.
    pub(super) ready: Vec<ComponentPod>,
    /// Those of them that are expected in the dump.
    pub(super) expected: Vec<ExpectedPod>,
}

/// Proves everything, and again after faults that may pass, for as long as the user wants.
///
/// # Errors
/// Something is not as it must be; nothing was changed.
pub(super) async fn prove(job: &Job) -> Result<Preflight, Fault> {
    let end = Instant::now() + job.config.patience.preflight_retry;
    let limits = &job.connection.limits;
    let mut pause = limits.first_pause;
    loop {
        let fault = match prove_once(job).await {
            Err(fault) if fault.code == ExitCode::Retry && Instant::now() < end => fault,
            proof => return proof,
        };
        tracing::warn!(%fault, ?pause, "not ready to profile; trying again");
        tokio::time::sleep_until(end.min(Instant::now() + pause)).await;
        pause = (pause * 2).min(limits.longest_pause);
    }
}

/// Proves everything in turn: what needs no cluster first.
async fn prove_once(job: &Job) -> Result<Preflight, Fault> {
    let Job {
        config,
        connection,
        destination,
        ..
    } = job;
    writable(&config.temporary)?;
    destination.probe().await?;
    match destination.find(&config.run_id).await? {
        Found::Complete(manifest) => return Ok(Preflight::Shipped(manifest)),
        Found::Unfinished => {
            tracing::warn!(run_id = %config.run_id, "an archive without a manifest is replaced");
        }
        Found::Absent => {}
    }
    let install = Box::new(installation(connection, config.namespace.as_deref()).await?);
    gate_is_on(connection, &install).await?;
    let pods = pods::list(connection, &install.namespace).await?;
    let ready: Vec<_> = pods.into_iter().filter(is_ready).collect();
    let expected = expected(config, &install, &ready)?;
    fits(config, &expected)?;
    Ok(Preflight::Clear(Clear {
        install,
        ready,
        expected,
    }))
}

fn writable(temporary: &Path) -> Result<(), Fault> {
    // A full volume makes files, but takes no bytes.
    let written = tempfile::tempfile_in(temporary).and_then(|mut file| file.write_all(&[0; 4096]));
    written.map_err(|error| {
        let path = temporary.display();
        let message = format!(
            "no file can be written in {path}: {error}; mount a volume there or set TMPDIR"
        );
        Fault::new(ExitCode::Usage, message)
    })
}

/// The longest path that a pod will have in the archive must fit.
fn fits(config: &Config, pods: &[ExpectedPod]) -> Result<(), Fault> {
    let longest = Kind::ALL.into_iter().filter_map(Kind::original_name);
    let longest = longest.max_by_key(|name| name.len()).unwrap_or_default();
    let path = |pod: &ExpectedPod| format!("{}/{}/{longest}", config.run_id.stem(), pod.name);
    Ok(pods.iter().try_for_each(|pod| check_path(&path(pod)))?)
}

/// Finds KubeVirt and checks the rights. Where the namespace was set, all that is missing can be
/// told before the first call that needs any of it.
async fn installation(connection: &Connection, namespace: Option<&str>) -> Result<Install, Fault> {
    if let Some(namespace) = namespace {
        rights::check(connection, rights::needed(namespace)).await?;
        return Ok(install::find(connection, Some(namespace)).await?);
    }
    match install::find(connection, None).await {
        Ok(install) => {
            rights::check(connection, rights::needed(&install.namespace)).await?;
            Ok(install)
        }
        // Without a namespace only these are known; still, all that is known is told at once.
        Err(error @ InstallError::NotFound { .. }) => {
            let mut fault = Fault::from(error);
            if let Err(missing) = rights::check(connection, rights::cluster_wide()).await {
                fault.message = format!("{fault}\nAnd {missing}");
            }
            Err(fault)
        }
        Err(error) => Err(error.into()),
    }
}

async fn gate_is_on(connection: &Connection, install: &Install) -> Result<(), Fault> {
    match profiler::probe(connection).await? {
        Gate::On => Ok(()),
        Gate::Off => {
            let command = enable::command(connection, install).await;
            let Install {
                namespace,
                name,
                version,
                ..
            } = install;
            let version = version.as_deref().unwrap_or("of unknown version");
            let message = format!(
                "the profiler is off in KubeVirt {version} ({namespace}/{name}); turn it on: {command}"
            );
            Err(Fault::new(ExitCode::NotAllowed, message))
        }
    }
}

fn is_ready(pod: &ComponentPod) -> bool {
    if !pod.ready {
        tracing::warn!(pod = pod.pod.name, "not Ready: start will not reach it");
    }
    pod.ready
}

/// The Ready pods of the chosen components, of which each must have one.
fn expected(
    config: &Config,
    install: &Install,
    ready: &[ComponentPod],
) -> Result<Vec<ExpectedPod>, Fault> {
    for component in &config.components {
        if !ready.iter().any(|pod| pod.pod.component == *component) {
            let message = format!(
                "no {component} pod in {} is Ready; PROFILER_COMPONENTS can leave it out",
                install.namespace
            );
            return Err(Fault::new(ExitCode::Retry, message));
        }
    }
    let chosen = ready
        .iter()
        .filter(|pod| config.components.contains(&pod.pod.component));
    Ok(chosen.map(|pod| pod.pod.clone()).collect())
}
