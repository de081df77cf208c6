//! Objects of a bucket, one request each.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use aws_sdk_s3::{Client, Config};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest, Md5};
use tokio::sync::OnceCell;

use super::client;
use super::endpoint::Endpoint;
use super::error::RequestError;
use crate::config::{S3Config, S3Settings};
use crate::destination::error::DestinationError;
use crate::limits::BucketLimits;

/// For a request that `patience.rs` sends again itself.
pub(super) fn once() -> Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

/// The objects of a bucket that are below a prefix.
#[derive(Debug, Clone)]
pub(super) struct Objects(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: S3Config,
    limits: BucketLimits,
    client: OnceCell<Client>,
}

/// The name of the metadata that has an object's mark.
const MARK: &str = "cluster-profiler-job-mark";

/// What tells an object that was just written from any other that has its key.
#[derive(Debug)]
pub(super) struct Mark {
    /// A random number, which the object has in its metadata.
    nonce: String,
    /// The object's size.
    pub(super) bytes: u64,
}

/// What a bucket says of an object.
pub(super) struct Head {
    pub(super) bytes: u64,
    nonce: Option<String>,
}

impl Mark {
    pub(super) fn new() -> Self {
        Self {
            nonce: format!("{:032x}", fastrand::u128(..)),
            bytes: 0,
        }
    }

    /// The mark of an object with this content.
    pub(super) fn of(content: &[u8]) -> Self {
        Self {
            bytes: content.len() as u64,
            ..Self::new()
        }
    }

    /// The metadata for the request that makes the object.
    pub(super) fn metadata(&self) -> HashMap<String, String> {
        HashMap::from([(MARK.to_owned(), self.nonce.clone())])
    }
}

impl Head {
    /// Whether this is the object of the mark, and all of it.
    pub(super) fn is_of(&self, mark: &Mark) -> bool {
        self.has_mark(mark) && self.bytes == mark.bytes
    }

    pub(super) fn has_mark(&self, mark: &Mark) -> bool {
        self.nonce.as_ref() == Some(&mark.nonce)
    }

    /// Whether this may be the object of the mark; some proxies remove metadata.
    pub(super) fn has_no_other_mark(&self, mark: &Mark) -> bool {
        self.nonce.is_none() || self.has_mark(mark)
    }
}

/// The checksum of a body that every server compares, whatever others it knows.
pub(super) fn content_md5(body: &[u8]) -> String {
    BASE64_STANDARD.encode(Md5::digest(body))
}

impl Objects {
    pub(super) fn new(config: S3Config, limits: BucketLimits) -> Self {
        Self(Arc::new(Inner {
            config,
            limits,
            client: OnceCell::new(),
        }))
    }

    /// The client, which is made when it is first used.
    pub(super) async fn client(&self) -> Result<&Client, DestinationError> {
        let new_client = || client::new_client(self.settings(), self.limits());
        self.0.client.get_or_try_init(new_client).await
    }

    pub(super) fn bucket(&self) -> &str {
        &self.0.config.bucket
    }

    pub(super) fn settings(&self) -> &S3Settings {
        &self.0.config.settings
    }

    pub(super) fn limits(&self) -> &BucketLimits {
        &self.0.limits
    }

    pub(super) fn encryption(&self) -> Option<ServerSideEncryption> {
        let encryption = self.settings().encryption.as_ref();
        encryption.map(|name| ServerSideEncryption::from(name.as_str()))
    }

    pub(super) fn storage_class(&self) -> Option<StorageClass> {
        let storage_class = self.settings().storage_class.as_ref();
        storage_class.map(|name| StorageClass::from(name.as_str()))
    }

