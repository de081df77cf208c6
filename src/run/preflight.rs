//! Proof, before anything is changed, that the run can succeed.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::fault::Fault;
use super::gate;
use super::job::Job;
use crate::archive::check_path;
use crate::cluster::call::Connection;
use crate::cluster::install::{self, Install, InstallError};
use crate::cluster::lease::{self, Stage};
use crate::cluster::pods::{self, ComponentPod};
use crate::cluster::profiler::{self, Gate};
use crate::cluster::rights;
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
    /// The run is at the destination already, for good.
    Shipped(Box<Manifest>),
}

/// What a run begins with.
#[derive(Debug)]
pub(super) struct Clear {
    /// The KubeVirt to profile.
    pub(super) install: Box<Install>,
    /// Whether its profiler is on.
    pub(super) gate: Gate,
    /// What the destination has of the run.
    pub(super) found: Found,
}

/// The pods of a run.
#[derive(Debug)]
pub(super) struct Pods {
    /// Every pod that start will reach.
    pub(super) ready: Vec<ComponentPod>,
    /// Those of them that are expected in the dump.
    pub(super) expected: Vec<ExpectedPod>,
}

/// A run that cannot begin, and the KubeVirt, if one was found: a dead run may have left something
/// there.
pub(super) struct Refused {
    pub(super) fault: Fault,
    pub(super) install: Option<Box<Install>>,
}

/// Proves everything, and again after faults that may pass, for as long as the user wants.
///
/// # Errors
/// Something is not as it must be; nothing was changed.
pub(super) async fn prove(job: &Job) -> Result<Preflight, Refused> {
    let (mut install, mut tries) = (None, Tries::new(job));
    loop {
        match prove_once(job, &mut install).await {
            Ok(proof) => return Ok(proof),
            Err(fault) if tries.again(&fault).await => {}
            Err(fault) => return Err(Refused { fault, install }),
        }
    }
}

/// The pods, once there is a Ready one of every chosen component.
///
/// # Errors
/// There is none within the time that the user wants to wait.
pub(super) async fn pods(job: &Job, install: &Install) -> Result<Pods, Fault> {
    let mut tries = Tries::new(job);
    loop {
        match pods_once(job, install).await {
            Err(fault) if tries.again(&fault).await => {}
            pods => return pods,
        }
    }
}

async fn pods_once(job: &Job, install: &Install) -> Result<Pods, Fault> {
    let pods = pods::list(&job.site.connection, &install.namespace).await?;
    let ready: Vec<_> = pods.into_iter().filter(is_ready).collect();
    let expected = expected(&job.config, install, &ready)?;
    fits(&job.config, &expected)?;
    Ok(Pods { ready, expected })
}

/// Tries of what may pass.
struct Tries {
    end: Instant,
    pause: Duration,
    longest: Duration,
}

impl Tries {
    fn new(job: &Job) -> Self {
        let limits = &job.site.connection.limits;
        Self {
            end: Instant::now() + job.config.patience.preflight_retry,
            pause: limits.first_pause,
            longest: limits.longest_pause,
        }
    }

    /// Whether to try again, once it is time to.
    async fn again(&mut self, fault: &Fault) -> bool {
        if fault.code != ExitCode::Retry || Instant::now() >= self.end {
            return false;
        }
        let pause = self.pause;
        tracing::warn!(%fault, ?pause, "not ready to profile; trying again");
        tokio::time::sleep_until(self.end.min(Instant::now() + pause)).await;
        self.pause = (pause * 2).min(self.longest);
        true
    }
}

/// Proves everything in turn: what needs no cluster first, but whatever that says, the KubeVirt is
/// looked for, since a dead run may have left something there.
async fn prove_once(job: &Job, known: &mut Option<Box<Install>>) -> Result<Preflight, Fault> {
    let (config, connection) = (&job.config, &job.site.connection);
    writable(&config.temporary)?;
    let found = match job.find().await {
        // A run that is there for good needs nothing more of any destination.
        Ok(Found::Complete(manifest)) if manifest.is_final() => {
            return Ok(Preflight::Shipped(manifest));
        }
        Ok(Found::Untrue(error)) => Err(error.into()),
        Ok(found) => probe(job).await.map(|()| found),
        Err(fault) => Err(fault),
    };
    let installed = installation(connection, config).await;
    *known = installed.as_ref().ok().cloned();
    let found = match (found, &installed) {
        (Err(fault), Ok(install)) if is_for_fallback(job, install).await => {
            tracing::warn!(%fault, "going on, for the fallback has room for what an attempt left");
            Found::Unknown
        }
        (found, _) => found?,
    };
    let install = installed?;
    let gate = profiler::probe(connection).await?;
    if gate == Gate::Off && !config.enable_policy.may_enable() {
        return Err(gate::is_off(&job.site, &install).await);
    }
    Ok(Preflight::Clear(Clear {
        install,
        gate,
        found,
    }))
}

async fn probe(job: &Job) -> Result<(), Fault> {
    for destination in job.destinations() {
        destination.probe(&job.config.run_id).await?;
    }
    Ok(())
}

/// Whether the pods have what an attempt of this run left, and it can be shipped to the fallback.
async fn is_for_fallback(job: &Job, install: &Install) -> bool {
    let Some(fallback) = &job.fallback else {
        return false;
    };
    let left = lease::peek(&job.site.connection, &install.namespace).await;
    let run = job.config.run_id.as_str();
    let is_ours = |left: lease::Record| left.run_id == run && left.stage > Stage::Begun;
    left.is_ok_and(|left| left.is_some_and(is_ours))
        && fallback.probe(&job.config.run_id).await.is_ok()
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

/// Finds KubeVirt and checks the rights. Where the namespace was set, nearly all that is missing can
/// be told before the first call that needs any of it.
async fn installation(connection: &Connection, config: &Config) -> Result<Box<Install>, Fault> {
    if let Some(namespace) = &config.namespace {
        rights::check(connection, rights::needed(namespace)).await?;
    }
    let install = match install::find(connection, config.namespace.as_deref()).await {
        Ok(install) => install,
        // Without a namespace only these are known; still, all that is known is told at once.
        Err(error @ InstallError::NotFound { .. }) => {
            let mut fault = Fault::from(error);
            if let Err(missing) = rights::check(connection, rights::cluster_wide()).await {
                fault.message = format!("{fault}\nAnd {missing}");
            }
            return Err(fault);
        }
        Err(error) => return Err(error.into()),
    };
    let mut needed = match config.namespace {
        Some(_) => Vec::new(),
        None => rights::needed(&install.namespace),
    };
    if config.enable_policy.may_enable() {
        needed.extend(rights::of_gate(&install));
    }
    rights::check(connection, needed).await?;
    Ok(Box::new(install))
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
