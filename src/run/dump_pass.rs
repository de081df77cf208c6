//! One pass over the pods of a dump: they are written into the archive as the engine brings them.

use tokio::sync::mpsc;

use super::archive_writer::ArchiveWriter;
use super::context::Context;
use super::judgement::Expectation;
use super::outcome::Fault;
use super::pod_results::PodResults;
use crate::archive::Spool;
use crate::cluster::call::CallError;
use crate::engine::{DumpPlan, Engine, PodDump};
use crate::errors::joined;

/// What ended a dump early.
pub(super) struct Ended {
    pub(super) fault: Fault,
    /// Why a pod is missing, in a few words.
    pub(super) why: String,
}

impl From<CallError> for Ended {
    fn from(error: CallError) -> Self {
        Self {
            why: error.to_string(),
            fault: error.into(),
        }
    }
}

/// Dumps the pods of a plan and writes them, until the dump ends, for the error that is returned, or because
/// the time of a run that was told to stop is over. What the writer has begun, it finishes.
///
/// # Errors
/// The destination failed.
pub(super) async fn pass(
    context: &Context,
    engine: &dyn Engine,
    plan: DumpPlan,
    writer: &mut ArchiveWriter,
    expectation: &Expectation,
    results: &mut PodResults,
) -> Result<Option<CallError>, Fault> {
    // One that waits beside those in flight: enough, since the destination takes them in turn.
    let (sender, mut dumps) = mpsc::channel(1);
    // The plan's own, whose compressors are used again.
    let spool = plan.spool.clone();
    let dump = async {
        let ended = tokio::select! {
            dumped = engine.dump(plan, sender) => dumped.err(),
            () = context.shutdown.dump_time_is_over() => None,
        };
        Ok(ended)
    };
    let write = async {
        while let Some(dump) = dumps.recv().await {
            let dump = compared(dump, &spool, expectation, results).await;
            let bytes = writer.write_pod(dump, expectation, results).await?;
            if let Some(bytes) = bytes {
                context.progress.count_pod(bytes);
            }
        }
        Ok::<_, Fault>(())
    };
    let (ended, ()) = tokio::try_join!(dump, write)?;
    Ok(ended)
}

/// A dump whose pod is held against its baseline: its own thread does that, so that the dump goes on meanwhile.
async fn compared(
    dump: PodDump,
    spool: &Spool,
    expectation: &Expectation,
    results: &PodResults,
) -> PodDump {
    let PodDump::Expected {
        pod,
        result: Ok(mut bundle),
        unexpected_names,
        engine,
    } = dump
    else {
        return dump;
    };
    if let Some(expected) = results.expected(&pod).cloned() {
        let has_restarted = expectation.restarted.contains(&pod);
        let (baseline, spool) = (expectation.baseline.clone(), spool.clone());
        let compare = tokio::task::spawn_blocking(move || {
            let before = baseline.map(|baseline| baseline.of(&expected));
            bundle.compare(&expected, before, has_restarted, &spool);
            bundle
        });
        bundle = joined(compare.await);
    }
    PodDump::Expected {
        pod,
        result: Ok(bundle),
        unexpected_names,
        engine,
    }
}
