//! Multipart uploads of a bucket, one request each.
//!
//! Protocol: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::time::timeout;

use super::error::RequestError;
use super::objects::{Mark, Objects, content_md5, once};
use crate::destination::error::DestinationError;
use crate::limits::S3_ABORT_ALL;

/// Begins the upload of an object of this media type and with this mark, by a request that is sent once.
/// Returns the upload's id.
pub(super) async fn create(
    objects: &Objects,
    key: &str,
    media_type: &str,
    mark: &Mark,
) -> Result<String, RequestError> {
    const ACTION: &str = "begin the upload of";
    let client = objects.client().await?;
    let without_checksums = client.config().request_checksum_calculation()
        == Some(&RequestChecksumCalculation::WhenRequired);
    let created = client
        .create_multipart_upload()
        .bucket(objects.bucket())
        .key(key)
        .content_type(media_type)
        .set_server_side_encryption(objects.encryption())
        .set_ssekms_key_id(objects.settings().kms_key.clone())
        .set_storage_class(objects.storage_class())
        .set_tagging(objects.settings().tags.clone())
        // Parts may have a checksum, and a server has to be told which.
        .set_checksum_algorithm((!without_checksums).then_some(ChecksumAlgorithm::Crc32))
        .set_metadata(Some(mark.metadata()))
        .customize()
        .config_override(once())
        .send()
        .await
        .map_err(|error| objects.failed(ACTION, key, error))?;
    let without_id = || DestinationError {
        action: ACTION,
        object: objects.uri(key),
        detail: "the server gave it no id".to_owned(),
        permanent: true,
    };
    Ok(created.upload_id.ok_or_else(without_id)?)
}

/// Sends one part, once. Returns what completing the upload needs to know of it.
pub(super) async fn send_part(
    objects: &Objects,
    key: &str,
    id: &str,
    number: i32,
    body: Bytes,
) -> Result<CompletedPart, RequestError> {
    let digest = content_md5(&body);
    let sent = objects
        .client()
        .await?
        .upload_part()
        .bucket(objects.bucket())
        .key(key)
        .upload_id(id)
        .part_number(number)
        .content_md5(digest)
        .body(body.into())
        .customize()
        .config_override(once())
        .send()
        .await
        .map_err(|error| objects.failed("upload a part of", key, error))?;
    Ok(CompletedPart::builder()
        .part_number(number)
        .set_e_tag(sent.e_tag)
        .set_checksum_crc32(sent.checksum_crc32)
        .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
        .build())
}

/// Makes the object out of its parts, in the order of their numbers, by a request that is sent once.
pub(super) async fn complete(
    objects: &Objects,
    key: &str,
    id: &str,
    parts: CompletedMultipartUpload,
) -> Result<(), RequestError> {
    let completion = objects.limits().completion;
    let patient = TimeoutConfig::builder().operation_attempt_timeout(completion);
    objects
        .client()
        .await?
        .complete_multipart_upload()
        .bucket(objects.bucket())
        .key(key)
        .upload_id(id)
        .multipart_upload(parts)
        .customize()
        .config_override(once().timeout_config(patient.build()))
        .send()
        .await
        .map(drop)
        .map_err(|error| objects.failed("complete the upload of", key, error))
}

/// Aborts an upload. One that is not there is no error.
pub(super) async fn abort(objects: &Objects, key: &str, id: &str) -> Result<(), DestinationError> {
    let aborted = objects
        .client()
        .await?
        .abort_multipart_upload()
        .bucket(objects.bucket())
        .key(key)
        .upload_id(id)
        .send()
        .await;
    match aborted {
        Ok(_) => Ok(()),
        Err(error) => {
            let failed = objects.failed("abort the upload of", key, error);
            if failed.is_absent() {
                Ok(())
            } else {
                Err(failed.error)
            }
        }
    }
}

/// Aborts all uploads of a key, as far as there is time. Nobody else can be at one, for the run has the lock.
pub(super) async fn abort_all(objects: &Objects, key: &str) {
    let aborted = timeout(S3_ABORT_ALL, abort_all_in_time(objects, key));
    if aborted.await.is_err() {
        tracing::info!(key, "uploads that nobody goes on with may stay");
    }
}

async fn abort_all_in_time(objects: &Objects, key: &str) {
    let Ok(client) = objects.client().await else {
        return;
    };
    let list = client
        .list_multipart_uploads()
        .bucket(objects.bucket())
        .prefix(key);
    let listed = match list.send().await {
        Ok(listed) => listed,
        Err(error) => {
            let error = objects.failed("list the uploads of", key, error).error;
            tracing::info!(%error, "uploads that nobody goes on with may stay");
            return;
        }
    };
    // The list has all keys that begin with this one.
    let of_key = listed
        .uploads()
        .iter()
        .filter(|upload| upload.key() == Some(key));
    for id in of_key.filter_map(|upload| upload.upload_id()) {
        match abort(objects, key, id).await {
            Ok(()) => tracing::info!(key, "aborted an upload that nobody went on with"),
            Err(error) => tracing::warn!(%error, "an upload that nobody goes on with stays"),
        }
    }
}
