//! Preflight: proof, before anything is changed, that the run can succeed.

use std::io::Write;
use std::path::Path;

use tokio::time::{Instant, timeout};

use crate::archive::check_path;
use crate::cluster::call::Connection;
use crate::cluster::install::{self, Install, InstallError};
use crate::cluster::lease::{self, Journal, Stage};
use crate::cluster::pods::{self, ComponentPod};
use crate::cluster::profiler::ProfilerState;
use crate::cluster::retry::{Backoff, Doubt, Wait};
use crate::cluster::rights;
use crate::config::Config;
use crate::destination::Found;
use crate::limits::ADVICE_WAIT;
use crate::manifest::ExpectedPod;
use crate::pprof::Kind;
use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::phase_results::{Preflight, Ready, ReadyPods, Refused};
use crate::run::{profiler_switch, pushing, snapshots, vmis};

/// Proves everything, and again after faults that may pass, for PROFILER_PREFLIGHT_RETRY or until the
/// run is told to stop.
///
/// # Errors
/// Something is not as it must be; nothing was changed.
pub(in crate::run) async fn prove(context: &Context) -> Result<Preflight, Refused> {
    // The KubeVirt, even of a proof that failed: a dead run may have left something there.
    let mut install = None;
    let proof = tokio::select! {
        biased;
        request = context.shutdown.requested() => {
            return Err(Refused {
                fault: Fault::before_start(request, None),
                clean_up_in: None,
            });
        }
        proof = prove_until_it_holds(context, &mut install) => proof,
    };
    let fault = match proof {
        Ok(proof) => {
            if let Some(install) = install {
                context.install.get_or_init(|| install);
            }
            return Ok(proof);
        }
        Err(fault) => fault,
    };
    let mut clean_up_in = install.filter(|_| !context.config.dry_run);
    if let Some(install) = &clean_up_in
        && !has_open_journal(context, install).await
    {
        clean_up_in = None;
    }
    Err(Refused { fault, clean_up_in })
}

/// Whether there is a journal of a run, dead or alive, with something to undo or to ship.
async fn has_open_journal(context: &Context, install: &Install) -> bool {
    let journal = lease::peek(&context.cluster.connection, &install.namespace).await;
    journal.is_ok_and(|journal| journal.is_some_and(|journal| journal.is_open()))
}

async fn prove_until_it_holds(
    context: &Context,
    install: &mut Option<Box<Install>>,
) -> Result<Preflight, Fault> {
    context.config.push.iter().for_each(pushing::tell_of_faults);
    let mut tries = Tries::new(context);
    loop {
        match prove_once(context, install).await {
            Err(fault) if tries.again(&fault).await => {}
            proof => return proof,
        }
    }
}

/// Finds the component pods, once there is a Ready one of every chosen component.
///
/// # Errors
/// There is none within PROFILER_PREFLIGHT_RETRY.
pub(in crate::run) async fn ready_pods(context: &Context) -> Result<ReadyPods, Fault> {
    let mut tries = Tries::new(context);
    loop {
        match ready_pods_now(context).await {
            Err(fault) if tries.again(&fault).await => {}
            pods => return pods,
        }
    }
}

async fn ready_pods_now(context: &Context) -> Result<ReadyPods, Fault> {
    let install = context.install()?;
    let pods = pods::list(&context.cluster.connection, &install.namespace).await?;
    let ready: Vec<_> = pods.into_iter().filter(is_ready).collect();
    let expected = expected(&context.config, install, &ready)?;
    check_paths(&context.config, &expected)?;
    Ok(ReadyPods { ready, expected })
}

/// Tries of what may pass.
struct Tries {
    end: Instant,
    /// An attempt before may have left pods profiling, which only one that goes on can stop.
    doubt: Doubt,
    backoff: Backoff,
    wait: Wait,
}

impl Tries {
    fn new(context: &Context) -> Self {
        Self {
            end: Instant::now() + context.config.patience.preflight_retry,
            doubt: Doubt::new(&context.cluster.connection.limits),
            backoff: Backoff::new(&context.cluster.connection.limits),
            wait: context.cluster.connection.waits.begin(),
        }
    }

    /// Whether to try again, once it is time to.
    async fn again(&mut self, fault: &Fault) -> bool {
        if !self.doubt.may_pass(fault.outlook) || Instant::now() >= self.end {
            return false;
        }
        let pause = self.backoff.next_pause();
        tracing::warn!(%fault, ?pause, "not ready to profile; trying again");
        self.wait.tell(format_args!("what the run needs: {fault}"));
        self.backoff.pause_until(self.end).await;
        true
    }
}

