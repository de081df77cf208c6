//! Engines: how the profiles of the expected pods are fetched once profiling has stopped.

pub mod dump;
mod native;
mod page;
mod profile;
mod stream;

use std::future::Future;

use tokio::sync::mpsc;

use crate::cluster::call::CallError;
use dump::{DumpPlan, PodDump};

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
        "native"
    }

    async fn dump(&self, plan: DumpPlan, out: mpsc::Sender<PodDump>) -> Result<(), CallError> {
        native::dump(plan, self.concurrency, out).await
    }
}
