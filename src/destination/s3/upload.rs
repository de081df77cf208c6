//! An archive on its way into a bucket: in parts, two of them in flight while the next one fills, or
//! at once where it fits into one.
//!
//! Protocol: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use aws_sdk_s3::Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Buf, Bytes};
use sha2::Digest;
use tokio::task::JoinSet;

use super::client::COMPLETION;
use super::fault::Failed;
use super::objects::{Objects, Unfinished, content_md5};
use crate::destination::fault::DestinationError;
use crate::errors::joined;
use crate::manifest::{Archive, Sha256};

/// The least that S3 takes for any part but the last.
const PART: usize = 5 << 20;

/// Parts that are sent at the same time.
const IN_FLIGHT: usize = 2;

/// The most parts that S3 takes for one object.
const MOST_PARTS: i32 = 10_000;

/// An archive being uploaded.
#[derive(Debug)]
pub struct S3Upload {
    objects: Objects,
    key: String,
    filling: Vec<u8>,
    /// The id of the multipart upload, once one was begun.
    id: Option<String>,
    next: i32,
    sending: JoinSet<Result<CompletedPart, DestinationError>>,
    sent: Vec<CompletedPart>,
    hash: sha2::Sha256,
    bytes: u64,
}

impl S3Upload {
    pub(super) fn new(objects: Objects, key: String) -> Self {
        Self {
            objects,
            key,
            filling: Vec::new(),
            id: None,
            next: 1,
            sending: JoinSet::new(),
            sent: Vec::new(),
            hash: sha2::Sha256::new(),
            bytes: 0,
        }
    }

    /// Adds to the archive; a part that is full is sent.
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
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Sends the part that is full, once there is room beside those in flight.
    async fn send(&mut self) -> Result<(), DestinationError> {
        let id = self.begun().await?;
        while self.sending.len() >= IN_FLIGHT {
            self.one_sent().await?;
        }
        let (number, body) = (self.next, Bytes::from(std::mem::take(&mut self.filling)));
        if number > MOST_PARTS {
            return Err(DestinationError {
                action: "upload",
                object: self.objects.uri(&self.key),
                detail: "the archive is too large for one object".to_owned(),
                permanent: true,
            });
        }
        self.next += 1;
        let (objects, key) = (self.objects.clone(), self.key.clone());
        self.sending.spawn(async move {
            let digest = content_md5(&body);
            let client = objects.client().await?;
            let sent = client
                .upload_part()
                .bucket(objects.bucket())
                .key(&key)
                .upload_id(id)
                .part_number(number)
                .content_md5(digest)
                .body(body.into())
                .send()
                .await;
            let fault = |error| Failed::new("upload a part of", objects.uri(&key), error).error;
            let sent = sent.map_err(fault)?;
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .set_checksum_crc32(sent.checksum_crc32)
                .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
                .build())
        });
        Ok(())
    }

    async fn one_sent(&mut self) -> Result<(), DestinationError> {
        if let Some(part) = self.sending.join_next().await {
            self.sent.push(joined(part)?);
        }
        Ok(())
    }

    /// The id of the multipart upload, which is begun when the first part is full.
    async fn begun(&mut self) -> Result<String, DestinationError> {
        if let Some(id) = &self.id {
            return Ok(id.clone());
        }
        self.note(None);
        let id = self.objects.create_multipart(&self.key).await?;
        self.note(Some(id.clone()));
        self.id = Some(id.clone());
        Ok(id)
    }

    /// Says what is to be given up if the run fails.
    fn note(&self, id: Option<String>) {
        let key = self.key.clone();
        *self.objects.unfinished() = Some(Unfinished { key, id });
    }

    /// Sends what is left, and has the object appear.
    ///
    /// # Errors
    /// The bucket refuses, or another size is there then.
    pub async fn finish(mut self) -> Result<Archive, DestinationError> {
        if let Some(id) = self.id.clone() {
            if !self.filling.is_empty() {
                self.send().await?;
            }
            while !self.sending.is_empty() {
                self.one_sent().await?;
            }
            let heard = self.complete(id).await?;
            self.is_whole(heard).await?;
            // One that was begun by a try whose answer was lost is nobody's.
            self.objects.sweep(&self.key).await;
            *self.objects.unfinished() = None;
        } else {
            let body = Bytes::from(std::mem::take(&mut self.filling));
            self.objects
                .put(&self.key, body, "application/gzip")
                .await?;
            self.is_whole(true).await?;
        }
        Ok(Archive {
            uri: self.objects.uri(&self.key),
            bytes: self.bytes,
            sha256: Sha256(self.hash.finalize().into()),
        })
    }

    /// Has the object appear. Gives whether the server said that it did.
    async fn complete(&mut self, id: String) -> Result<bool, DestinationError> {
        let mut parts = std::mem::take(&mut self.sent);
        parts.sort_by_key(|part| part.part_number);
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let completed = self.objects.client().await?.complete_multipart_upload();
        let completed = completed.bucket(self.objects.bucket()).key(&self.key);
        let completed = completed.upload_id(id).multipart_upload(parts).customize();
        let patient = TimeoutConfig::builder().operation_attempt_timeout(COMPLETION);
        let patient = Config::builder().timeout_config(patient.build());
        let completed = completed.config_override(patient).send().await;
        let uri = self.objects.uri(&self.key);
        let heard =
            match completed.map_err(|error| Failed::new("complete the upload of", uri, error)) {
                // It was completed by a try whose answer was lost, or aborted: its size will show.
                Err(failed) if failed.is_absent() => {
                    tracing::warn!(error = %failed.error, "its size tells whether it is there");
                    false
                }
                Err(failed) => return Err(failed.error),
                Ok(_) => true,
            };
        self.note(None);
        Ok(heard)
    }

    /// The server has as many bytes as were sent; one that does not let this be asked is believed if it was
    /// heard.
    async fn is_whole(&self, heard: bool) -> Result<(), DestinationError> {
        let there = match self.objects.size(&self.key).await {
            Err(failed) if failed.is_denied() && heard => {
                tracing::warn!(error = %failed.error, "the archive's size is not checked");
                return Ok(());
            }
            there => there.map_err(|failed| failed.error)?,
        };
        if there == Some(self.bytes) {
            return Ok(());
        }
        Err(DestinationError {
            action: "check",
            object: self.objects.uri(&self.key),
            detail: format!("{} bytes were sent, and there are {there:?}", self.bytes),
            permanent: false,
        })
    }
}
