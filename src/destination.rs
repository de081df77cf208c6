//! The places where runs are kept. A file of a run appears there whole, or not at all.

mod directory;
mod error;
mod numbers;
pub mod retention;
mod runs;
mod s3;
mod summary;
mod transfer;

use sha2::Digest;

pub use directory::{Directory, DirectoryDownload, DirectoryUpload};
pub use error::DestinationError;
pub use numbers::{BothEnds, RunNumbers, Sum, VmiNumbers, WindowSums};
pub use runs::{Found, Listed};
pub use s3::{Bucket, BucketDownload, BucketUpload, ChunkReader, endpoint_of};
use summary::read_whole;
pub use summary::{PodCounts, Summary};
pub use transfer::{Download, Upload};

use crate::config::{DestinationConfig, RunFile, RunId};
use crate::limits::BucketLimits;
use crate::manifest::{Manifest, Sha256, StoredFile};

/// A place for runs.
#[derive(Debug, Clone)]
pub enum Destination {
    /// A directory, such as a mounted volume.
    Directory(Directory),
    /// A bucket.
    Bucket(Bucket),
}

// A request to a bucket is a large future, which the run's own would hold in each place that makes one.
impl Destination {
    /// The destination that was configured.
    pub fn new(config: &DestinationConfig, limits: &BucketLimits) -> Self {
        match config {
            DestinationConfig::Directory(path) => Self::Directory(Directory::new(path.clone())),
            DestinationConfig::Bucket(config) => {
                Self::Bucket(Bucket::new((**config).clone(), limits.clone()))
            }
        }
    }

    /// Proves that files can be written, by writing one and deleting it again.
    ///
    /// # Errors
    /// The destination cannot be written.
    pub async fn probe(&self, run: &RunId) -> Result<(), DestinationError> {
        match self {
            Self::Directory(directory) => directory.probe().await,
            Self::Bucket(bucket) => Box::pin(bucket.probe(run)).await,
        }
    }

    /// Whether beginning the run's archive makes room, for it removes what a dead attempt left.
    pub async fn has_room_after(&self, run: &RunId) -> bool {
        match self {
            Self::Directory(directory) => directory.is_left_of(run).await,
            Self::Bucket(_) => false,
        }
    }

    /// Looks for a run.
    ///
    /// # Errors
    /// The destination cannot be read, or something else has the archive's name.
    pub async fn find(&self, run: &RunId) -> Result<Found, DestinationError> {
        match self {
            Self::Directory(directory) => directory.find(run).await,
            Self::Bucket(bucket) => Box::pin(bucket.find(run)).await,
        }
    }

