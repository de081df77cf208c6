//! A bucket as destination. An object appears whole or not at all, so nothing has a temporary name here;
//! what is unfinished is a multipart upload.

mod client;
mod endpoint;
mod error;
mod multipart;
mod objects;
mod patience;
mod upload;

use std::io::{self, Read};

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf, Bytes};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub use self::endpoint::endpoint_of;
use self::error::RequestError;
use self::objects::{Mark, Objects};
use self::patience::until_it_appears;
pub use self::upload::BucketUpload;
use self::upload::{Unfinished, UnfinishedUpload};
use super::error::DestinationError;
use super::runs::{Found, Listed, check_manifest, from_files, invalid};
use super::summary::Summary;
use crate::config::{RunFile, RunId, S3Config};
use crate::errors::{chain, joined};
use crate::limits::{BucketLimits, S3_ABORT_ALL};

/// A bucket for runs.
#[derive(Debug, Clone)]
pub struct Bucket {
    objects: Objects,
    unfinished: Unfinished,
}

/// A file of a run that is being read from a bucket.
#[derive(Debug)]
pub struct BucketDownload {
    uri: String,
    body: ByteStream,
}

impl Bucket {
    pub(super) fn new(config: S3Config, limits: BucketLimits) -> Self {
        Self {
            objects: Objects::new(config, limits),
            unfinished: Unfinished::default(),
        }
    }

    fn key(&self, run: &RunId, file: RunFile) -> String {
        self.objects.key(&run.file_name(file))
    }

    /// Writes an object of its own and deletes it again: nothing tells better what is missing.
    pub(super) async fn probe(&self, run: &RunId) -> Result<(), DestinationError> {
        let objects = &self.objects;
        let key = objects.key(&format!(".cluster-profiler-job.probe-{run}"));
        let body = Bytes::from_static(b"cluster-profiler-job writes here\n");
        objects.put(&key, body, "text/plain").await?;
        if let Err(failed) = objects.delete(&key).await {
            tracing::warn!(error = %failed.error, "the probe cannot be deleted again; going on");
        }
        Ok(())
    }

    /// Asks for the manifest first: a refusal to give it says why, and one to a HEAD has no body.
    pub(super) async fn find(&self, run: &RunId) -> Result<Found, DestinationError> {
        let manifest = self.key(run, RunFile::Manifest);
        let read = match read_manifest(&self.objects, &manifest, Summary::read).await {
            Ok(read) => Some(read),
            Err(failed) if failed.is_absent() => None,
            Err(failed) if failed.is_denied() => {
                tracing::info!(error = %failed.error, "whether the run is there is not known");
                return Ok(Found::Unknown);
            }
            Err(failed) => return Err(failed.error),
        };
        let uri = self.objects.uri(&manifest);
        match self.objects.size(&self.key(run, RunFile::Archive)).await {
            Ok(size) => Ok(match read {
                Some(read) => check_manifest(&uri, run, read, |bytes| size == Some(bytes)),
                None => size.map_or(Found::Absent, Found::Unfinished),
            }),
            Err(failed) if failed.is_denied() => {
                tracing::info!(error = %failed.error, "whether its archive is there is not known");
                Ok(match read {
                    Some(read) => check_manifest(&uri, run, read, |_| true),
                    None => Found::Unknown,
                })
            }
            Err(failed) => Err(failed.error),
        }
    }

