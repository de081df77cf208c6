//! The engine of a dump, and one pass of it over the pods: they are written into the archive as it brings them.

use tokio::sync::mpsc;

use super::archive_writer::ArchiveWriter;
use super::context::Context;
use super::judgement::Expectation;
use super::outcome::Fault;
use super::pod_results::PodResults;
use crate::archive::Spool;
use crate::cluster::call::CallError;
use crate::engine::{DumpPlan, Engine, Native, PodDump};
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

/// The engine that dumps.
pub(super) struct ChosenEngine<'a> {
    asked: &'a dyn Engine,
    substitute: Option<Native>,
    /// Why it is not the one that was asked for, if it is not.
    pub(super) reason: Option<String>,
}

impl<'a> ChosenEngine<'a> {
    /// Notes that the engine that was asked for dumps from now on, if it may take more memory than there is: the
    /// runner dies with it then, and so would each next attempt. Its substitute dumps where an attempt died in its
    /// dump, or where this cannot be noted.
    ///
    /// # Errors
    /// The Lease is lost.
    pub(super) async fn choose(
        context: &'a Context,
        died_dumping: Option<&str>,
    ) -> Result<Self, Fault> {
        let asked = &*context.engine;
        let substitute = asked.substitute();
        let reason = match (substitute, died_dumping) {
            (None, _) => None,
            (Some(_), Some(died)) => Some(format!(
                "an attempt of this run ended while the {died} engine was dumping, most often for want of memory"
            )),
            (Some(_), None) => note_dumping(context, asked.name()).await?,
        };
        let substitute = substitute.filter(|_| reason.is_some());
        if let Some((instead, why)) = substitute.zip(reason.as_ref()) {
            tracing::warn!(why, "the {} engine dumps instead", instead.name());
        }
        Ok(Self {
            asked,
            substitute,
            reason,
        })
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        let substitute = self.substitute.as_ref();
        substitute.map_or(self.asked, |substitute| substitute)
    }

    /// Notes that its dump has ended, and the runner lives. In a run that was told to stop there is no time to
    /// write: the next attempt is the substitute's.
    ///
    /// # Errors
    /// The Lease is lost.
    pub(super) async fn note_ended(&self, context: &Context) -> Result<(), Fault> {
        if self.substitute.is_some() {
            return Ok(());
        }
        let lease = &context.cluster.lease;
        let survived = lease.note_survived(&context.shutdown, |journal| journal.dumping = None);
        Ok(survived.await?)
    }
}

/// Notes that an engine dumps from now on. Gives why not, if that could not be noted.
async fn note_dumping(context: &Context, engine: &str) -> Result<Option<String>, Fault> {
    let lease = &context.cluster.lease;
    let noted = lease.note_risk(|journal| journal.dumping = Some(engine.to_owned()));
    let why = |error| {
        format!("it could not be noted in the Lease that the {engine} engine dumps: {error}")
    };
    Ok(noted.await?.map(why))
}
