//! Multipart uploads that are open, which s3s-fs does not list.
//!
//! Protocol: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>

use std::path::Path;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use s3s::Body;

use crate::state::{BUCKET, Begun, State};

/// Whether a request asks for the uploads that are open, or begins one.
pub(crate) fn asks<T>(request: &Request<T>, method: &Method) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.method() == method && query.split('&').any(|part| part.starts_with("uploads"))
}

/// The upload that was begun, as the answer to its request names it, and that answer again.
pub(crate) async fn note(key: &str, reply: Response<Body>) -> (Response<Body>, Option<Begun>) {
    let (parts, body) = reply.into_parts();
    let collected = body.collect().await.map(|body| body.to_bytes());
    let bytes = collected.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let id = text
        .split_once("<UploadId>")
        .and_then(|(_, rest)| rest.split_once('<'));
    let begun = id.map(|(id, _)| Begun {
        key: key.to_owned(),
        id: id.to_owned(),
    });
    (
        Response::from_parts(parts, Body::from(bytes.clone())),
        begun,
    )
}

/// The answer to a request for the uploads that are open.
pub(crate) fn listed(root: &Path, state: &State) -> Response<Body> {
    let open = |begun: &&Begun| root.join(format!(".upload-{}.json", begun.id)).exists();
    let uploads: String = state
        .begun
        .iter()
        .filter(open)
        .map(|Begun { key, id }| {
            format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
        })
        .collect();
    Response::new(Body::from(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListMultipartUploadsResult>\
         <Bucket>{BUCKET}</Bucket>{uploads}</ListMultipartUploadsResult>"
    )))
}