/// Proves everything in turn: what needs no cluster first, but whatever that says, the KubeVirt is
/// looked for, since a dead run may have left something there.
async fn prove_once(
    context: &Context,
    known: &mut Option<Box<Install>>,
) -> Result<Preflight, Fault> {
    let config = &context.config;
    let connection = &context.cluster.connection;
    check_temporary_directory(&config.temporary)?;
    let destination = match context.find().await {
        // A run that is there for good needs nothing more of any destination.
        Ok(Found::Complete(manifest)) if manifest.is_final() => {
            let own = cluster_uid(connection, config).await;
            let found = Found::Complete(manifest).of_cluster(own.as_deref());
            if let Found::Complete(manifest) = found {
                return Ok(Preflight::AlreadyThere(manifest));
            }
            Ok(found)
        }
        Ok(found) if found.is_in_the_way() => Ok(found),
        Ok(found) => probe_destinations(context).await.map(|()| found),
        Err(error) => Err(error.into()),
    };
    let installed = find_install(connection, config).await;
    *known = installed.as_ref().ok().cloned();
    let uid = known.as_ref().and_then(|install| install.uid.as_deref());
    let destination = match destination.map(|found| found.of_cluster(uid)) {
        Ok(Found::Invalid(error) | Found::Mismatched(error)) => Err(error.into()),
        destination => destination,
    };
    let found = match (destination, &installed) {
        (Err(fault), Ok(install)) if may_be_shipped(context, install).await => {
            tracing::warn!(%fault, "going on, for what an attempt left can be shipped all the same");
            Found::Unknown
        }
        (found, _) => found?,
    };
    let install = installed?;
    let profiler = profiler_switch::state(&context.cluster, &install).await?;
    if profiler == ProfilerState::Off && !config.enable_policy.may_enable() {
        return Err(profiler_switch::is_off(&context.cluster, &install).await);
    }
    Ok(Preflight::Ready(Ready { profiler, found }))
}

/// This cluster's identity, as far as it can be had: a run that is there needs nothing else of the cluster.
async fn cluster_uid(connection: &Connection, config: &Config) -> Option<String> {
    let find = install::find(connection, config.namespace.as_deref());
    let found = timeout(ADVICE_WAIT, find).await;
    found.ok()?.ok()?.uid
}

async fn probe_destinations(context: &Context) -> Result<(), Fault> {
    for destination in context.destinations() {
        destination.probe(&context.config.run_id).await?;
    }
    Ok(())
}

/// Whether the pods have what an attempt of this run left, and it can be shipped: to the fallback, beside what
/// cannot be understood, or where that attempt's unfinished archive takes the room.
async fn may_be_shipped(context: &Context, install: &Install) -> bool {
    let run_id = &context.config.run_id;
    let journal = lease::peek(&context.cluster.connection, &install.namespace).await;
    let is_left = |left: Journal| left.run_id == run_id.as_str() && left.stage > Stage::Begun;
    if !journal.is_ok_and(|left| left.is_some_and(is_left)) {
        return false;
    }
    if context.destination.has_room_after(run_id).await {
        return true;
    }
    let is_in_the_way = |found: Found| found.of_cluster(install.uid.as_deref()).is_in_the_way();
    if context.find().await.is_ok_and(is_in_the_way) && probe_destinations(context).await.is_ok() {
        return true;
    }
    match &context.fallback {
        Some(fallback) => fallback.probe(run_id).await.is_ok(),
        None => false,
    }
}

fn check_temporary_directory(temporary: &Path) -> Result<(), Fault> {
    // A full volume makes files, but takes no bytes.
    let written = tempfile::tempfile_in(temporary).and_then(|mut file| file.write_all(&[0; 4096]));
    written.map_err(|error| {
        let path = temporary.display();
        let message = format!(
            "no file can be written in {path}: {error}; mount a volume there or set TMPDIR"
        );
        Fault::usage(message)
    })
}

/// Checks that the longest path of each pod fits the archive's headers.
fn check_paths(config: &Config, pods: &[ExpectedPod]) -> Result<(), Fault> {
    let originals = Kind::ALL.into_iter().filter_map(Kind::original_name);
    let paths = originals
        .map(str::to_owned)
        .chain(snapshots::longest_path(config));
    let longest = paths.max_by_key(String::len).unwrap_or_default();
    let path = |pod: &ExpectedPod| format!("{}/{}/{longest}", config.run_id.stem(), pod.name);
    Ok(pods.iter().try_for_each(|pod| check_path(&path(pod)))?)
}

/// Finds KubeVirt and checks the rights. Where the namespace was set, nearly all that is missing can
/// be told before the first call that needs any of it.
async fn find_install(connection: &Connection, config: &Config) -> Result<Box<Install>, Fault> {
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
        needed.extend(rights::to_switch(&install));
    }
    rights::check(connection, needed).await?;
    vmis::prove(connection, config).await?;
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
            return Err(Fault::may_pass(message));
        }
    }
    let chosen = ready
        .iter()
        .filter(|pod| config.components.contains(&pod.pod.component));
    Ok(chosen.map(|pod| pod.pod.clone()).collect())
}
