//! Endpoints that are not the right ones: redirects, which nobody follows, for a request's signature is for one
//! host; and schemes that were guessed.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use http::Uri;
use http::uri::Authority;

/// The endpoint that requests are sent to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint<'a> {
    /// Its URL; `None` for AWS's own.
    pub(super) url: Option<&'a str>,
    /// Whether its scheme was guessed from the port of an ObjectBucketClaim.
    pub(super) is_guess: bool,
}

impl Endpoint<'_> {
    /// What to do about a failure that may come of the wrong scheme: one without an answer of S3's.
    pub(super) fn scheme_hint(self) -> Option<String> {
        let (scheme, rest) = self.url.filter(|_| self.is_guess)?.split_once("://")?;
        let (other, speaks) = match scheme {
            "https" => ("http", "no TLS"),
            _ => ("https", "TLS"),
        };
        Some(format!(
            "; BUCKET_PORT does not say whether the server speaks TLS, and {scheme} is a guess: if it speaks \
             {speaks}, set AWS_ENDPOINT_URL={other}://{rest}"
        ))
    }
}

/// The longest name of a host, with a port.
const LONGEST_HOST: usize = 260;

pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 307 | 308)
}

/// What to do about an answer that names another endpoint than the one that is set; `None` if it does not.
pub(super) fn hint(
    response: &HttpResponse,
    endpoint: Endpoint<'_>,
    region: Option<&str>,
) -> Option<String> {
    if !is_redirect(response.status().as_u16()) {
        return None;
    }
    let location = response.headers().get("location");
    let other = endpoint_of(location, response.body().bytes().unwrap_or_default())?;
    let given = endpoint.url.map_or_else(
        || "AWS's own endpoint of the region".to_owned(),
        |endpoint| format!("AWS_ENDPOINT_URL={endpoint}"),
    );
    let or_region = region
        .map(|region| format!(", or AWS_REGION={region}"))
        .unwrap_or_default();
    Some(format!(
        "; it was asked at {given}, and sends to {other}: set AWS_ENDPOINT_URL={other} without the bucket's \
         name{or_region}"
    ))
}

/// The endpoint that a redirect names, in its Location or, as AWS does, in its body: of either no more than a scheme and
/// a host, for whoever reads the hint may set it.
pub fn endpoint_of(location: Option<&str>, body: &[u8]) -> Option<String> {
    if let Some(uri) = location.and_then(|location| location.parse::<Uri>().ok())
        && let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority())
        && ["http", "https"].contains(&scheme)
        && is_host(authority)
    {
        return Some(format!("{scheme}://{authority}"));
    }
    let body = std::str::from_utf8(body).ok()?;
    let (_, after) = body.split_once("<Endpoint>")?;
    let (endpoint, _) = after.split_once("</Endpoint>")?;
    let authority = endpoint.parse().ok().filter(is_host)?;
    Some(format!("https://{authority}"))
}

/// Whether this is a host and nothing else, but for its port.
fn is_host(authority: &Authority) -> bool {
    authority.as_str().len() <= LONGEST_HOST && !authority.as_str().contains('@')
}
