//! The same manners over HTTP/2, which Go's clients speak.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use standin::{Damage, Fault, Options, RouteAnswer, RouteFault, Standin, Times};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const DUMP: &str = "/apis/subresources.kubevirt.io/v1/dump-cluster-profiler";

async fn connect(standin: &Standin) -> http2::SendRequest<Full<Bytes>> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(standin.ca_pem().as_bytes()).expect("PEM");
    roots.add(ca).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let address = standin.url().trim_start_matches("https://");
    let stream = TcpStream::connect(address).await.expect("it listens");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let io = TokioIo::new(stream.await.expect("TLS"));
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

/// The status and whether the body ended well; nothing without an answer.
async fn dump(standin: &Standin) -> Option<(u16, bool)> {
    let request = http::Request::get(format!("{}{DUMP}", standin.url()))
        .body(Full::from(
            r#"{"labelSelector":"kubevirt.io","pageSize":4}"#,
        ))
        .expect("a request");
    let response = connect(standin).await.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    Some((status, response.into_body().collect().await.is_ok()))
}

#[tokio::test]
async fn whole_broken_and_hung_up() {
    let options = Options {
        pods: 4,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("it starts");
    assert_eq!(dump(&standin).await, Some((200, true)));
    let broken = Fault::Damaged(Damage::BrokenInString, Times::First(1));
    standin.pod_fault(&standin.pods()[3], broken);
    assert_eq!(dump(&standin).await, Some((200, false)));
    standin.route_fault(RouteFault::new(DUMP, RouteAnswer::Hangup, Times::First(1)));
    assert_eq!(dump(&standin).await, None);
    assert_eq!(dump(&standin).await, Some((200, true)));
}
