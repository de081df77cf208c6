//! The HTTP stack of the S3 client, with one TLS stack: it trusts the usual authorities, and those of the
//! files that the settings name.

use std::path::{Path, PathBuf};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::destination::error::DestinationError;

/// An HTTP client that also trusts the certificates of these files, each of which comes with the variable
/// that names it.
///
/// # Errors
/// A file cannot be read, is no PEM, or has no certificate that can be used.
pub(super) fn http_client(
    ca_bundles: &[(&'static str, PathBuf)],
) -> Result<SharedHttpClient, DestinationError> {
    // One provider for every TLS connection; a second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut trusted = TrustStore::default();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        trusted.add_pem_certificate(pem(certificate));
    }
    for (variable, path) in ca_bundles {
        for certificate in usable_certificates(variable, path)? {
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
    Ok(
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            connector
                .tls_provider(Provider::rustls(CryptoMode::Ring))
                .tls_context(context.clone())
                .build()
        }),
    )
}

/// The certificates of a file that can be used. The SDK would panic on another.
fn usable_certificates(
    variable: &str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, DestinationError> {
    let fault = |detail: String| DestinationError {
        action: "trust",
        object: format!("{variable}={}", path.display()),
        detail,
        permanent: true,
    };
    let text = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    let mut certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fault(format!("it is no PEM: {error:?}")))?;
    // Among a cluster's hundred authorities one that is too odd for TLS is nobody's fault.
    let all = certificates.len();
    let mut store = rustls::RootCertStore::empty();
    certificates.retain(|certificate| store.add(certificate.clone()).is_ok());
    if certificates.is_empty() {
        return Err(fault("there is no certificate in it".to_owned()));
    }
    let unusable = all - certificates.len();
    if unusable > 0 {
        let shown = path.display();
        tracing::warn!(variable, path = %shown, "{unusable} of {all} certificates in it cannot be used");
    }
    Ok(certificates)
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64_STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
