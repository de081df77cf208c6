//! A bucket as destination. An object appears whole or not at all, so that nothing has a temporary
//! name here; what is unfinished is a multipart upload.

mod client;
mod fault;
mod objects;
mod upload;

use bytes::Bytes;

use self::objects::{Objects, Unfinished};
pub use self::upload::S3Upload;
use super::download::Download;
use super::fault::DestinationError;
use super::found::{Found, understand, untrue};
use super::listed::{Listed, gather};
use crate::config::{RunId, S3Config};

/// A bucket for runs.
#[derive(Debug, Clone)]
pub struct Bucket(Objects);

impl Bucket {
    pub(super) fn new(config: S3Config) -> Self {
        Self(Objects::new(config))
    }

    fn archive(&self, run: &RunId) -> String {
        self.0.key(&format!("{}.tar.gz", run.stem()))
    }

    fn manifest(&self, run: &RunId) -> String {
        self.0.key(&format!("{}.json", run.stem()))
    }

    /// Writes an object of its own, which is deleted again: nothing tells better what is missing.
    pub(super) async fn probe(&self, run: &RunId) -> Result<(), DestinationError> {
        let key = self.0.key(&format!(".cluster-profiler-job.probe-{run}"));
        let body = Bytes::from_static(b"cluster-profiler-job writes here\n");
        self.0.put(&key, body, "text/plain").await?;
        if let Err(failed) = self.0.delete(&key).await {
            tracing::warn!(error = %failed.error, "the probe cannot be deleted again; going on");
        }
        Ok(())
    }

    pub(super) async fn find(&self, run: &RunId) -> Result<Found, DestinationError> {
        let (archive, manifest) = (self.archive(run), self.manifest(run));
        let there = match self.0.size(&archive).await {
            Err(failed) if failed.is_denied() => {
                tracing::info!(error = %failed.error, "whether the run is there is not known");
                return Ok(Found::Unknown);
            }
            there => there.map_err(|failed| failed.error)?,
        };
        let json = match self.0.get(&manifest).await {
            Err(failed) if failed.is_absent() => {
                return Ok(there.map_or(Found::Absent, |_| Found::Unfinished));
            }
            Err(failed) if failed.is_denied() => {
                tracing::info!(error = %failed.error, "whether the run is complete is not known");
                return Ok(Found::Unknown);
            }
            json => json.map_err(|failed| failed.error)?,
        };
        let uri = self.0.uri(&manifest);
        let found = understand(&uri, &json)?;
        if there != Some(found.archive.bytes) {
            let detail = "its archive is not there or has another size";
            return Err(untrue(&uri, detail));
        }
        Ok(Found::Complete(Box::new(found)))
    }

    /// Begins an archive, and gives up what a killed attempt of the same run had begun.
    pub(super) async fn begin(&self, run: &RunId) -> Result<S3Upload, DestinationError> {
        let key = self.archive(run);
        self.0.sweep(&key).await;
        Ok(S3Upload::new(self.0.clone(), key))
    }

    pub(super) async fn abort(&self) -> Result<(), DestinationError> {
        let unfinished = self.0.unfinished().take();
        match unfinished {
            Some(Unfinished { key, id }) => self.0.give_up(&key, &id).await,
            None => Ok(()),
        }
    }

    pub(super) async fn put_manifest(
        &self,
        run: &RunId,
        json: Vec<u8>,
    ) -> Result<(), DestinationError> {
        let key = self.manifest(run);
        self.0.put(&key, json.into(), "application/json").await
    }

    pub(super) async fn remove_manifest(&self, run: &RunId) -> Result<(), DestinationError> {
        self.remove(&self.manifest(run)).await
    }

    pub(super) async fn remove_archive(&self, run: &RunId) -> Result<(), DestinationError> {
        self.remove(&self.archive(run)).await
    }

    async fn remove(&self, key: &str) -> Result<(), DestinationError> {
        let removed = self.0.delete(key).await;
        removed.map_err(|failed| failed.error)
    }

    pub(super) async fn open(&self, run: &RunId) -> Result<Download, DestinationError> {
        let key = self.archive(run);
        let body = self.0.open(&key).await.map_err(|failed| failed.error)?;
        Ok(Download::of_body(self.0.uri(&key), body))
    }

    pub(super) async fn list(&self) -> Result<Vec<Listed>, DestinationError> {
        Ok(gather(self.0.list(RunId::STEM).await?))
    }
}
