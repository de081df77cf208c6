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
use super::found::{Found, judge};
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

    /// The manifest is asked for first: a refusal to give it says why, and one to a HEAD has no body.
    pub(super) async fn find(&self, run: &RunId) -> Result<Found, DestinationError> {
        let (archive, manifest) = (self.archive(run), self.manifest(run));
        let json = match self.0.get(&manifest).await {
            Err(failed) if failed.is_absent() => None,
            Err(failed) if failed.is_denied() => {
                tracing::info!(error = %failed.error, "whether the run is there is not known");
                return Ok(Found::Unknown);
            }
            json => Some(json.map_err(|failed| failed.error)?),
        };
        let there = self.0.size(&archive).await;
        Ok(match (json, there) {
            (json, Err(failed)) if failed.is_denied() => {
                tracing::info!(error = %failed.error, "whether its archive is there is not known");
                json.map_or(Found::Unknown, |json| {
                    judge(&self.0.uri(&manifest), &json, |_| true)
                })
            }
            (_, Err(failed)) => return Err(failed.error),
            (Some(json), Ok(there)) => {
                judge(&self.0.uri(&manifest), &json, |bytes| there == Some(bytes))
            }
            (None, Ok(there)) => there.map_or(Found::Absent, |_| Found::Unfinished),
        })
    }

    /// Begins an archive, and gives up what a killed attempt of the same run had begun.
    pub(super) async fn begin(&self, run: &RunId) -> Result<S3Upload, DestinationError> {
        let key = self.archive(run);
        self.0.sweep(&key).await;
        Ok(S3Upload::new(self.0.clone(), key))
    }

    pub(super) async fn abort(&self, is_alone: bool) -> Result<(), DestinationError> {
        let Some(Unfinished { key, id }) = self.0.unfinished().take() else {
            return Ok(());
        };
        let given_up = match id {
            Some(id) => self.0.give_up(&key, &id).await,
            None => Ok(()),
        };
        if is_alone {
            self.0.sweep(&key).await;
        }
        given_up
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
