//! An archive on its way back.

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::fault::DestinationError;
use crate::errors::chain;

/// Bytes read from a file at once.
const CHUNK: usize = 256 * 1024;

/// An archive that is being read.
#[derive(Debug)]
pub struct Download {
    /// What is read, for errors.
    object: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    File(File),
    Body(ByteStream),
}

impl Download {
    pub(super) fn of_file(object: String, file: File) -> Self {
        let source = Source::File(file);
        Self { object, source }
    }

    pub(super) fn of_body(object: String, body: ByteStream) -> Self {
        let source = Source::Body(body);
        Self { object, source }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// They cannot be read; what came before may be kept, but is not all.
    pub async fn next(&mut self) -> Result<Option<Bytes>, DestinationError> {
        let chunk = match &mut self.source {
            Source::File(file) => {
                let mut chunk = BytesMut::with_capacity(CHUNK);
                let read = file.read_buf(&mut chunk).await;
                read.map(|bytes| (bytes > 0).then(|| chunk.freeze()))
                    .map_err(|error| error.to_string())
            }
            Source::Body(body) => body.try_next().await.map_err(|error| chain(&error)),
        };
        chunk.map_err(|detail| DestinationError {
            action: "read",
            object: self.object.clone(),
            detail,
            permanent: false,
        })
    }
}
