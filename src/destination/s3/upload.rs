//! An archive that is being written into a bucket: in parts, of which two are in flight while the next one
//! fills, or in one request where it fits into one part.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::types::CompletedPart;
use bytes::{Buf, Bytes};
use sha2::Digest;
use tokio::task::JoinSet;

use super::multipart;
use super::objects::Objects;
use crate::config::RunFile;
use crate::destination::error::DestinationError;
use crate::errors::joined;
use crate::manifest::{Archive, Sha256};

/// The least that S3 takes for any part but the last.
const PART: usize = 5 << 20;

/// Parts that are sent at the same time.
const IN_FLIGHT: usize = 2;

/// The most parts that S3 takes for one object.
const MOST_PARTS: i32 = 10_000;

/// A multipart upload that was begun and is not completed.
#[derive(Debug)]
pub(super) struct UnfinishedUpload {
    pub(super) key: String,
    /// `None` where it is completed, or where the answer that has the id did not come: there may be others.
    pub(super) id: Option<String>,
}

/// The upload that is to be aborted if the run fails, where there is one.
#[derive(Debug, Clone, Default)]
pub(super) struct Unfinished(Arc<Mutex<Option<UnfinishedUpload>>>);

impl Unfinished {
    pub(super) fn take(&self) -> Option<UnfinishedUpload> {
        self.lock().take()
    }

    fn set(&self, key: &str, id: Option<&str>) {
        *self.lock() = Some(UnfinishedUpload {
            key: key.to_owned(),
            id: id.map(str::to_owned),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<UnfinishedUpload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An archive that is being written into a bucket.
#[derive(Debug)]
pub struct BucketUpload {
    objects: Objects,
    key: String,
    unfinished: Unfinished,
    filling: Vec<u8>,
    /// The id of the multipart upload, once one was begun.
    id: Option<String>,
    next_number: i32,
    sending: JoinSet<Result<CompletedPart, DestinationError>>,
    sent: Vec<CompletedPart>,
    hash: sha2::Sha256,
    bytes: u64,
}

impl BucketUpload {
    pub(super) fn new(objects: Objects, key: String, unfinished: Unfinished) -> Self {
        Self {
            objects,
            key,
            unfinished,
            filling: Vec::new(),
            id: None,
            next_number: 1,
            sending: JoinSet::new(),
            sent: Vec::new(),
            hash: sha2::Sha256::new(),
            bytes: 0,
        }
    }

    /// Adds bytes to the archive; a part that is full is sent.
    ///
    /// # Errors
    /// An earlier part could not be sent.
    pub async fn write(&mut self, mut data: Bytes) -> Result<(), DestinationError> {
        self.hash.update(&data);
        self.bytes += data.len() as u64;
        while !data.is_empty() {
            self.filling.reserve_exact(PART - self.filling.len());
            let fits = data.len().min(PART - self.filling.len());
            self.filling.extend_from_slice(&data[..fits]);
            data.advance(fits);
            if self.filling.len() == PART {
                self.send_filled().await?;
            }
        }
        Ok(())
    }

    /// Sends the part that was filled, once there is room beside those in flight.
    async fn send_filled(&mut self) -> Result<(), DestinationError> {
        let id = self.multipart_id().await?;
        while self.sending.len() >= IN_FLIGHT {
            self.wait_for_one().await?;
        }
        let number = self.next_number;
        let body = Bytes::from(std::mem::take(&mut self.filling));
        if number > MOST_PARTS {
            return Err(DestinationError {
                action: "upload",
                object: self.objects.uri(&self.key),
                detail: "the archive is too large for one object".to_owned(),
                permanent: true,
            });
        }
        self.next_number += 1;
        let (objects, key) = (self.objects.clone(), self.key.clone());
        self.sending
            .spawn(async move { multipart::send_part(&objects, &key, &id, number, body).await });
        Ok(())
    }

    async fn wait_for_one(&mut self) -> Result<(), DestinationError> {
        if let Some(part) = self.sending.join_next().await {
            self.sent.push(joined(part)?);
        }
        Ok(())
    }

    /// The id of the multipart upload, which is begun when the first part is full.
    async fn multipart_id(&mut self) -> Result<String, DestinationError> {
        if let Some(id) = &self.id {
            return Ok(id.clone());
        }
        self.unfinished.set(&self.key, None);
        let media_type = RunFile::Archive.media_type();
        let id = multipart::create(&self.objects, &self.key, media_type).await?;
        self.unfinished.set(&self.key, Some(&id));
        self.id = Some(id.clone());
        Ok(id)
    }

    /// Sends what is left, and has the object appear.
    ///
    /// # Errors
    /// The bucket refuses a request, or the object has another size than what was sent.
    pub async fn finish(mut self) -> Result<Archive, DestinationError> {
        if let Some(id) = self.id.clone() {
            if !self.filling.is_empty() {
                self.send_filled().await?;
            }
            while !self.sending.is_empty() {
                self.wait_for_one().await?;
            }
            let parts = std::mem::take(&mut self.sent);
            let is_confirmed = multipart::complete(&self.objects, &self.key, &id, parts).await?;
            self.unfinished.set(&self.key, None);
            self.check_size(is_confirmed).await?;
            // One that was begun by a try whose answer was lost is nobody's.
            multipart::abort_all(&self.objects, &self.key).await;
            self.unfinished.take();
        } else {
            let body = Bytes::from(std::mem::take(&mut self.filling));
            let media_type = RunFile::Archive.media_type();
            self.objects.put(&self.key, body, media_type).await?;
            self.check_size(true).await?;
        }
        Ok(Archive {
            uri: self.objects.uri(&self.key),
            bytes: self.bytes,
            sha256: Sha256(self.hash.finalize().into()),
        })
    }

    /// Checks that the object has as many bytes as were sent. If the account may not ask for the size, a
    /// server that confirmed the object is believed.
    async fn check_size(&self, is_confirmed: bool) -> Result<(), DestinationError> {
        let size = match self.objects.size(&self.key).await {
            Ok(size) => size,
            Err(failed) if failed.is_denied() && is_confirmed => {
                tracing::warn!(error = %failed.error, "the archive's size is not checked");
                return Ok(());
            }
            Err(failed) => return Err(failed.error),
        };
        if size == Some(self.bytes) {
            return Ok(());
        }
        Err(DestinationError {
            action: "check",
            object: self.objects.uri(&self.key),
            detail: format!("{} bytes were sent, and there are {size:?}", self.bytes),
            permanent: false,
        })
    }
}
