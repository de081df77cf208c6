//! Dump and ship: bundles go into the archive as they come, and nothing waits for a whole dump.

use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::fault::Fault;
use super::record::Record;
use crate::archive::{Entry, EntryError, Framing, PathError, PodBundle};
use crate::config::RunId;
use crate::destination::{Destination, Upload};
use crate::engine::Engine;
use crate::engine::dump::{DumpPlan, PodDump};
use crate::manifest::{Archive, File};
use crate::outcome::ExitCode;

/// Bytes handed to the destination at once.
const CHUNK: usize = 256 * 1024;

/// What was shipped.
#[derive(Debug)]
pub(super) struct Shipped {
    pub(super) archive: Archive,
    pub(super) first: File,
    pub(super) record: Record,
}

/// Dumps a plan's pods into the run's archive, after one entry that is ready already.
///
/// # Errors
/// The API server or the destination failed; the archive is unfinished then.
pub(super) async fn ship<E: Engine>(
    engine: &E,
    plan: DumpPlan,
    (destination, run_id): (&Destination, &RunId),
    (first, modified): (Entry, u64),
) -> Result<Shipped, Fault> {
    let mut record = Record::new(plan.pods.clone());
    let mut writer = Writer {
        framing: Framing::new(modified),
        upload: destination.begin(run_id).await?,
    };
    let first = writer.entry(first).await?;
    // One that waits beside those in flight: enough, since the destination takes them in turn.
    let (sender, dumps) = mpsc::channel(1);
    let dump = async { engine.dump(plan, sender).await.map_err(Fault::from) };
    tokio::try_join!(dump, writer.take(dumps, &mut record))?;
    let archive = writer.finish().await?;
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
    async fn take(
        &mut self,
        mut dumps: mpsc::Receiver<PodDump>,
        record: &mut Record,
    ) -> Result<(), Fault> {
        while let Some(dump) = dumps.recv().await {
            match dump {
                PodDump::Uncounted(pod) => record.uncounted.push(pod),
                PodDump::Expected {
                    pod,
                    result,
                    refused,
                } => {
                    record.refused.extend(refused);
                    let (bundle, why) = match result {
                        Ok(bundle) => (bundle, None),
                        Err(why) => (PodBundle::default(), Some(why)),
                    };
                    let why = why.or_else(|| lacking(&bundle));
                    let mut files = Vec::with_capacity(bundle.entries.len());
                    for entry in bundle.entries.into_values() {
                        files.push(self.entry(entry).await?);
                    }
                    record.note(&pod, files, why);
                }
            }
        }
        Ok(())
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

fn lacking(bundle: &PodBundle) -> Option<String> {
    let names: Vec<_> = bundle
        .lacking()
        .into_iter()
        .map(|kind| kind.file_name())
        .collect();
    (!names.is_empty()).then(|| format!("its dump lacks {}", names.join(", ")))
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::new(ExitCode::Retry, format!("a temporary file: {error}"))
    }
}

impl From<PathError> for Fault {
    fn from(error: PathError) -> Self {
        let message = format!("{error}; use a shorter PROFILER_RUN_ID");
        Self::new(ExitCode::Usage, message)
    }
}

impl From<EntryError> for Fault {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::Path(error) => error.into(),
            EntryError::Temporary(error) => error.into(),
        }
    }
}
