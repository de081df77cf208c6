//! Where runs are kept. A run's names there are complete or do not exist.

mod dir;
mod download;
pub mod fault;
mod found;
mod listed;
mod s3;

use bytes::Bytes;

pub use dir::{Dir, DirUpload};
pub use download::Download;
use fault::DestinationError;
pub use found::Found;
pub use listed::Listed;
pub use s3::{Bucket, S3Upload};

use crate::config::{DestinationConfig, RunId};
use crate::manifest::Archive;

/// A place for runs.
#[derive(Debug, Clone)]
pub enum Destination {
    /// A directory, such as a mounted volume.
    Dir(Dir),
    /// A bucket.
    Bucket(Bucket),
}

/// An archive on its way.
#[derive(Debug)]
pub enum Upload {
    /// Into a directory.
    Dir(DirUpload),
    /// Into a bucket.
    Bucket(S3Upload),
}

impl Destination {
    /// The destination that was configured.
    pub fn new(config: &DestinationConfig) -> Self {
        match config {
            DestinationConfig::Directory(path) => Self::Dir(Dir::new(path.clone())),
            DestinationConfig::Bucket(config) => Self::Bucket(Bucket::new((**config).clone())),
        }
    }

    /// Proves that files can be written, with one of its own that is deleted again, and removes
    /// what dead runs left under temporary names.
    ///
    /// # Errors
    /// They cannot.
    pub async fn probe(&self, run: &RunId) -> Result<(), DestinationError> {
        match self {
            Self::Dir(dir) => dir.probe().await,
            Self::Bucket(bucket) => bucket.probe(run).await,
        }
    }

    /// Looks for a run.
    ///
    /// # Errors
    /// The destination cannot be read, or its manifest of the run cannot be understood.
    pub async fn find(&self, run: &RunId) -> Result<Found, DestinationError> {
        match self {
            Self::Dir(dir) => dir.find(run).await,
            Self::Bucket(bucket) => bucket.find(run).await,
        }
    }

    /// Looks for a run in several places, in order: in the first that has it for good, or else complete,
    /// which comes beside, or else what there is of it anywhere.
    ///
    /// # Errors
    /// None has it complete, and the first of these faults was in the way.
    pub async fn find_among<'a>(
        places: impl IntoIterator<Item = &'a Self>,
        run: &RunId,
    ) -> Result<(Found, Option<&'a Self>), DestinationError> {
        let (mut complete, mut other) = (None, Ok(Found::Absent));
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
                found if !matches!(other, Ok(Found::Untrue(_)) | Err(_)) => other = found,
                _ => {}
            }
        }
        match complete {
            Some(found) => Ok(found),
            None => Ok((other?, None)),
        }
    }

    /// Removes a run's manifest, if there is one: its archive is about to be replaced.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove_manifest(&self, run: &RunId) -> Result<(), DestinationError> {
        match self {
            Self::Dir(dir) => dir.remove_manifest(run).await,
            Self::Bucket(bucket) => bucket.remove_manifest(run).await,
        }
    }

    /// The runs that are there, by their names, in the order of their ids.
    ///
    /// # Errors
    /// The destination cannot be listed.
    pub async fn list(&self) -> Result<Vec<Listed>, DestinationError> {
        match self {
            Self::Dir(dir) => dir.list().await,
            Self::Bucket(bucket) => bucket.list().await,
        }
    }

    /// Opens a run's archive for reading.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub async fn open(&self, run: &RunId) -> Result<Download, DestinationError> {
        match self {
            Self::Dir(dir) => dir.open(run).await,
            Self::Bucket(bucket) => bucket.open(run).await,
        }
    }

    /// Removes a run, its manifest first: what is left of one is unfinished, and never untrue.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove(&self, run: &RunId) -> Result<(), DestinationError> {
        self.remove_manifest(run).await?;
        match self {
            Self::Dir(dir) => dir.remove_archive(run).await,
            Self::Bucket(bucket) => bucket.remove_archive(run).await,
        }
    }

    /// Begins a run's archive, under a temporary name.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn begin(&self, run: &RunId) -> Result<Upload, DestinationError> {
        match self {
            Self::Dir(dir) => dir.begin(run).await.map(Upload::Dir),
            Self::Bucket(bucket) => bucket.begin(run).await.map(Upload::Bucket),
        }
    }

    /// Removes what [`Self::begin`] began and nobody finished; where nobody else can be at the run, also
    /// what a request began whose answer was lost.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn abort(&self, is_alone: bool) -> Result<(), DestinationError> {
        match self {
            Self::Dir(dir) => dir.abort().await,
            Self::Bucket(bucket) => bucket.abort(is_alone).await,
        }
    }

    /// Writes a run's manifest, the mark that its archive is whole.
    ///
    /// # Errors
    /// It cannot be written; there is no manifest then.
    pub async fn put_manifest(&self, run: &RunId, json: Vec<u8>) -> Result<(), DestinationError> {
        match self {
            Self::Dir(dir) => dir.put_manifest(run, json).await,
            Self::Bucket(bucket) => bucket.put_manifest(run, json).await,
        }
    }
}

impl Upload {
    /// Adds to the archive.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn write(&mut self, data: Bytes) -> Result<(), DestinationError> {
        match self {
            Self::Dir(upload) => upload.write(data).await,
            Self::Bucket(upload) => upload.write(data).await,
        }
    }

    /// Gives the archive its name, once all of it is safe.
    ///
    /// # Errors
    /// It cannot be written; the name does not exist then.
    pub async fn finish(self) -> Result<Archive, DestinationError> {
        match self {
            Self::Dir(upload) => upload.finish().await,
            Self::Bucket(upload) => upload.finish().await,
        }
    }
}
