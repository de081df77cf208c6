//! A certificate authority of its own and a server certificate, made anew for every stand-in.

use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// What a server needs to speak TLS, and a client to trust it.
pub struct Identity {
    /// The server's side.
    pub config: Arc<ServerConfig>,
    /// The server's certificate as PEM, for a server that is another program.
    pub certificate_pem: String,
    /// Its key as PEM.
    pub key_pem: String,
    /// The authority that a client is to trust.
    pub ca_pem: String,
}

/// Makes an identity for the loopback, and for names that only a proxy knows: `NAME.standin.test`.
///
/// # Errors
/// No key can be made.
pub fn identity() -> Result<Identity> {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    ca.distinguished_name.push(DnType::CommonName, "standin-ca");
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();

    let names = ["127.0.0.1", "localhost", "*.standin.test"];
    let mut server = CertificateParams::new(names.map(str::to_owned))?;
    server
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key))?;

    let (certificate_pem, key_pem) = (certificate.pem(), key.serialize_pem());

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .context("the server's own certificate")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity {
        config: Arc::new(config),
        certificate_pem,
        key_pem,
        ca_pem,
    })
}
