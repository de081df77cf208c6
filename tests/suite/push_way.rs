//! The way to a server that a run is pushed to: by a proxy or by none, with TLS or without.

use bucket::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::push_command::{kept, kept_push, push};
use crate::push_server::{Answer, PushServer};

/// By TLS, and by a proxy that alone knows the name.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_reached_by_the_proxy_and_trusted_by_its_authority() {
    let (server, ca) = PushServer::start_tls([]).await;
    let proxy = Proxy::start(server.address.to_string()).await;
    let proxy = proxy.expect("a proxy");
    let (mut place, _) = kept(false).await;
    std::fs::write(place.path("ca.pem"), ca).expect("a file");
    let ca = place.path("ca.pem").display().to_string();
    let by_name = "pyroscope+https://push.standin.test:4100/under".to_owned();
    let directly = format!("pyroscope+https://{}/under", server.address);
    for (https_proxy, no_proxy, bundle, words) in [
        (proxy.url(), "", None, "AWS_CA_BUNDLE"),
        (proxy.url(), "", Some("AWS_CA_BUNDLE"), ""),
        (
            proxy.url(),
            "push.standin.test:443",
            Some("SSL_CERT_FILE"),
            "",
        ),
        (&*proxy.socks_url(), "", Some("AWS_CA_BUNDLE"), ""),
        (proxy.url(), "127.0.0.1", Some("AWS_CA_BUNDLE"), ""),
    ] {
        for name in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
            place.set(name, "");
        }
        if let Some(bundle) = bundle {
            place.set(bundle, &ca);
        }
        place.set("HTTPS_PROXY", https_proxy);
        place.set("NO_PROXY", no_proxy);
        let (asked, received) = (proxy.asked().len(), server.received().len());
        let is_direct = no_proxy == "127.0.0.1";
        let target = if is_direct { &directly } else { &by_name };
        let ended = push(&place, target, &[]).await;
        let said = kept_push(&place);
        let is_fine = words.is_empty();
        assert_eq!(said["complete"], is_fine, "{no_proxy} {bundle:?}: {said}");
        assert_eq!(ended.code, i32::from(!is_fine), "{}", ended.log);
        assert_eq!(server.received().len() > received, is_fine, "{said}");
        assert!(
            said["given_up"]
                .as_str()
                .unwrap_or_default()
                .contains(words),
            "{said}"
        );
        assert_eq!(proxy.asked().len() == asked, is_direct, "{said}");
    }
    for request in server.received() {
        assert_eq!(request.to, "POST /under/push.v1.PusherService/Push");
    }
}

/// Without TLS a proxy forwards requests, as it does for Go's clients: by CONNECT most let nobody pass but to 443.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_tls_is_one_that_a_proxy_forwards() {
    let server = PushServer::start([]).await;
    let proxy = Proxy::start(server.address.to_string()).await;
    let proxy = proxy.expect("a proxy");
    let (mut place, shipped) = kept(false).await;
    let pods = shipped.manifest.pods.len();
    let authorized = "Basic dXNlcjpwcm94eS1wYXNz";
    let with_password = proxy.url().replace("http://", "http://user:proxy-pass@");
    let socks = proxy.socks_url();
    let path = "/under/push.v1.PusherService/Push";
    for (http_proxy, host, asked, to, password) in [
        (
            proxy.url(),
            "push.test",
            "push.test",
            "http://push.test",
            None,
        ),
        (
            &*with_password,
            "push.test:4100",
            "push.test:4100",
            "http://push.test:4100",
            Some(authorized),
        ),
        (
            proxy.url(),
            "[fd00::1]",
            "[fd00::1]",
            "http://[fd00::1]",
            None,
        ),
        // SOCKS is told the port.
        (&*socks, "push.test", "push.test:80", "", None),
        (&*socks, "push.test:4100", "push.test:4100", "", None),
    ] {
        place.set("HTTP_PROXY", http_proxy);
        let (before, received) = (proxy.asked().len(), server.received().len());
        let target = format!("pyroscope+http://{host}/under");
        let ended = push(&place, &target, &[]).await;
        assert_eq!(ended.code, 0, "{host}: {}", ended.log);
        let new = proxy.asked().split_off(before);
        assert!(!new.is_empty(), "{host}");
        assert!(new.iter().all(|it| it == asked), "{host}: {new:?}");
        let requests = server.received().split_off(received);
        assert_eq!(requests.len(), pods, "{host}");
        for request in requests {
            assert_eq!(request.to, format!("POST {to}{path}"));
            assert_eq!(request.headers["host"], host);
            let sent = request.headers.get("proxy-authorization");
            assert_eq!(sent.map(String::as_str), password, "{host}");
        }
    }
}

/// A proxy's own answer is one that nobody can tell from the server's, but for the password.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_says_of_its_password_is_told_to_nobody() {
    let words = "user:proxy-pass, dXNlcjpwcm94eS1wYXNz: pay first";
    let server = PushServer::start([Answer::of(407, words)]).await;
    let proxy = Proxy::start(server.address.to_string()).await;
    let proxy = proxy.expect("a proxy");
    let url = proxy.url().replace("//", "//user:proxy-pass@");
    let (place, _) = kept(false).await;
    let place = place.with("HTTP_PROXY", url).with("RUST_LOG", "trace");
    let ended = push(&place, "parca+http://push.test", &[]).await;
    assert_eq!(ended.code, 1, "{}", ended.log);
    let said = kept_push(&place).to_string();
    assert!(said.contains("pay first"), "{said}");
    for text in [said, ended.log] {
        for secret in ["proxy-pass", "dXNlcjpwcm94eS1wYXNz"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_told_from_one_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let target = format!(
        "parca+https://{}",
        listener.local_addr().expect("an address")
    );
    let answering = tokio::spawn(async move {
        // As Go's servers answer what is no HTTP.
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.read_u8().await.expect("a handshake");
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        stream.write_all(answer).await.expect("an answer");
        stream.read_to_end(&mut Vec::new()).await
    });
    let (place, _) = kept(false).await;
    let ended = push(&place, &target, &[]).await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.log.contains("such a server is named with +http"),
        "{}",
        ended.log
    );
    assert!(!ended.log.contains("tries"), "{}", ended.log);
    answering.abort();
}
