//! Files on their way to a destination, and from one.

use bytes::Bytes;

use super::directory::{DirectoryDownload, DirectoryUpload};
use super::error::DestinationError;
use super::s3::{BucketDownload, BucketUpload};
use crate::manifest::StoredFile;

/// An archive that is being written to a destination.
#[derive(Debug)]
pub enum Upload {
    /// Into a directory.
    Directory(DirectoryUpload),
    /// Into a bucket.
    Bucket(BucketUpload),
}

/// A file of a run that is being read from a destination.
#[derive(Debug)]
pub enum Download {
    /// From a directory.
    Directory(DirectoryDownload),
    /// From a bucket.
    Bucket(BucketDownload),
}

impl Upload {
    /// Adds bytes to the archive.
    ///
    /// # Errors
    /// The archive cannot be written.
    pub async fn write(&mut self, data: Bytes) -> Result<(), DestinationError> {
        match self {
            Self::Directory(upload) => upload.write(data).await,
            Self::Bucket(upload) => upload.write(data).await,
        }
    }

    /// Why the archive has no room for so many more bytes; `None` where nothing is known of that.
    pub fn lacks_room_for(&self, bytes: u64) -> Option<String> {
        match self {
            Self::Directory(_) => None,
            Self::Bucket(upload) => upload.lacks_room_for(bytes),
        }
    }

    /// Sees that all of the archive is stored, as far as that is possible before it has its name.
    ///
    /// # Errors
    /// The archive cannot be written.
    pub async fn store(&mut self) -> Result<(), DestinationError> {
        match self {
            Self::Directory(upload) => upload.store().await,
            Self::Bucket(upload) => upload.store().await,
        }
    }

    /// Gives the archive its name, after all of it is safely stored. `hurry` ends the look at what a bucket has confirmed.
    ///
    /// # Errors
    /// The archive cannot be written; nothing has its name then.
    pub async fn finish(
        self,
        hurry: impl Future<Output = ()>,
    ) -> Result<StoredFile, DestinationError> {
        match self {
            Self::Directory(upload) => upload.finish().await,
            Self::Bucket(upload) => upload.finish(hurry).await,
        }
    }
}

impl Download {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read on; what was read before is not all of it.
    pub async fn next(&mut self) -> Result<Option<Bytes>, DestinationError> {
        match self {
            Self::Directory(download) => download.next().await,
            Self::Bucket(download) => download.next().await,
        }
    }

    /// All of it; `None` if that is more than so many bytes.
    ///
    /// # Errors
    /// The file cannot be read to its end.
    pub async fn all(mut self, most: usize) -> Result<Option<Vec<u8>>, DestinationError> {
        let mut content = Vec::new();
        while let Some(piece) = self.next().await? {
            if content.len() + piece.len() > most {
                return Ok(None);
            }
            content.extend_from_slice(&piece);
        }
        Ok(Some(content))
    }
}
