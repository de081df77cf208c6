//! Objects of a bucket, one request each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest, Md5};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::client;
use super::fault::Failed;
use crate::config::S3Config;
use crate::destination::fault::DestinationError;
use crate::errors::chain;

/// For looking for what others left: a run does not wait long for that.
const SWEEP: Duration = Duration::from_secs(15);

/// A bucket, below a prefix.
#[derive(Debug, Clone)]
pub(super) struct Objects(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: S3Config,
    client: OnceCell<Client>,
    unfinished: Mutex<Option<Unfinished>>,
}

/// A multipart upload that was begun and not completed.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) key: String,
    /// `None` where it is completed, or the answer that has it did not come: there may be others.
    pub(super) id: Option<String>,
}

/// What the server holds a body against, whatever other checksums it knows.
pub(super) fn content_md5(body: &[u8]) -> String {
    BASE64_STANDARD.encode(Md5::digest(body))
}

impl Objects {
    pub(super) fn new(config: S3Config) -> Self {
        Self(Arc::new(Inner {
            config,
            client: OnceCell::new(),
            unfinished: Mutex::default(),
        }))
    }

    pub(super) async fn client(&self) -> Result<&Client, DestinationError> {
        let inner = &self.0;
        let client = || client::client(&inner.config.settings);
        inner.client.get_or_try_init(client).await
    }

    pub(super) fn bucket(&self) -> &str {
        &self.0.config.bucket
    }