    /// Looks for a run in several places, in their order. The result is the run and its place from the first
    /// place that has it for good, or else from the first that has it complete; if no place has it complete,
    /// it is what there is of it anywhere, without a place.
    ///
    /// # Errors
    /// No place has it complete, and one of them cannot be read; the error is of the first such place.
    pub async fn find_among<'a>(
        places: impl IntoIterator<Item = &'a Self>,
        run: &RunId,
    ) -> Result<(Found, Option<&'a Self>), DestinationError> {
        let mut complete = None;
        let mut incomplete = Ok(Found::Absent);
        for place in places {
            match place.find(run).await {
                Ok(Found::Complete(manifest)) => {
                    let is_final = manifest.is_final();
                    let found = (Found::Complete(manifest), Some(place));
                    if is_final {
                        return Ok(found);
                    }
                    complete.get_or_insert(found);
                }
                Ok(Found::Absent) => {}
                // An invalid manifest and an error are not hidden by what comes after them.
                found => {
                    if !matches!(
                        incomplete,
                        Ok(Found::Invalid(_) | Found::Mismatched(_)) | Err(_)
                    ) {
                        incomplete = found;
                    }
                }
            }
        }
        match complete {
            Some(found) => Ok(found),
            None => Ok((incomplete?, None)),
        }
    }

    /// Reads the whole manifest of a run of so many pods.
    ///
    /// # Errors
    /// It cannot be read or understood, or is larger than any of such a run.
    pub async fn manifest(
        &self,
        run: &RunId,
        pods: usize,
    ) -> Result<Box<Manifest>, DestinationError> {
        match self {
            Self::Directory(directory) => {
                let parse = move |content| read_whole(content, pods);
                directory.manifest(run, parse).await
            }
            Self::Bucket(bucket) => {
                let parse = move |content| read_whole(content, pods);
                Box::pin(bucket.manifest(run, parse)).await
            }
        }
    }

    /// Reads the numbers of a run out of its manifest, whatever there is of its archive.
    ///
    /// # Errors
    /// The manifest is not there, or cannot be read or understood.
    pub async fn numbers(&self, run: &RunId) -> Result<RunNumbers, DestinationError> {
        let id = run.clone();
        match self {
            Self::Directory(directory) => {
                let parse = move |content| RunNumbers::read(content, &id);
                directory.manifest(run, parse).await
            }
            Self::Bucket(bucket) => {
                let parse = move |content| RunNumbers::read(content, &id);
                Box::pin(bucket.manifest(run, parse)).await
            }
        }
    }

    /// The runs that are there, in the order of their ids. Their manifests are not read.
    ///
    /// # Errors
    /// The destination cannot be listed.
    pub async fn list(&self) -> Result<Vec<Listed>, DestinationError> {
        match self {
            Self::Directory(directory) => directory.list().await,
            Self::Bucket(bucket) => Box::pin(bucket.list()).await,
        }
    }

    /// Opens one of a run's files for reading.
    ///
    /// # Errors
    /// The file is not there, or cannot be read.
    pub async fn open(&self, run: &RunId, file: RunFile) -> Result<Download, DestinationError> {
        match self {
            Self::Directory(directory) => directory.open(run, file).await.map(Download::Directory),
            Self::Bucket(bucket) => Box::pin(bucket.open(run, file)).await.map(Download::Bucket),
        }
    }

    /// Opens one of a run's files for reading, if it is there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn open_if_there(
        &self,
        run: &RunId,
        file: RunFile,
    ) -> Result<Option<Download>, DestinationError> {
        Ok(match self {
            Self::Directory(directory) => {
                let opened = directory.open_if_there(run, file).await?;
                opened.map(Download::Directory)
            }
            Self::Bucket(bucket) => {
                let opened = Box::pin(bucket.open_if_there(run, file)).await?;
                opened.map(Download::Bucket)
            }
        })
    }

    /// Removes a run, its manifest first and its archive last: what is left of one is unfinished, and never invalid.
    ///
    /// # Errors
    /// One of its files cannot be removed.
    pub async fn remove(&self, run: &RunId) -> Result<(), DestinationError> {
        for file in RunFile::ALL.into_iter().rev() {
            self.remove_file(run, file).await?;
        }
        Ok(())
    }

    /// Removes a file of a run, if it is there.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove_file(&self, run: &RunId, file: RunFile) -> Result<(), DestinationError> {
        match self {
            Self::Directory(directory) => directory.remove(run, file).await,
            Self::Bucket(bucket) => Box::pin(bucket.remove(run, file)).await,
        }
    }

    /// Removes the unfinished uploads of a run, as far as that goes in a short time. No other process may be writing
    /// its archive.
    pub async fn abort_left(&self, run: &RunId) {
        match self {
            Self::Directory(directory) => directory.remove_left(run).await,
            Self::Bucket(bucket) => Box::pin(bucket.abort_left(run)).await,
        }
    }

    /// Begins to write a run's archive, which has no name until it is finished. In a directory what a dead attempt of
    /// the run left is removed, so the run must have the cluster's lock.
    ///
    /// # Errors
    /// The archive cannot be written.
    pub async fn begin(&self, run: &RunId) -> Result<Upload, DestinationError> {
        match self {
            Self::Directory(directory) => directory.begin(run).await.map(Upload::Directory),
            Self::Bucket(bucket) => Box::pin(bucket.begin(run)).await.map(Upload::Bucket),
        }
    }

    /// Removes an archive that was begun and not finished.
    ///
    /// # Errors
    /// The unfinished archive cannot be removed.
    pub async fn abort(&self) -> Result<(), DestinationError> {
        match self {
            Self::Directory(directory) => directory.abort().await,
            Self::Bucket(bucket) => Box::pin(bucket.abort()).await,
        }
    }

    /// Removes what requests for an archive have begun whose answers were lost, once it is finished or aborted. No
    /// other process may be writing the same archive.
    pub async fn abort_unanswered(&self) {
        match self {
            Self::Directory(_) => {}
            Self::Bucket(bucket) => Box::pin(bucket.abort_unanswered()).await,
        }
    }

    /// Writes a run's page, after its archive and before its manifest.
    ///
    /// # Errors
    /// The page cannot be written.
    pub async fn put_report(
        &self,
        run: &RunId,
        html: Vec<u8>,
    ) -> Result<StoredFile, DestinationError> {
        let bytes = html.len() as u64;
        let sha256 = Sha256(sha2::Sha256::digest(&html).into());
        let uri = self.put(run, RunFile::Report, html).await?;
        Ok(StoredFile { uri, bytes, sha256 })
    }

    /// Writes a whole file of a run, and gives its place.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn put(
        &self,
        run: &RunId,
        file: RunFile,
        content: Vec<u8>,
    ) -> Result<String, DestinationError> {
        match self {
            Self::Directory(directory) => directory.put(run, file, content).await,
            Self::Bucket(bucket) => Box::pin(bucket.put(run, file, content)).await,
        }
    }
}
