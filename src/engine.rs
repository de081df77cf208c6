//! Engines: how the profiles of the expected pods are fetched once profiling has stopped.

mod native;
mod page;
mod pod_dump;
mod stream;
mod upstream;

use std::collections::BTreeSet;
use std::future::Future;

use tokio::sync::mpsc;

use crate::cluster::call::CallError;
use crate::config::{Config, EngineConfig};
use pod_dump::{CLUSTER_PROFILER, NATIVE};
pub use pod_dump::{DumpPlan, PodDump};
pub use upstream::program::Program;

/// Fetches dumps. Start and stop are the run's own, whatever the engine.
pub trait Engine: Send + Sync + 'static {
    /// Its name in the log and the manifest.
    fn name(&self) -> &'static str;

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
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// Fetches pods one at a time by a token each, several at once.
#[derive(Debug, Clone, Copy)]
pub struct Native {
    /// Pods fetched at once.
    pub concurrency: usize,
}

impl Engine for Native {
    fn name(&self) -> &'static str {
        NATIVE
    }

    async fn dump(&self, plan: DumpPlan, out: mpsc::Sender<PodDump>) -> Result<(), CallError> {
        native::dump(&plan, self.concurrency, &BTreeSet::new(), &out).await?;
        Ok(())
    }
}

/// Runs upstream's program; what it does not deliver whole is fetched natively.
#[derive(Debug, Clone)]
pub struct ClusterProfiler {
    /// The program.
    pub program: Program,
    /// Pods fetched at once, of those that it does not deliver.
    pub concurrency: usize,
}

impl Engine for ClusterProfiler {
    fn name(&self) -> &'static str {
        CLUSTER_PROFILER
    }

    async fn dump(&self, plan: DumpPlan, out: mpsc::Sender<PodDump>) -> Result<(), CallError> {
        upstream::dump(&plan, &self.program, self.concurrency, &out).await
    }
}

/// The engine that the configuration names.
#[derive(Debug, Clone)]
pub enum Configured {
    /// This program's own.
    Native(Native),
    /// Upstream's program.
    ClusterProfiler(ClusterProfiler),
}

impl Configured {
    /// The engine of a configuration.
    pub fn new(config: &Config) -> Self {
        let concurrency = config.concurrency;
        match &config.engine {
            EngineConfig::Native => Self::Native(Native { concurrency }),
            EngineConfig::ClusterProfiler { program, page_size } => {
                Self::ClusterProfiler(ClusterProfiler {
                    program: Program {
                        path: program.clone(),
                        page_size: *page_size,
                        kubeconfig: config.kubeconfig.clone(),
                    },
                    concurrency,
                })
            }
        }
    }
}

impl Engine for Configured {
    fn name(&self) -> &'static str {
        match self {
            Self::Native(engine) => engine.name(),
            Self::ClusterProfiler(engine) => engine.name(),
        }
    }

    async fn dump(&self, plan: DumpPlan, out: mpsc::Sender<PodDump>) -> Result<(), CallError> {
        match self {
            Self::Native(engine) => engine.dump(plan, out).await,
            Self::ClusterProfiler(engine) => engine.dump(plan, out).await,
        }
    }
}
