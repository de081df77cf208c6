//! The authorities whose certificates are trusted beside the usual ones.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// A file of authorities that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot trust {object}: {detail}")]
pub struct TrustError {
    /// The variable that names the file, and the file.
    pub object: String,
    /// What is wrong with it.
    pub detail: String,
}

/// The certificates of a file that can be used. The AWS SDK would panic on another.
///
/// # Errors
/// The file cannot be read, is no PEM, or has no certificate that can be used.
pub fn certificates(
    variable: &str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let fault = |detail: String| TrustError {
        object: format!("{variable}={}", path.display()),
        detail,
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
