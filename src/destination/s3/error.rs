//! The error of a request to a bucket, and what to do about it.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::endpoint::{self, Endpoint};
use crate::destination::error::DestinationError;
use crate::errors::{self, chain, unknown_to_tls};

/// A request that failed. The status and the code tell what is missing from what is refused.
pub(super) struct RequestError {
    pub(super) error: DestinationError,
    /// The answer's status; `None` where there was no answer.
    status: Option<u16>,
    /// S3's error code, which an answer to a HEAD lacks.
    code: String,
    /// How long the server wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// What a user should know of a failed request.
struct Advice {
    /// Whether the request would fail again.
    permanent: bool,
    /// What to do; empty where nothing is known.
    hint: String,
}

impl Advice {
    fn permanent(hint: impl Into<String>) -> Self {
        Self {
            permanent: true,
            hint: hint.into(),
        }
    }

    fn passing(hint: impl Into<String>) -> Self {
        Self {
            permanent: false,
            hint: hint.into(),
        }
    }
}

impl From<DestinationError> for RequestError {
    /// An error before anything was sent, or after the answer.
    fn from(error: DestinationError) -> Self {
        Self {
            error,
            status: None,
            code: String::new(),
            retry_after: None,
        }
    }
}

impl RequestError {
    /// Whether the object or the upload is not there, though its bucket is.
    pub(super) fn is_absent(&self) -> bool {
        self.status == Some(404) && self.code != "NoSuchBucket"
    }

    /// Whether a part of the upload is gone, or is not the one that was sent: no other try brings it back, but
    /// another upload may.
    pub(super) fn lacks_part(&self) -> bool {
        self.code == "InvalidPart"
    }

    /// Whether this account may not do this. AWS says so of what is not there, too.
    pub(super) fn is_denied(&self) -> bool {
        let of_credentials = CREDENTIALS.contains(&&*self.code) || self.code == SKEWED;
        self.status == Some(403) && !of_credentials
    }

    /// The error of a request on an object of a bucket, which was sent to an endpoint that is set, or to AWS's.
    pub(super) fn new<E>(
        action: &'static str,
        object: String,
        endpoint: Endpoint<'_>,
        error: SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let region = response
            .and_then(|response| response.headers().get("x-amz-bucket-region"))
            .map(str::to_owned);
        let code = error.code().unwrap_or_default().to_owned();
        let advice = match &error {
            SdkError::ServiceError(_) => response
                .and_then(|response| endpoint::hint(response, endpoint, region.as_deref()))
                .map_or_else(
                    || on_answer(&code, status, region.as_deref()),
                    Advice::permanent,
                ),
            SdkError::ResponseError(_) | SdkError::TimeoutError(_) => Advice::passing(""),
            SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => on_unsent(&error),
            _ => Advice::passing(""),
        };
        let what = match (&error, error.message()) {
            (SdkError::ServiceError(_), message) => {
                let number = status
                    .map(|status| format!("{status} "))
                    .unwrap_or_default();
                let colon_message = message
                    .map(|message| format!(": {message}"))
                    .unwrap_or_default();
                format!("the server answered {number}{code}{colon_message}")
            }
            _ => chain(&error),
        };
        let is_s3 = matches!(&error, SdkError::ServiceError(_))
            && (!code.is_empty() || status != Some(400));
        let scheme_hint = endpoint
            .scheme_hint()
            .filter(|_| !is_s3)
            .unwrap_or_default();
        Self {
            error: DestinationError {
                action,
                object,
                detail: format!("{what}{}{scheme_hint}", advice.hint),
                permanent: advice.permanent,
            },
            status,
            code,
            retry_after: response.and_then(retry_after),
        }
    }
}

/// How long the server wants to be left alone: Retry-After, or AWS's own header, in milliseconds.
pub(super) fn retry_after(response: &HttpResponse) -> Option<Duration> {
    if let Some(text) = response.headers().get("x-amz-retry-after") {
        return text.parse().ok().map(Duration::from_millis);
    }
    errors::retry_after(response.headers().get("retry-after")?)
}

/// S3's codes for credentials that are wrong, or were right once.
const CREDENTIALS: [&str; 6] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "InvalidSecurity",
    "TokenRefreshRequired",
];

/// S3's code for a clock that is wrong.
const SKEWED: &str = "RequestTimeTooSkewed";

const DENIED: &str = "; the account may not do this: see docs/s3.md for the rights that are needed";

const UNKNOWN_THERE: &str = "; the server does not know what was asked of it: leave PROFILER_S3_ENCRYPTION, \
                             PROFILER_S3_TAGS and AWS_REQUEST_CHECKSUM_CALCULATION out";

