//! Kubeconfigs with credentials and certificates that are not everybody's: each works, or one sentence says what
//! is not supported.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use standin::Standin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::harness::{Ended, Place, standin};

/// A place whose kubeconfig has this user, indented as what is below `user:`.
fn with_user(standin: &Standin, user: &str) -> Place {
    let place = Place::new(standin);
    let kubeconfig = standin.kubeconfig();
    let changed = kubeconfig.replace("    token: standin\n", user);
    assert_ne!(changed, kubeconfig);
    std::fs::write(place.path("kubeconfig"), changed).expect("a kubeconfig");
    place
}

/// A shell script that is an exec plugin.
fn plugin(place: &Place, script: &str) -> PathBuf {
    let path = place.path("plugin");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("a program");
    path
}

fn with_plugin(standin: &Standin, script: &str) -> Place {
    let place = Place::new(standin);
    let command = plugin(&place, script);
    let version = "client.authentication.k8s.io/v1";
    let exec = format!(
        "    exec: {{apiVersion: {version}, interactiveMode: Never, command: {}}}\n",
        command.display()
    );
    let kubeconfig = standin.kubeconfig().replace("    token: standin\n", &exec);
    std::fs::write(place.path("kubeconfig"), kubeconfig).expect("a kubeconfig");
    place
}

fn assert_says(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.log);
    for text in texts {
        assert!(ended.log.contains(text), "{text}: {}", ended.log);
    }
}

#[tokio::test]
async fn an_exec_plugin_gives_a_token() {
    let standin = standin().await;
    let credential = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"by-plugin"}}"#;
    let place = with_plugin(&standin, &format!("echo '{credential}'"));
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let seen = standin.requests();
    assert!(
        seen.iter()
            .all(|seen| seen.authorization.as_deref() == Some("Bearer by-plugin"))
    );
}

#[tokio::test]
async fn an_exec_plugin_that_fails_or_is_not_there_is_named() {
    let standin = standin().await;
    let ended = with_plugin(
        &standin,
        "echo a-token-half-made; echo 'log in first' >&2; exit 7",
    )
    .run()
    .await;
    assert_says(
        &ended,
        2,
        &[
            "exec plugin",
            "/plugin failed, exit status: 7: log in first",
        ],
    );
    assert!(!ended.log.contains("half-made"), "{}", ended.log);
    let missing = "    exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: kubelogin}\n";
    let ended = with_user(&standin, missing).run().await;
    assert_says(
        &ended,
        2,
        &[
            "exec plugin kubelogin does not start",
            "or give the user a token",
        ],
    );
}

/// An id-token that expires then.
fn id_token(expiry: i64) -> String {
    let claims = format!(r#"{{"exp":{expiry}}}"#);
    format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
}

#[tokio::test]
async fn a_token_of_openid_connect_is_used_until_it_expires() {
    let standin = standin().await;
    let user = |config: &str| format!("    auth-provider: {{name: oidc, config: {{{config}}}}}\n");
    let token = id_token(32_503_680_000);
    let place = with_user(&standin, &user(&format!("id-token: {token}")));
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let bearer = format!("Bearer {token}");
    let seen = standin.requests();
    assert!(
        seen.iter()
            .all(|seen| seen.authorization.as_ref() == Some(&bearer))
    );

    let expired = user(&format!("id-token: {}, refresh-token: a", id_token(1)));
    let ended = with_user(&standin, &expired).run().await;
    assert_says(
        &ended,
        2,
        &["auth-provider oidc has expired, and this program renews none"],
    );
    let ended = with_user(&standin, &user("refresh-token: a")).run().await;
    assert_says(
        &ended,
        2,
        &["auth-provider oidc is not supported or has no token"],
    );
    let other = "    auth-provider: {name: azure, config: {}}\n";
    let ended = with_user(&standin, other).run().await;
    assert_says(
        &ended,
        2,
        &["auth-provider azure is not supported or has no token"],
    );
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/suite/data/tls")
        .join(name)
}

#[tokio::test]
async fn a_clients_key_on_another_curve_is_named() {
    let user = format!(
        "    client-certificate: {}\n    client-key: {}\n",
        data("client.pem").display(),
        data("client.key").display()
    );
    let ended = with_user(&standin().await, &user).run().await;
    assert_says(
        &ended,
        2,
        &["client certificate", "the curve P-521 is not supported"],
    );
}

/// A server that a kubeconfig leads to, which ends with this value.
struct Server(AbortHandle);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A server with this certificate; without one it ends every handshake.
async fn server(name: Option<&str>) -> (Server, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let acceptor = name.map(|name| {
        let certificate = CertificateDer::from_pem_file(data(&format!("{name}.pem")));
        let key = PrivateKeyDer::from_pem_file(data(&format!("{name}.key"))).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.expect("a certificate")], key)
            .expect("a configuration");
        TlsAcceptor::from(Arc::new(config))
    });
    let serving = tokio::spawn(async move {
        // A fatal alert: handshake_failure.
        const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 40];
        while let Ok((mut stream, _)) = listener.accept().await {
            match &acceptor {
                Some(acceptor) => drop(acceptor.accept(stream).await),
                None => {
                    stream.read_u8().await.expect("a hello");
                    stream.write_all(ALERT).await.expect("an alert");
                }
            }
        }
    });
    (Server(serving.abort_handle()), url)
}

#[tokio::test]
async fn certificates_of_unknown_kinds_are_named() {
    let standin = standin().await;
    let known = "have one that is signed with RSA, Ed25519, or ECDSA on P-256 or P-384";
    for (name, code, texts) in [
        (Some("p521"), 2, ["ECDSA and SHA-512", known]),
        (
            Some("p521-sha256"),
            2,
            ["by a key of the curve P-521", known],
        ),
        (Some("sha512"), 2, ["ECDSA and SHA-512", known]),
        (
            None,
            75,
            ["HandshakeFailure", "the curve P-521 is not supported"],
        ),
    ] {
        let (_server, url) = server(name).await;
        let place = Place::new(&standin);
        let authority = data(&format!("{}-ca.pem", name.unwrap_or("p521")));
        let cluster = format!(
            "{{server: \"{url}\", certificate-authority: {}}}",
            authority.display()
        );
        let kubeconfig = format!(
            "{{clusters: [{{name: a, cluster: {cluster}}}], users: [{{name: a, user: {{token: a}}}}], \
             contexts: [{{name: a, context: {{cluster: a, user: a}}}}], current-context: a}}"
        );
        std::fs::write(place.path("kubeconfig"), kubeconfig).expect("a kubeconfig");
        // A fault that does not pass is not tried again.
        let retry = if code == 2 { "10m" } else { "0s" };
        let ended = place.with("PROFILER_PREFLIGHT_RETRY", retry).run().await;
        assert_says(&ended, code, &texts);
    }
}
