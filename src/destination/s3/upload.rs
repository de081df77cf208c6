//! An archive that is being written into a bucket: in parts, of which two are in flight while the next one
//! fills, or in one request where it fits into one part.

use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Buf, Bytes};
use sha2::Digest;
use tokio::task::JoinSet;

use super::error::RequestError;
use super::multipart;
use super::objects::{Mark, Objects};
use super::patience::{check, patiently, until_it_appears};
use crate::config::RunFile;
use crate::destination::error::DestinationError;
use crate::errors::{joined, lock};
use crate::manifest::{Sha256, StoredFile};

/// The least that S3 takes for any part but the last.
const PART: usize = 5 << 20;

/// Parts that are sent at the same time.
const IN_FLIGHT: usize = 2;

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

    /// Takes the id out, if it is known, and leaves the key: there may be others.
    pub(super) fn take_id(&self) -> Option<(String, String)> {
        let mut unfinished = self.lock();
        let unfinished = unfinished.as_mut()?;
        let id = unfinished.id.take()?;
        Some((unfinished.key.clone(), id))
    }

    fn set(&self, key: &str, id: Option<&str>) {
        *self.lock() = Some(UnfinishedUpload {
            key: key.to_owned(),
            id: id.map(str::to_owned),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<UnfinishedUpload>> {
        lock(&self.0)
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
    /// The mark of the object, with the bytes so far.
    mark: Mark,
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
            mark: Mark::new(),
        }
    }

    /// Adds bytes to the archive; a part that is full is sent.
    ///
    /// # Errors
    /// An earlier part could not be sent.
    pub async fn write(&mut self, mut data: Bytes) -> Result<(), DestinationError> {
        self.hash.update(&data);
        self.mark.bytes += data.len() as u64;
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

    /// Why so many more bytes do not fit into one object, if they do not.
    pub fn lacks_room_for(&self, bytes: u64) -> Option<String> {
        let parts = self.objects.limits().parts;
        let most = u64::from(parts) * PART as u64;
        (self.mark.bytes + bytes > most).then(|| {
            format!(
                "the archive has no room for it, for a bucket takes no more than {parts} parts of 5 MiB: set \
                 PROFILER_ORIGINALS=drop, or have a run for each of PROFILER_COMPONENTS"
            )
        })
    }

    /// Sends the part that was filled, once there is room beside those in flight.
    async fn send_filled(&mut self) -> Result<(), DestinationError> {
        let id = self.multipart_id().await?;
        while self.sending.len() >= IN_FLIGHT {
            self.wait_for_one().await?;
        }
        let number = self.next_number;
        let body = Bytes::from(std::mem::take(&mut self.filling));
        if number.unsigned_abs() > self.objects.limits().parts {
            return Err(DestinationError {
                action: "upload",
                object: self.objects.uri(&self.key),
                detail: "the archive is too large for one object".to_owned(),
                permanent: true,
            });
        }
        self.next_number += 1;
        let (objects, key) = (self.objects.clone(), self.key.clone());
        self.sending.spawn(async move {
            let send = || multipart::send_part(&objects, &key, &id, number, body.clone());
            patiently(&objects, send).await
        });
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
        let (objects, key, mark) = (&self.objects, &self.key, &self.mark);
        let media_type = RunFile::Archive.media_type();
        let create = || multipart::create(objects, key, media_type, mark);
        let id = patiently(objects, create).await?;
        self.unfinished.set(&self.key, Some(&id));
        self.id = Some(id.clone());
        Ok(id)
    }

    /// Sends the last part, and waits for all. An archive that fits into one request is sent when it is
    /// finished.
    ///
    /// # Errors
    /// The bucket refuses a part.
    pub async fn store(&mut self) -> Result<(), DestinationError> {
        if self.id.is_none() {
            return Ok(());
        }
        if !self.filling.is_empty() {
            self.send_filled().await?;
        }
        while !self.sending.is_empty() {
            self.wait_for_one().await?;
        }
        Ok(())
    }

    /// Sends what is left, and has the object appear. Once the bucket has confirmed it, `hurry` ends the look at its size.
    ///
    /// # Errors
    /// The bucket refuses a request, or the object has another size than what was sent.
    pub async fn finish(
        mut self,
        hurry: impl Future<Output = ()>,
    ) -> Result<StoredFile, DestinationError> {
        self.store().await?;
        if let Some(id) = self.id.clone() {
            self.sent.sort_by_key(|part| part.part_number);
            let parts = CompletedMultipartUpload::builder()
                .set_parts(Some(std::mem::take(&mut self.sent)))
                .build();
            let (objects, key) = (&self.objects, &self.key);
            let complete = || multipart::complete(objects, key, &id, parts.clone());
            self.appear(complete, hurry).await?;
            // There may be one that was begun by a try whose answer was lost.
            self.unfinished.set(&self.key, None);
        } else {
            let body = Bytes::from(std::mem::take(&mut self.filling));
            let (objects, key, mark) = (&self.objects, &self.key, &self.mark);
            let media_type = RunFile::Archive.media_type();
            let put = || objects.put_once(key, body.clone(), media_type, mark);
            self.appear(put, hurry).await?;
        }
        Ok(StoredFile {
            uri: self.objects.uri(&self.key),
            bytes: self.mark.bytes,
            sha256: Sha256(self.hash.finalize().into()),
        })
    }

    /// Has the object appear by this request, and checks what the server confirms.
    async fn appear<F: Future<Output = Result<(), RequestError>>>(
        &self,
        send: impl FnMut() -> F,
        hurry: impl Future<Output = ()>,
    ) -> Result<(), DestinationError> {
        if until_it_appears(&self.objects, &self.key, &self.mark, send).await? {
            check(&self.objects, &self.key, &self.mark, hurry).await?;
        }
        Ok(())
    }
}