/// Advice on an answer, by its code, or by its status where it has no code that is known.
fn on_answer(code: &str, status: Option<u16>, region: Option<&str>) -> Advice {
    match code {
        "NoSuchBucket" => {
            Advice::permanent("; create the bucket, or correct its name or AWS_ENDPOINT_URL")
        }
        _ if CREDENTIALS.contains(&code) => Advice::permanent(
            "; the credentials are wrong or have expired: see AWS_ACCESS_KEY_ID, \
             AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or the role",
        ),
        SKEWED => Advice::permanent("; this node's clock and the server's differ: set the clock"),
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "IllegalLocationConstraintException" => elsewhere(region),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Advice::permanent(DENIED),
        "KMS.DisabledException" | "KMS.NotFoundException" => {
            Advice::permanent("; see PROFILER_S3_KMS_KEY_ID")
        }
        "InvalidStorageClass" => Advice::permanent("; see PROFILER_S3_STORAGE_CLASS"),
        "QuotaExceeded" | "XMinioStorageFull" => {
            Advice::permanent("; make room in the bucket, or raise its quota")
        }
        "NotImplemented" => Advice::permanent(UNKNOWN_THERE),
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "ServiceUnavailable"
        | "InternalError"
        | "RequestTimeout"
        | "Throttling"
        | "RequestLimitExceeded"
        | "OperationAborted"
        | "BadDigest"
        | "InvalidPart"
        | "NoSuchUpload"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch"
        | "IncompleteBody" => Advice::passing(""),
        _ => on_status(status, region),
    }
}

fn on_status(status: Option<u16>, region: Option<&str>) -> Advice {
    match status {
        Some(status) if endpoint::is_redirect(status) => elsewhere(region),
        Some(401) => Advice::permanent("; the credentials are refused"),
        Some(403) => Advice::permanent(DENIED),
        Some(501) => Advice::permanent(UNKNOWN_THERE),
        Some(407) => Advice::permanent("; the proxy wants credentials: see HTTPS_PROXY"),
        // 409: somebody else is at the object, or the server is still at what it was asked before.
        Some(408 | 409 | 429 | 500..) => Advice::passing(""),
        _ => Advice::permanent(""),
    }
}

fn elsewhere(region: Option<&str>) -> Advice {
    let equals_region = region
        .map(|region| format!("={region}"))
        .unwrap_or_default();
    Advice::permanent(format!(
        "; the bucket is in another region: set AWS_REGION{equals_region}"
    ))
}

/// Advice on a request that had no answer.
fn on_unsent(error: &(dyn Error + 'static)) -> Advice {
    if let Some(error) = credentials_error(error) {
        return on_credentials(error);
    }
    let text = chain(error).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if let Some(what) = unknown_to_tls(error) {
        Advice::permanent(format!("; {what}"))
    } else if says(&["invalid peer certificate", "unknownissuer"]) {
        Advice::permanent("; its certificate is not trusted: give its authority's in AWS_CA_BUNDLE")
    } else if says(&["corrupt message", "invalidcontenttype"]) {
        Advice::permanent("; the server speaks no TLS there: see AWS_ENDPOINT_URL")
    } else if says(&["region"]) {
        Advice::permanent("; set AWS_REGION")
    } else if says(&["proxy auth", "407"]) {
        Advice::permanent("; the proxy wants credentials: see HTTPS_PROXY")
    } else if says(&["is no url of a proxy"]) {
        Advice::permanent("; or name the host in NO_PROXY")
    } else if says(&["tunnel", "proxy"]) {
        Advice::passing("; the proxy of HTTPS_PROXY does not let it through")
    } else if says(&["dns error", "failed to lookup"]) {
        Advice::passing("; the name is not resolved: see AWS_ENDPOINT_URL and the bucket's name")
    } else {
        Advice::passing("")
    }
}

/// The error of a source of credentials among an error's causes, if there is one.
fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CredentialsError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// Advice on credentials that could not be had. Their source may be out of reach for a while, such as before
/// a pod's network is there.
fn on_credentials(error: &CredentialsError) -> Advice {
    if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        return Advice::permanent(
            "; no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a \
             role, or a profile",
        );
    }
    let text = chain(error).to_lowercase();
    let is_transport = [
        "dispatch failure",
        "timed out",
        "timeout",
        "dns error",
        "connect",
    ]
    .iter()
    .any(|word| text.contains(word));
    if is_transport || matches!(error, CredentialsError::ProviderTimedOut(_)) {
        return Advice::passing("; whoever gives credentials does not answer");
    }
    Advice::permanent(
        "; the credentials cannot be had: see AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, \
         AWS_PROFILE",
    )
}
