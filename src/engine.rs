//! Engines: how the profiles of the expected pods are fetched once profiling has stopped.

mod base64_value;
mod bounded_names;
mod native;
mod pace;
mod page;
mod pod_dump;
mod stream;
mod upstream;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::{BufReader, Read};

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::archive::{PodBundle, Spool};
use crate::cluster::call::CallError;
use crate::config::{Config, EngineConfig};
use crate::manifest::UnexpectedName;
use page::Wanted;
use pod_dump::{CLUSTER_PROFILER, NATIVE};
pub use pod_dump::{DumpPlan, PodDump};
pub use upstream::program::Program;

/// An engine: it fetches dumps. Start and stop are the run's own, whatever the engine.
pub trait Engine: Debug + Send + Sync {
    /// Its name in the log and the manifest.
    fn name(&self) -> &'static str;

    /// The engine that dumps in its place where an attempt of the run died in this one's dump: one that takes
    /// little memory. `None` of an engine that does itself.
    fn substitute(&self) -> Option<Native> {
        None
    }

    /// Dumps every pod of the plan, handing over each as it comes, in any order. A pod that cannot
    /// be had is handed over as missing and is no error.
    ///
    /// Whoever takes them may go away; then the dump ends early, without an error of its own.
    ///
    /// # Errors
    /// The API server failed for good.
    fn dump(
        &self,
        plan: DumpPlan,
        out: mpsc::Sender<PodDump>,
    ) -> BoxFuture<'_, Result<(), CallError>>;
}

/// Removes what runs that were killed left of their dumps in the temporary directory: this run's earlier attempts,
/// and whatever is older than a day.
pub async fn remove_abandoned(spool: &Spool) {
    let spool = spool.clone();
    // What it cannot remove it has said.
    let _ = tokio::task::spawn_blocking(move || upstream::scratch::remove_abandoned(&spool)).await;
}

/// The engine that the configuration names.
pub fn configured(config: &Config) -> Box<dyn Engine> {
    let concurrency = config.concurrency;
    match &config.engine {
        EngineConfig::Native => Box::new(Native { concurrency }),
        EngineConfig::ClusterProfiler { program, page_size } => Box::new(ClusterProfiler {
            program: Program {
                path: program.clone(),
                page_size: *page_size,
                kubeconfig: config.kubeconfig.clone(),
            },
            concurrency,
        }),
    }
}

/// The native engine: it fetches pods one at a time by a token each, several at once.
#[derive(Debug, Clone, Copy)]
pub struct Native {
    /// Pods fetched at once.
    pub concurrency: usize,
}

impl Engine for Native {
    fn name(&self) -> &'static str {
        NATIVE
    }

    fn dump(
        &self,
        plan: DumpPlan,
        out: mpsc::Sender<PodDump>,
    ) -> BoxFuture<'_, Result<(), CallError>> {
        async move {
            native::dump(&plan, self.concurrency, &BTreeSet::new(), &out).await?;
            Ok(())
        }
        .boxed()
    }
}

/// The upstream engine: it runs upstream's program, and fetches natively what that does not deliver whole.
#[derive(Debug, Clone)]
pub struct ClusterProfiler {
    /// The program.
    pub program: Program,
    /// Pods fetched at once, of those that the program does not deliver.
    pub concurrency: usize,
}

impl Engine for ClusterProfiler {
    fn name(&self) -> &'static str {
        CLUSTER_PROFILER
    }

    fn substitute(&self) -> Option<Native> {
        Some(Native {
            concurrency: self.concurrency,
        })
    }

    fn dump(
        &self,
        plan: DumpPlan,
        out: mpsc::Sender<PodDump>,
    ) -> BoxFuture<'_, Result<(), CallError>> {
        async move { upstream::dump(&plan, &self.program, self.concurrency, &out).await }.boxed()
    }
}

/// Reads a page that is no run's: a pod's profiles, and the names that nobody asked for. `helpers/fuzz` calls it.
///
/// # Errors
/// The page cannot be used.
#[doc(hidden)]
pub fn read_page(
    body: impl Read,
    pod: &str,
    spool: &Spool,
) -> Result<(Option<PodBundle>, Vec<UnexpectedName>), String> {
    let wanted = Wanted {
        pod: pod.to_owned(),
        dumped_at: Timestamp::UNIX_EPOCH,
    };
    let page =
        page::read(BufReader::new(body), &wanted, spool).map_err(|error| error.to_string())?;
    Ok((page.bundle, page.unexpected_names))
}