    /// The key of a name.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.0.config.prefix)
    }

    pub(super) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket())
    }

    /// The error of a request on a key.
    pub(super) fn failed<E>(
        &self,
        action: &'static str,
        key: &str,
        error: SdkError<E, HttpResponse>,
    ) -> RequestError
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let endpoint = Endpoint {
            url: self.settings().endpoint.as_deref(),
            is_guess: self.settings().scheme_is_guess,
        };
        RequestError::new(action, self.uri(key), endpoint, error)
    }

    pub(super) async fn put(
        &self,
        key: &str,
        body: Bytes,
        media_type: &str,
    ) -> Result<(), DestinationError> {
        let put = self.putting(key, body, media_type).await?.send();
        put.await
            .map(drop)
            .map_err(|error| self.failed("write", key, error).error)
    }

    /// Makes a marked object in one request, which is sent once.
    pub(super) async fn put_once(
        &self,
        key: &str,
        body: Bytes,
        media_type: &str,
        mark: &Mark,
    ) -> Result<(), RequestError> {
        let put = self.putting(key, body, media_type).await?;
        let put = put.set_metadata(Some(mark.metadata())).customize();
        put.config_override(once())
            .send()
            .await
            .map(drop)
            .map_err(|error| self.failed("write", key, error))
    }

    async fn putting(
        &self,
        key: &str,
        body: Bytes,
        media_type: &str,
    ) -> Result<PutObjectFluentBuilder, DestinationError> {
        Ok(self
            .client()
            .await?
            .put_object()
            .bucket(self.bucket())
            .key(key)
            .content_type(media_type)
            .content_md5(content_md5(&body))
            .body(ByteStream::from(body))
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.settings().kms_key.clone())
            .set_storage_class(self.storage_class())
            .set_tagging(self.settings().tags.clone()))
    }

    /// An object's size; `None` where there is no object.
    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>, RequestError> {
        Ok(self.head(key).await?.map(|head| head.bytes))
    }

    /// What the bucket says of an object; `None` where there is no object.
    pub(super) async fn head(&self, key: &str) -> Result<Option<Head>, RequestError> {
        let client = self.client().await?;
        let head = client.head_object().bucket(self.bucket()).key(key);
        match head.send().await {
            Ok(head) => Ok(Some(Head {
                bytes: head
                    .content_length
                    .and_then(|bytes| u64::try_from(bytes).ok())
                    .unwrap_or_default(),
                nonce: head.metadata.and_then(|mut metadata| metadata.remove(MARK)),
            })),
            Err(error) => match self.failed("look for", key, error) {
                failed if failed.is_absent() => Ok(None),
                failed => Err(failed),
            },
        }
    }

    /// An object's content, as it comes.
    pub(super) async fn open(&self, key: &str) -> Result<ByteStream, RequestError> {
        let client = self.client().await?;
        let get = client.get_object().bucket(self.bucket()).key(key);
        match get.send().await {
            Ok(got) => Ok(got.body),
            Err(error) => Err(self.failed("read", key, error)),
        }
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), RequestError> {
        let client = self.client().await?;
        let delete = client.delete_object().bucket(self.bucket()).key(key);
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed("delete", key, error)),
        }
    }

    /// The names below the prefix that begin like this, with the time of their last change. The server
    /// gives a thousand at once.
    pub(super) async fn list(
        &self,
        beginning: &str,
    ) -> Result<Vec<(String, Timestamp)>, DestinationError> {
        let prefix = self.key("");
        let prefix_and_beginning = self.key(beginning);
        let mut pages = self
            .client()
            .await?
            .list_objects_v2()
            .bucket(self.bucket())
            .prefix(&prefix_and_beginning)
            .delimiter("/")
            .into_paginator()
            .send();
        let mut names = Vec::new();
        while let Some(listed) = pages.next().await {
            let page =
                listed.map_err(|error| self.failed("list", &prefix_and_beginning, error).error)?;
            for object in page.contents() {
                let name = object.key().and_then(|key| key.strip_prefix(&prefix));
                let seconds = object.last_modified().map(|modified| modified.secs());
                let modified = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
                names.extend(name.map(str::to_owned).zip(modified));
            }
        }
        Ok(names)
    }
}
