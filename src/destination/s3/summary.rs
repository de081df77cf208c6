//! A manifest in a bucket, read as it comes: never all of it is in memory.

use std::io::{self, Read};

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use super::error::RequestError;
use super::objects::Objects;
use crate::destination::error::DestinationError;
use crate::errors::{chain, joined};
use crate::manifest::Summary;

/// Reads the manifest that has this key. The inner result is why it cannot be understood.
pub(super) async fn read(
    objects: &Objects,
    key: &str,
) -> Result<Result<Summary, String>, RequestError> {
    let body = objects.open(key).await?;
    let (sender, chunks) = mpsc::channel(1);
    let reader = ChunkReader {
        chunks,
        current: Bytes::new(),
    };
    let parse = tokio::task::spawn_blocking(|| Summary::read(reader));
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

/// The side that is read, on a thread that may block.
struct ChunkReader {
    chunks: mpsc::Receiver<Bytes>,
    current: Bytes,
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