    pub(super) async fn manifest<T: Send + 'static>(
        &self,
        run: &RunId,
        parse: impl FnOnce(ChunkReader) -> io::Result<Result<T, String>> + Send + 'static,
    ) -> Result<T, DestinationError> {
        let key = self.key(run, RunFile::Manifest);
        match read_manifest(&self.objects, &key, parse).await {
            Ok(read) => read.map_err(|why| invalid(&self.objects.uri(&key), &why)),
            Err(failed) => Err(failed.error),
        }
    }

    pub(super) async fn list(&self) -> Result<Vec<Listed>, DestinationError> {
        Ok(from_files(self.objects.list(RunId::FILE_PREFIX).await?))
    }

    pub(super) async fn open(
        &self,
        run: &RunId,
        file: RunFile,
    ) -> Result<BucketDownload, DestinationError> {
        let opened = self.opened(run, file).await;
        opened.map_err(|failed| failed.error)
    }

    /// Without the right to list, AWS denies what is not there, too.
    pub(super) async fn open_if_there(
        &self,
        run: &RunId,
        file: RunFile,
    ) -> Result<Option<BucketDownload>, DestinationError> {
        match self.opened(run, file).await {
            Ok(opened) => Ok(Some(opened)),
            Err(failed) if failed.is_absent() || failed.is_denied() => Ok(None),
            Err(failed) => Err(failed.error),
        }
    }

    async fn opened(&self, run: &RunId, file: RunFile) -> Result<BucketDownload, RequestError> {
        let key = self.key(run, file);
        let body = self.objects.open(&key).await?;
        let uri = self.objects.uri(&key);
        Ok(BucketDownload { uri, body })
    }

    pub(super) async fn abort_left(&self, run: &RunId) {
        multipart::abort_all(&self.objects, &self.key(run, RunFile::Archive)).await;
    }

    pub(super) async fn begin(&self, run: &RunId) -> Result<BucketUpload, DestinationError> {
        let key = self.key(run, RunFile::Archive);
        let (objects, unfinished) = (self.objects.clone(), self.unfinished.clone());
        Ok(BucketUpload::new(objects, key, unfinished))
    }

    pub(super) async fn abort(&self) -> Result<(), DestinationError> {
        match self.unfinished.take_id() {
            Some((key, id)) => {
                let abort = multipart::abort(&self.objects, &key, &id);
                // Others wait for it: the fallback, or what turned the profiler on.
                let aborted = timeout(S3_ABORT_ALL, abort).await;
                aborted.unwrap_or_else(|_| {
                    Err(DestinationError {
                        action: "abort the upload of",
                        object: key,
                        detail: "there is no answer; its parts may stay".to_owned(),
                        permanent: false,
                    })
                })
            }
            None => Ok(()),
        }
    }

    pub(super) async fn abort_unanswered(&self) {
        if let Some(UnfinishedUpload { key, .. }) = self.unfinished.take() {
            multipart::abort_all(&self.objects, &key).await;
        }
    }

    pub(super) async fn put(
        &self,
        run: &RunId,
        file: RunFile,
        content: Vec<u8>,
    ) -> Result<String, DestinationError> {
        let (objects, key, mark) = (&self.objects, self.key(run, file), Mark::of(&content));
        let (media_type, body) = (file.media_type(), Bytes::from(content));
        let put = || objects.put_once(&key, body.clone(), media_type, &mark);
        until_it_appears(objects, &key, &mark, put).await?;
        Ok(objects.uri(&key))
    }

    pub(super) async fn remove(&self, run: &RunId, file: RunFile) -> Result<(), DestinationError> {
        let removed = self.objects.delete(&self.key(run, file)).await;
        removed.map_err(|failed| failed.error)
    }
}

impl BucketDownload {
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, DestinationError> {
        let chunk = self.body.try_next().await;
        chunk.map_err(|error| DestinationError {
            action: "read",
            object: self.uri.clone(),
            detail: chain(&error),
            permanent: false,
        })
    }
}

/// Reads the manifest that has this key. The inner result is why it cannot be understood.
async fn read_manifest<T: Send + 'static>(
    objects: &Objects,
    key: &str,
    parse: impl FnOnce(ChunkReader) -> io::Result<Result<T, String>> + Send + 'static,
) -> Result<Result<T, String>, RequestError> {
    let body = objects.open(key).await?;
    let (sender, chunks) = mpsc::channel(1);
    let parse = tokio::task::spawn_blocking(|| parse(ChunkReader::new(chunks)));
    let (fed, parsed) = tokio::join!(feed(body, sender), parse);
    let fault = |detail: String| DestinationError {
        action: "read",
        object: objects.uri(key),
        detail,
        permanent: false,
    };
    fed.map_err(fault)?;
    Ok(joined(parsed).map_err(|error| fault(error.to_string()))?)
}

/// Hands a body on until it ends, or until nobody wants more of it.
async fn feed(mut body: ByteStream, sender: mpsc::Sender<Bytes>) -> Result<(), String> {
    loop {
        match body.try_next().await {
            Ok(Some(chunk)) => {
                if sender.send(chunk).await.is_err() {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(error) => return Err(chain(&error)),
        }
    }
}

/// A reader of chunks that arrive, for a thread that may block. It ends when nobody sends any more.
#[derive(Debug)]
pub struct ChunkReader {
    chunks: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl ChunkReader {
    /// A reader of these chunks.
    pub fn new(chunks: mpsc::Receiver<Bytes>) -> Self {
        Self {
            chunks,
            current: Bytes::new(),
        }
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
