//! The S3 client: AWS's own chain of credentials, the region, the endpoint, tries, and the one TLS stack.

use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::ErrorKind;
use aws_types::service_config::ServiceConfigKey;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::CertificateDer;

use super::error::retry_after;

use crate::config::S3Settings;
use crate::destination::error::DestinationError;
use crate::errors::chain;
use crate::limits::{BucketLimits, S3_CONNECT, S3_FIRST_PAUSE, S3_LONGEST_PAUSE, S3_TRIES};
use crate::proxy::{Protocol, Proxies, ProxyError, ProxyUrl};
use crate::trust::{self, TrustError};

/// The schemes of proxies that a bucket can be reached by.
const HTTP: &str = "http:// or https://";

/// The region that is named to a server that is not AWS.
const NO_REGION: &str = "us-east-1";

/// Makes the client; nothing is sent to the bucket yet.
///
/// # Errors
/// The certificates that are to be trusted cannot be read.
pub(super) async fn new_client(
    settings: &S3Settings,
    limits: &BucketLimits,
) -> Result<Client, DestinationError> {
    let retry = RetryConfig::standard()
        .with_max_attempts(settings.max_attempts.unwrap_or(S3_TRIES))
        .with_initial_backoff(S3_FIRST_PAUSE)
        .with_max_backoff(S3_LONGEST_PAUSE);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(S3_CONNECT)
        .operation_attempt_timeout(limits.attempt)
        .build();
    let http = http_client(settings)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(retry)
        .timeout_config(timeouts)
        .region(region(settings, http));
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let shared = loader.load().await;
    let endpoint = custom_endpoint(settings, &shared);
    let custom = endpoint.is_some();
    let mut config = Builder::from(&shared)
        .retry_classifier(OwnDecisions)
        .force_path_style(settings.path_style.unwrap_or(custom));
    config.set_endpoint_url(endpoint);
    // A profile's URL is known only now, when the region has been looked for.
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

/// Decides where the SDK decides otherwise: to the SDK a connection that broke while a request was on it is
/// final if the server speaks HTTP/2, a certificate that is not trusted might be trusted the next time, and
/// a bare 429 is final. It knows AWS's own header for how long to wait, and not Retry-After.
#[derive(Debug)]
struct OwnDecisions;

impl ClassifyRetry for OwnDecisions {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        if let Some(response) = context.response()
            && matches!(response.status().as_u16(), 429 | 500..)
        {
            return match retry_after(response) {
                Some(pause) => RetryAction::retryable_error_with_explicit_delay(
                    ErrorKind::ThrottlingError,
                    pause,
                ),
                None if response.status().as_u16() == 429 => RetryAction::throttling_error(),
                None => RetryAction::NoActionIndicated,
            };
        }
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
        "own decisions"
    }
}

/// The URL of a server that is not AWS, out of our settings or a profile. An empty one is none, though the
/// SDK would use it.
fn custom_endpoint(settings: &S3Settings, shared: &SdkConfig) -> Option<String> {
    let of_service = || {
        let key = ServiceConfigKey::builder()
            .service_id("S3")
            .profile("endpoint_url")
            .env("AWS_ENDPOINT_URL");
        shared.service_config()?.load_config(key.build().ok()?)
    };
    let of_all_services = shared.endpoint_url().map(str::to_owned);
    [settings.endpoint.clone(), of_service(), of_all_services]
        .into_iter()
        .flatten()
        .find(|url| !url.is_empty())
}

/// The region, out of our settings or a profile. If neither has one, AWS's instance metadata is asked for it
/// where the server is AWS, and nobody where it is not.
fn region(settings: &S3Settings, http: SharedHttpClient) -> impl ProvideRegion + 'static {
    let configured = RegionProviderChain::first_try(settings.region.clone().map(Region::new))
        .or_else(ProfileFileRegionProvider::builder().build());
    if settings.endpoint.is_some() {
        configured.or_else(Region::new(NO_REGION))
    } else {
        let provider = ProviderConfig::without_region().with_http_client(http);
        configured.or_else(ImdsRegionProvider::builder().configure(&provider).build())
    }
}

/// An HTTP client that also trusts the certificates of these files, and reaches each host by its proxy.
///
/// # Errors
/// A file cannot be read, is no PEM, or has no certificate that can be used.
fn http_client(settings: &S3Settings) -> Result<SharedHttpClient, DestinationError> {
    // One provider for every TLS connection; a second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut trusted = TrustStore::default();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        trusted.add_pem_certificate(pem(certificate));
    }
    for (variable, path) in &settings.ca_bundles {
        let certificates = trust::certificates(variable, path);
        let fault = |error: TrustError| DestinationError {
            action: "trust",
            object: error.object,
            detail: error.detail,
            permanent: true,
        };
        for certificate in certificates.map_err(fault)? {
            trusted.add_pem_certificate(pem(&certificate));
        }
    }
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| DestinationError {
            action: "set up TLS for",
            object: "the bucket".to_owned(),
            detail: error.to_string(),
            permanent: true,
        })?;
    let proxies = settings.proxies.clone();
    Ok(by_host(proxies, move |proxy| {
        let context = context.clone();
        aws_smithy_http_client::Builder::new().build_with_connector_fn(
            move |settings, components| {
                let mut connector = Connector::builder().proxy_config(proxy.clone());
                connector.set_connector_settings(settings.cloned());
                connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
                connector
                    .tls_provider(Provider::rustls(CryptoMode::Ring))
                    .tls_context(context.clone())
                    .build()
            },
        )
    }))
}

/// The ways to the hosts: one with no proxy, and one for each that is configured.
#[derive(Debug, Clone)]
struct ByHost<C> {
    proxies: Proxies,
    direct: C,
    /// A proxy that cannot be used is an error only for the hosts that it is for.
    proxied: Vec<(ProxyUrl, Result<C, ProxyError>)>,
}

/// A client whose hosts are reached as `proxies` say. The SDK's own rules for NO_PROXY are not Go's.
fn by_host(proxies: Proxies, client: impl Fn(ProxyConfig) -> SharedHttpClient) -> SharedHttpClient {
    let through = |url: &ProxyUrl| match url.proxy()?.protocol {
        Protocol::Http | Protocol::Https => {
            let config = ProxyConfig::all(url.url.as_str());
            config.map(&client).map_err(|_| url.unusable(HTTP))
        }
        Protocol::Socks5 => Err(url.unusable(HTTP)),
    };
    let proxied = proxies.all().map(|url| (url.clone(), through(url)));
    SharedHttpClient::new(ByHost {
        proxied: proxied.collect(),
        direct: client(ProxyConfig::disabled()),
        proxies,
    })
}

impl HttpClient for ByHost<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        let proxied = self.proxied.iter().cloned();
        SharedHttpConnector::new(ByHost {
            proxies: self.proxies.clone(),
            direct: connector(&self.direct),
            proxied: proxied
                .map(|(url, client)| (url, client.map(|client| connector(&client))))
                .collect(),
        })
    }
}

impl HttpConnector for ByHost<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let url = request.uri().parse().unwrap_or_default();
        let proxy = self.proxies.of(&url);
        let way = self.proxied.iter().find(|(url, _)| Some(url) == proxy);
        match way.map(|(_, connector)| connector) {
            None => self.direct.call(request),
            Some(Ok(connector)) => connector.call(request),
            Some(Err(error)) => {
                let error = ConnectorError::user(error.clone().into());
                HttpConnectorFuture::ready(Err(error))
            }
        }
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64_STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
