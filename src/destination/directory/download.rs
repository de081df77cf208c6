//! A file of a run that is read from a directory.

use std::io;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use crate::destination::error::DestinationError;

/// Bytes read from an archive at once.
const CHUNK: usize = 256 * 1024;

/// A file of a run that is being read from a directory.
#[derive(Debug)]
pub struct DirectoryDownload {
    path: PathBuf,
    file: tokio::fs::File,
}

impl DirectoryDownload {
    pub(super) async fn open(path: PathBuf) -> Result<Self, DestinationError> {
        match tokio::fs::File::open(&path).await {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(DestinationError::io("read", &path, &error)),
        }
    }

    pub(super) async fn open_if_there(path: PathBuf) -> Result<Option<Self>, DestinationError> {
        match tokio::fs::File::open(&path).await {
            Ok(file) => Ok(Some(Self { path, file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DestinationError::io("read", &path, &error)),
        }
    }

    pub(in crate::destination) async fn next(&mut self) -> Result<Option<Bytes>, DestinationError> {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        match self.file.read_buf(&mut chunk).await {
            Ok(bytes) => Ok((bytes > 0).then(|| chunk.freeze())),
            Err(error) => Err(DestinationError {
                action: "read",
                object: self.path.display().to_string(),
                detail: error.to_string(),
                permanent: false,
            }),
        }
    }
}
