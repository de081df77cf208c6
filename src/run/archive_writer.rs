//! The archive of a run as it is written: pod after pod, as the engine brings them.

use std::io::{self, Read};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::judgement::{Expectation, judge};
use super::outcome::Fault;
use super::pod_results::{PodResults, ShippedPod};
use super::report_page::ReportPage;
use crate::archive::{Entry, EntryError, Framing, SnapshotProfile, Snapshots, Spool};
use crate::cluster::install::Install;
use crate::destination::Upload;
use crate::engine::PodDump;
use crate::errors::joined;
use crate::manifest::{ExpectedPod, File, KubeVirt, Surroundings};

/// Bytes handed to the destination at once.
const CHUNK: usize = 256 * 1024;

/// The one writer of an archive: an entry is written whole before the next begins.
#[derive(Debug)]
pub(super) struct ArchiveWriter {
    framing: Framing,
    upload: Upload,
    /// The page that is made of what passes.
    page: ReportPage,
}

impl ArchiveWriter {
    /// Begins with an upload.
    pub(super) fn new(upload: Upload, page: ReportPage) -> Self {
        Self {
            framing: Framing::default(),
            upload,
            page,
        }
    }

    /// Writes what a pod brought, and returns the profiles' bytes if the pod was expected.
    ///
    /// # Errors
    /// The destination, or the temporary file, failed.
    pub(super) async fn write_pod(
        &mut self,
        dump: PodDump,
        expectation: &Expectation,
        results: &mut PodResults,
    ) -> Result<Option<u64>, Fault> {
        let (pod, result, engine) = match dump {
            PodDump::Uncounted(pod) => {
                results.note_uncounted(pod);
                return Ok(None);
            }
            PodDump::UnexpectedNames(names) => {
                results.unexpected_names.extend(names);
                return Ok(None);
            }
            PodDump::Expected {
                pod,
                result,
                unexpected_names,
                engine,
            } => {
                results.unexpected_names.extend(unexpected_names);
                (pod, result, engine)
            }
        };
        let bundle = match result {
            Ok(bundle) => bundle,
            Err(why) => {
                results.note_missing(&pod, why);
                return Ok(Some(0));
            }
        };
        let judgement = judge(&pod, &bundle, expectation);
        // What is there is worth more than an archive that no bucket takes.
        if let Some(why) = self.upload.lacks_room_for(bundle.most_bytes()) {
            results.note_left_out(&pod, &judgement, why);
            return Ok(Some(0));
        }
        let dumped_at = bundle.dumped_at;
        let sampled = bundle.sampled();
        let entries = bundle.entries.into_values().chain(bundle.originals);
        let entries = entries.chain(bundle.differences).collect();
        let entries = self.page.keep_all(entries).await;
        let mut files = Vec::new();
        for entry in entries {
            files.push(self.write_entry(entry, dumped_at).await?);
        }
        let bytes = files.iter().map(|file| file.bytes).sum();
        let shipped = ShippedPod {
            engine,
            dumped_at,
            files,
            mem_stats: bundle.mem_stats,
            in_window: bundle.in_window,
            empty: bundle.empty,
            sampled,
        };
        results.note(&pod, shipped, judgement);
        Ok(Some(bytes))
    }

    /// Writes a pod's profiles from within the window. Gives the reason if some are left out: there is no room for
    /// them, or they cannot be read, which is worth no archive.
    ///
    /// # Errors
    /// The destination failed.
    pub(super) async fn write_snapshots(
        &mut self,
        pod: &str,
        snapshots: &Snapshots,
        results: &mut PodResults,
    ) -> Result<Option<String>, Fault> {
        let profiles = snapshots.of_pod(pod);
        let bytes = profiles.iter().map(SnapshotProfile::most_bytes).sum();
        if let Some(why) = self.upload.lacks_room_for(bytes) {
            return Ok(Some(why));
        }
        let (mut files, mut unread) = (Vec::new(), None);
        for profile in profiles {
            let (snapshots, pod, page) = (snapshots.clone(), pod.to_owned(), self.page.clone());
            let entry = spawn_blocking(move || {
                let (mut entry, time) = snapshots.entry(&pod, &profile)?;
                page.keep(&mut entry);
                Ok::<_, EntryError>((entry, time))
            });
            match joined(entry.await) {
                Ok((entry, time)) => files.push(self.write_entry(entry, time).await?),
                Err(error) => {
                    unread.get_or_insert_with(|| error.to_string());
                }
            }
        }
        results.note_snapshots(pod, files);
        Ok(unread)
    }

    /// Writes an entry that bears this time.
    ///
    /// # Errors
    /// The destination, or the temporary file, failed.
    pub(super) async fn write_entry(
        &mut self,
        entry: Entry,
        time: Timestamp,
    ) -> Result<File, Fault> {
        let (file, mut content) = entry.into_parts();
        let header = self.framing.open(&file.path, file.bytes, time)?;
        self.upload.write(header.into()).await?;
        loop {
            let chunk = read_chunk(&mut content)?;
            if chunk.is_empty() {
                return Ok(file);
            }
            self.upload.write(chunk).await?;
        }
    }

    /// Writes the archive to its end. What is returned only has to be finished, so that it gets its name.
    ///
    /// # Errors
    /// The destination failed.
    pub(super) async fn close(mut self) -> Result<Upload, Fault> {
        self.upload.write(self.framing.close().into()).await?;
        self.upload.store().await?;
        Ok(self.upload)
    }
}

fn read_chunk(content: &mut impl Read) -> io::Result<Bytes> {
    let mut chunk = Vec::new();
    content.take(CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(chunk.into())
}

/// Makes `cluster.json`: what was profiled, and what surrounded it, for whoever opens the archive later.
///
/// # Errors
/// The temporary file cannot be written.
pub(super) fn cluster_json(
    spool: &Spool,
    install: &Install,
    pods: &[ExpectedPod],
    surroundings: &Surroundings,
) -> Result<Entry, Fault> {
    #[derive(Serialize)]
    struct Cluster<'a> {
        kubevirt: KubeVirt,
        configuration: &'a serde_json::Value,
        status: &'a serde_json::Value,
        surroundings: &'a Surroundings,
        pods: &'a [ExpectedPod],
    }
    let mut entry = spool.begin()?;
    let cluster = Cluster {
        kubevirt: install.kubevirt(),
        configuration: &install.configuration,
        status: &install.status,
        surroundings,
        pods,
    };
    serde_json::to_writer_pretty(&mut entry, &cluster).map_err(io::Error::from)?;
    Ok(spool.finish(entry, "cluster.json")?)
}
