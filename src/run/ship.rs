//! Dump and ship: bundles go into the archive as they come, and nothing waits for a whole dump.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::cpu;
use super::fault::Fault;
use super::job::Job;
use super::record::{Judgement, Record};
use crate::archive::{Entry, Framing, PodBundle};
use crate::destination::Upload;
use crate::engine::{DumpPlan, Engine, PodDump};
use crate::manifest::{Archive, File, State, Window};
use crate::outcome::ExitCode;

/// Bytes handed to the destination at once.
const CHUNK: usize = 256 * 1024;

/// What a pod's bundle is held against.
#[derive(Debug)]
pub(super) struct Expectation {
    pub(super) window: Window,
    /// How far a cpu profile may fall short of the window.
    pub(super) slack: Duration,
    /// Pods whose container restarted in the window.
    pub(super) restarted: BTreeSet<String>,
}

/// What was shipped.
#[derive(Debug)]
pub(super) struct Shipped {
    pub(super) archive: Archive,
    pub(super) first: File,
    pub(super) record: Record,
}

/// Dumps a plan's pods into an archive that was begun, after one entry that is ready already. A run that
/// was told to stop ends the dump when its time is over, and ships what there is.
///
/// # Errors
/// The API server or the destination failed; the archive is unfinished then.
pub(super) async fn ship<E: Engine>(
    (job, engine): (&Job, &E),
    plan: DumpPlan,
    (upload, first): (Upload, Entry),
    (expectation, mut record): (&Expectation, Record),
) -> Result<Shipped, Fault> {
    let modified = expectation.window.start.as_second().unsigned_abs();
    let mut writer = Writer {
        framing: Framing::new(modified),
        upload,
    };
    job.progress.dump(plan.pods.len());
    let first = writer.entry(first).await?;
    // One that waits beside those in flight: enough, since the destination takes them in turn.
    let (sender, mut dumps) = mpsc::channel(1);
    let dump = async {
        // Only the dump is cut: what the writer has begun, it finishes.
        tokio::select! {
            dumped = engine.dump(plan, sender) => dumped.map_err(Fault::from),
            () = job.told.dump_is_over() => Ok(()),
        }
    };
    let write = async {
        while let Some(dump) = dumps.recv().await {
            if let Some(bytes) = writer.take(dump, expectation, &mut record).await? {
                job.progress.shipped(bytes);
            }
        }
        Ok(())
    };
    tokio::try_join!(dump, write)?;
    let order = job.told.now();
    // An empty archive would be final for nothing: the pods have what a next attempt can bring.
    if let Some(why) = record.nothing().filter(|_| order.is_none()) {
        return Err(Fault::new(
            ExitCode::Retry,
            format!("no pod could be dumped: {why}"),
        ));
    }
    let archive = writer.finish().await?;
    record.explain(order.map_or("the engine never told of it", |order| order.why()));
    Ok(Shipped {
        archive,
        first,
        record,
    })
}

struct Writer {
    framing: Framing,
    upload: Upload,
}

impl Writer {
    /// Ships what came of a pod, and returns its size if it was expected.
    async fn take(
        &mut self,
        dump: PodDump,
        expectation: &Expectation,
        record: &mut Record,
    ) -> Result<Option<u64>, Fault> {
        let (pod, result, engine) = match dump {
            PodDump::Uncounted(pod) => {
                record.uncounted.push(pod);
                return Ok(None);
            }
            PodDump::UnexpectedNames(names) => {
                record.refused.extend(names);
                return Ok(None);
            }
            PodDump::Expected {
                pod,
                result,
                unexpected_names,
                engine,
            } => {
                record.refused.extend(unexpected_names);
                (pod, result, engine)
            }
        };
        let bundle = match result {
            Ok(bundle) => bundle,
            Err(why) => {
                record.missing(&pod, why);
                return Ok(Some(0));
            }
        };
        let judgement = judge(&pod, &bundle, expectation);
        let mut files = Vec::with_capacity(bundle.entries.len() + bundle.originals.len());
        for entry in bundle.entries.into_values().chain(bundle.originals) {
            files.push(self.entry(entry).await?);
        }
        let bytes = files.iter().map(|file| file.bytes).sum();
        record.note(&pod, engine, (files, bundle.mem_stats), judgement);
        Ok(Some(bytes))
    }

    async fn entry(&mut self, entry: Entry) -> Result<File, Fault> {
        let (file, mut content) = entry.into_parts();
        let header = self.framing.open(&file.path, file.bytes)?;
        self.upload.write(header.into()).await?;
        loop {
            let chunk = chunk(&mut content)?;
            if chunk.is_empty() {
                return Ok(file);
            }
            self.upload.write(chunk).await?;
        }
    }

    async fn finish(mut self) -> Result<Archive, Fault> {
        self.upload.write(self.framing.close().into()).await?;
        Ok(self.upload.finish().await?)
    }
}

fn chunk(content: &mut impl Read) -> io::Result<Bytes> {
    let mut chunk = Vec::new();
    content.take(CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(chunk.into())
}

/// A pod's state by what is in its bundle, and what is wrong with it.
fn judge(pod: &str, bundle: &PodBundle, expectation: &Expectation) -> Judgement {
    let lacking: Vec<_> = bundle
        .lacking()
        .into_iter()
        .map(|kind| kind.file_name())
        .collect();
    if !lacking.is_empty() {
        let why = format!("its dump lacks {}", lacking.join(", "));
        return Judgement {
            state: State::Missing,
            why: Some(why),
            of_window: false,
        };
    }
    let restarted = expectation.restarted.contains(pod);
    let restarted = restarted.then(|| "its container restarted in the window".to_owned());
    let cpu = bundle.cpu.as_ref();
    let stale = cpu.and_then(|cpu| cpu::problem(cpu, &expectation.window, expectation.slack));
    let of_window = cpu.is_some() && stale.is_none() && restarted.is_none();
    let whys: Vec<_> = restarted
        .into_iter()
        .chain(stale)
        .chain(bundle.damage())
        .collect();
    let (state, why) = match whys.is_empty() {
        true => (State::Complete, None),
        false => (State::Damaged, Some(whys.join("; "))),
    };
    Judgement {
        state,
        why,
        of_window,
    }
}