    /// The key of a name.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.0.config.prefix)
    }

    pub(super) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket())
    }

    pub(super) fn unfinished(&self) -> MutexGuard<'_, Option<Unfinished>> {
        let unfinished = self.0.unfinished.lock();
        unfinished.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn put(
        &self,
        key: &str,
        body: Bytes,
        kind: &str,
    ) -> Result<(), DestinationError> {
        let settings = &self.0.config.settings;
        let put = self.client().await?.put_object();
        let put = put.bucket(self.bucket()).key(key).content_type(kind);
        let put = put
            .content_md5(content_md5(&body))
            .body(ByteStream::from(body));
        let put = put
            .set_server_side_encryption(settings.encryption.clone())
            .set_ssekms_key_id(settings.kms_key.clone())
            .set_storage_class(settings.storage_class.clone())
            .set_tagging(settings.tags.clone());
        let put = put.send().await;
        put.map_err(|error| Failed::new("write", self.uri(key), error).error)?;
        Ok(())
    }

    pub(super) async fn create_multipart(&self, key: &str) -> Result<String, DestinationError> {
        let settings = &self.0.config.settings;
        let client = self.client().await?;
        let create = client.create_multipart_upload();
        let create = create
            .bucket(self.bucket())
            .key(key)
            .content_type("application/gzip");
        let create = create
            .set_server_side_encryption(settings.encryption.clone())
            .set_ssekms_key_id(settings.kms_key.clone())
            .set_storage_class(settings.storage_class.clone())
            .set_tagging(settings.tags.clone());
        let unsummed = client.config().request_checksum_calculation()
            == Some(&RequestChecksumCalculation::WhenRequired);
        // Parts have one then, and a server has to be told which.
        let create = create.set_checksum_algorithm((!unsummed).then_some(ChecksumAlgorithm::Crc32));
        let created = create.send().await;
        let created =
            created.map_err(|error| Failed::new("begin the upload of", self.uri(key), error));
        let created = created.map_err(|failed| failed.error)?;
        created.upload_id.ok_or_else(|| DestinationError {
            action: "begin the upload of",
            object: self.uri(key),
            detail: "the server gave it no id".to_owned(),
            permanent: true,
        })
    }

    /// An object's size; `None` where there is none.
    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>, Failed> {
        let client = self.client().await.map_err(unready)?;
        let head = client.head_object().bucket(self.bucket()).key(key);
        match head.send().await {
            Ok(head) => Ok(head
                .content_length
                .and_then(|bytes| u64::try_from(bytes).ok())),
            Err(error) => match Failed::new("look for", self.uri(key), error) {
                failed if failed.is_absent() => Ok(None),
                failed => Err(failed),
            },
        }
    }

    /// An object's content, as it comes.
    pub(super) async fn open(&self, key: &str) -> Result<ByteStream, Failed> {
        let client = self.client().await.map_err(unready)?;
        let get = client.get_object().bucket(self.bucket()).key(key);
        let get = get.send().await;
        let get = get.map_err(|error| Failed::new("read", self.uri(key), error))?;
        Ok(get.body)
    }

    pub(super) async fn get(&self, key: &str) -> Result<Bytes, Failed> {
        let body = self.open(key).await?.collect().await.map_err(|error| {
            unready(DestinationError {
                action: "read",
                object: self.uri(key),
                detail: chain(&error),
                permanent: false,
            })
        })?;
        Ok(body.into_bytes())
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), Failed> {
        let client = self.client().await.map_err(unready)?;
        let delete = client.delete_object().bucket(self.bucket()).key(key);
        let deleted = delete.send().await;
        deleted.map_err(|error| Failed::new("delete", self.uri(key), error))?;
        Ok(())
    }

    /// The names below the prefix that begin like this, with the time of their last change. The server
    /// gives a thousand at once.
    pub(super) async fn list(
        &self,
        beginning: &str,
    ) -> Result<Vec<(String, Timestamp)>, DestinationError> {
        let (prefix, all) = (self.key(""), self.key(beginning));
        let list = self.client().await?.list_objects_v2();
        let list = list.bucket(self.bucket()).prefix(&all).delimiter("/");
        let mut pages = list.into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failed::new("list", self.uri(&all), error).error)?;
            for object in page.contents() {
                let name = object.key().and_then(|key| key.strip_prefix(&prefix));
                let modified = object.last_modified();
                let modified = modified.and_then(|at| Timestamp::from_second(at.secs()).ok());
                names.extend(name.map(str::to_owned).zip(modified));
            }
        }
        Ok(names)
    }

    pub(super) async fn give_up(&self, key: &str, id: &str) -> Result<(), DestinationError> {
        let abort = self.client().await?.abort_multipart_upload();
        let aborted = abort
            .bucket(self.bucket())
            .key(key)
            .upload_id(id)
            .send()
            .await;
        match aborted.map_err(|error| Failed::new("abort the upload of", self.uri(key), error)) {
            Err(failed) if !failed.is_absent() => Err(failed.error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Aborts the multipart uploads of a key, as far as there is time: nobody else can be at one, for the run
    /// has the lock.
    pub(super) async fn sweep(&self, key: &str) {
        if timeout(SWEEP, self.sweep_all(key)).await.is_err() {
            tracing::info!(key, "uploads that nobody goes on with may stay");
        }
    }

    async fn sweep_all(&self, key: &str) {
        let Ok(client) = self.client().await else {
            return;
        };
        let list = client
            .list_multipart_uploads()
            .bucket(self.bucket())
            .prefix(key);
        let listed = match list.send().await {
            Ok(listed) => listed,
            Err(error) => {
                let error = Failed::new("list the uploads of", self.uri(key), error).error;
                tracing::info!(%error, "uploads that nobody goes on with may stay");
                return;
            }
        };
        for upload in listed.uploads() {
            let (Some(id), true) = (upload.upload_id(), upload.key() == Some(key)) else {
                continue;
            };
            match self.give_up(key, id).await {
                Ok(()) => tracing::info!(key, "aborted an upload that nobody went on with"),
                Err(error) => tracing::warn!(%error, "an upload that nobody goes on with stays"),
            }
        }
    }
}

/// A fault before anything was sent, or after an answer.
fn unready(error: DestinationError) -> Failed {
    Failed {
        error,
        status: None,
        code: String::new(),
    }
}
