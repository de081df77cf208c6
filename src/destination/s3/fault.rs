//! What goes wrong with a bucket, and what to do about it.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::destination::fault::DestinationError;
use crate::errors::chain;

/// A request that failed. The answer's status, where there was one, tells what is only missing from
/// what is refused.
pub(super) struct Failed {
    pub(super) error: DestinationError,
    pub(super) status: Option<u16>,
    /// S3's word for it, which an answer to a HEAD lacks.
    pub(super) code: String,
}

impl Failed {
    /// The object or the upload is not there, though its bucket is.
    pub(super) fn is_absent(&self) -> bool {
        self.status == Some(404) && self.code != "NoSuchBucket"
    }

    /// This account may not do this; AWS says so of what is not there, too.
    pub(super) fn is_denied(&self) -> bool {
        let of_credentials = CREDENTIALS.contains(&&*self.code) || self.code == SKEWED;
        self.status == Some(403) && !of_credentials
    }

    /// Of a request on an object of a bucket.
    pub(super) fn new<E>(
        action: &'static str,
        object: String,
        error: SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let region = response.and_then(|response| response.headers().get("x-amz-bucket-region"));
        let region = region.map(str::to_owned);
        let code = error.code().unwrap_or_default().to_owned();
        let (permanent, hint) = match &error {
            SdkError::ServiceError(_) => served(&code, status, region.as_deref()),
            SdkError::ResponseError(_) | SdkError::TimeoutError(_) => (false, String::new()),
            SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => unsent(&error),
            _ => (false, String::new()),
        };
        let what = match (&error, error.message()) {
            (SdkError::ServiceError(_), message) => {
                let status = status
                    .map(|status| format!("{status} "))
                    .unwrap_or_default();
                let message = message.map(|message| format!(": {message}"));
                format!(
                    "the server answered {status}{code}{}",
                    message.unwrap_or_default()
                )
            }
            _ => chain(&error),
        };
        Self {
            error: DestinationError {
                action,
                object,
                detail: format!("{what}{hint}"),
                permanent,
            },
            status,
            code,
        }
    }
}

/// Credentials that are wrong, or were right once.
const CREDENTIALS: [&str; 6] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "InvalidSecurity",
    "TokenRefreshRequired",
];

const SKEWED: &str = "RequestTimeTooSkewed";

/// Of an answer: whether it would be the same again, and what to do.
fn served(code: &str, status: Option<u16>, region: Option<&str>) -> (bool, String) {
    let hint = match code {
        "NoSuchBucket" => "; create the bucket, or correct its name or AWS_ENDPOINT_URL",
        _ if CREDENTIALS.contains(&code) => {
            "; the credentials are wrong or have expired: see AWS_ACCESS_KEY_ID, \
             AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or the role"
        }
        SKEWED => "; this node's clock and the server's differ: set the clock",
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "IllegalLocationConstraintException" => {
            return (true, elsewhere(region));
        }
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => DENIED,
        "KMS.DisabledException" | "KMS.NotFoundException" => "; see PROFILER_S3_KMS_KEY_ID",
        "InvalidStorageClass" => "; see PROFILER_S3_STORAGE_CLASS",
        "QuotaExceeded" | "XMinioStorageFull" => "; make room in the bucket, or raise its quota",
        "NotImplemented" => UNKNOWN_THERE,
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
        | "IncompleteBody" => {
            return (false, String::new());
        }
        _ => match status {
            Some(301 | 307) => return (true, elsewhere(region)),
            Some(401) => "; the credentials are refused",
            Some(403) => DENIED,
            Some(501) => UNKNOWN_THERE,
            Some(407) => "; the proxy wants credentials: see HTTPS_PROXY",
            Some(status) if status >= 500 || status == 429 || status == 408 => {
                return (false, String::new());
            }
            _ => "",
        },
    };
    (true, hint.to_owned())
}

const DENIED: &str = "; the account may not do this: see docs/s3.md for the rights that are needed";

const UNKNOWN_THERE: &str = "; the server does not know what was asked of it: leave PROFILER_S3_ENCRYPTION, \
                             PROFILER_S3_TAGS and AWS_REQUEST_CHECKSUM_CALCULATION out";

fn elsewhere(region: Option<&str>) -> String {
    let region = region.map(|region| format!("={region}"));
    format!(
        "; the bucket is in another region: set AWS_REGION{}",
        region.unwrap_or_default()
    )
}

/// The fault of whoever gives credentials, if it is one.
fn credentials<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CredentialsError> {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

/// Whoever gives credentials may be out of reach for a while, such as before a pod's network is there.
fn unauthenticated(error: &CredentialsError) -> (bool, String) {
    if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        let hint = "; no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a \
                    role, or a profile";
        return (true, hint.to_owned());
    }
    let text = chain(error).to_lowercase();
    let transport = [
        "dispatch failure",
        "timed out",
        "timeout",
        "dns error",
        "connect",
    ];
    if matches!(error, CredentialsError::ProviderTimedOut(_))
        || transport.iter().any(|word| text.contains(word))
    {
        return (
            false,
            "; whoever gives credentials does not answer".to_owned(),
        );
    }
    let hint = "; the credentials cannot be had: see AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, \
                AWS_PROFILE";
    (true, hint.to_owned())
}

/// Of a request that had no answer.
fn unsent(error: &(dyn Error + 'static)) -> (bool, String) {
    if let Some(error) = credentials(error) {
        return unauthenticated(error);
    }
    let text = chain(error).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let hint = if says(&["invalid peer certificate", "unknownissuer"]) {
        "; the server's certificate is not trusted: give its authority's in AWS_CA_BUNDLE"
    } else if says(&["corrupt message", "invalidcontenttype"]) {
        "; the server speaks no TLS there: see AWS_ENDPOINT_URL"
    } else if says(&["region"]) {
        "; set AWS_REGION"
    } else if says(&["proxy auth", "407"]) {
        "; the proxy wants credentials: see HTTPS_PROXY"
    } else if says(&["tunnel", "proxy"]) {
        return (
            false,
            "; the proxy of HTTPS_PROXY does not let it through".to_owned(),
        );
    } else if says(&["dns error", "failed to lookup"]) {
        return (
            false,
            "; the name is not resolved: see AWS_ENDPOINT_URL and the bucket's name".to_owned(),
        );
    } else {
        return (false, String::new());
    };
    (true, hint.to_owned())
}
