//! The client: AWS's own chain of credentials, one HTTP stack and one TLS stack, whose trust is only
//! ever added to.

use std::path::Path;
use std::time::Duration;

use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder as HttpBuilder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_types::service_config::ServiceConfigKey;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::config::S3Settings;
use crate::destination::fault::DestinationError;
use crate::errors::chain;

/// Tries of one request, the first included: bursts of 503 SlowDown last for seconds.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
const CONNECT: Duration = Duration::from_secs(10);

/// For one try of one part of 5 MiB, two of which are sent at once: a slow bucket may take its time. One
/// that takes nothing at all is noticed before by the SDK.
const ATTEMPT: Duration = Duration::from_secs(2 * 60);

/// For one try of having an object appear, which may take a server minutes.
pub(super) const COMPLETION: Duration = Duration::from_secs(5 * 60);

/// What a server that is not AWS takes for a region.
const NO_REGION: &str = "us-east-1";

/// Makes the client; nothing is sent to the bucket yet.
///
/// # Errors
/// The certificates that are to be trusted cannot be read.
pub(super) async fn client(settings: &S3Settings) -> Result<Client, DestinationError> {
    // One provider for every TLS connection; a second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut trusted = TrustStore::default();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        trusted.add_pem_certificate(pem(certificate));
    }
    for (variable, path) in &settings.ca_bundles {
        for certificate in bundle(variable, path)? {
            trusted.add_pem_certificate(pem(&certificate));
        }
    }
    let retry = RetryConfig::standard()
        .with_max_attempts(settings.max_attempts.unwrap_or(TRIES))
        .with_initial_backoff(FIRST_PAUSE)
        .with_max_backoff(LONGEST_PAUSE);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .build();
    let http = http(trusted)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(retry)
        .timeout_config(timeouts)
        .region(region(settings, http));
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let shared = loader.load().await;
    let endpoint = endpoint(settings, &shared);
    let custom = endpoint.is_some();
    let mut config = Builder::from(&shared)
        .retry_classifier(Connections)
        .force_path_style(settings.path_style.unwrap_or(custom));
    config.set_endpoint_url(endpoint);
    // Of a profile's URL one hears only now.
    if custom && shared.region().is_none() {
        config.set_region(Some(Region::new(NO_REGION)));
    }
    // Servers that are not AWS refuse the newer checksums; a part's MD5 they all know.
    let set = settings.checksums_set;
    if custom && !set.requests {
        config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    }
    if custom && !set.answers {
        config = config.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    Ok(Client::from_conf(config.build()))
}

/// What the SDK takes otherwise: a connection that broke while a request was on it is final to it where
/// the server speaks HTTP/2, and a certificate that is not trusted might be trusted the next time.
#[derive(Debug)]
struct Connections;

impl ClassifyRetry for Connections {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let Some(error) = error.and_then(OrchestratorError::as_connector_error) else {
            return RetryAction::NoActionIndicated;
        };
        let text = chain(error);
        if text.contains("invalid peer certificate") {
            RetryAction::RetryForbidden
        } else if error.is_other() && text.contains("SendRequest") {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "connections"
    }
}

/// The server's URL, where it is not AWS: ours, or a profile's. The SDK takes an empty one for one.
fn endpoint(settings: &S3Settings, shared: &SdkConfig) -> Option<String> {
    let of_service = || {
        let key = ServiceConfigKey::builder()
            .service_id("S3")
            .profile("endpoint_url")
            .env("AWS_ENDPOINT_URL");
        shared.service_config()?.load_config(key.build().ok()?)
    };
    let of_all = shared.endpoint_url().map(str::to_owned);
    let mut said = [settings.endpoint.clone(), of_service(), of_all]
        .into_iter()
        .flatten();
    said.find(|url| !url.is_empty())
}

/// Where the server is not AWS nobody is asked for the region who could only be asked in AWS.
fn region(settings: &S3Settings, http: SharedHttpClient) -> impl ProvideRegion + 'static {
    let said = settings.region.clone().map(Region::new);
    let told =
        RegionProviderChain::first_try(said).or_else(ProfileFileRegionProvider::builder().build());
    match settings.endpoint {
        Some(_) => told.or_else(Region::new(NO_REGION)),
        None => {
            let provider = ProviderConfig::without_region().with_http_client(http);
            told.or_else(ImdsRegionProvider::builder().configure(&provider).build())
        }
    }
}

fn http(trusted: TrustStore) -> Result<SharedHttpClient, DestinationError> {
    let context = TlsContext::builder().with_trust_store(trusted).build();
    let context = context.map_err(|error| DestinationError {
        action: "set up TLS for",
        object: "the bucket".to_owned(),
        detail: error.to_string(),
        permanent: true,
    })?;
    Ok(
        HttpBuilder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            let provider = Provider::rustls(CryptoMode::Ring);
            connector
                .tls_provider(provider)
                .tls_context(context.clone())
                .build()
        }),
    )
}

/// The certificates of a file that can be used. The SDK would panic on another.
fn bundle(variable: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, DestinationError> {
    let fault = |detail: String| DestinationError {
        action: "trust",
        object: format!("{variable}={}", path.display()),
        detail,
        permanent: true,
    };
    let text = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let mut certificates =
        certificates.map_err(|error| fault(format!("it is no PEM: {error:?}")))?;
    // Among a cluster's hundred authorities one that is too odd for TLS is nobody's fault.
    let (all, mut store) = (certificates.len(), rustls::RootCertStore::empty());
    certificates.retain(|certificate| store.add(certificate.clone()).is_ok());
    if certificates.is_empty() {
        return Err(fault("there is no certificate in it".to_owned()));
    }
    let odd = all - certificates.len();
    if odd > 0 {
        let path = path.display();
        tracing::warn!(variable, %path, "{odd} of {all} certificates in it cannot be used");
    }
    Ok(certificates)
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64_STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
