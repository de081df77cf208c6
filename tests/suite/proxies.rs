//! Which proxy the API server and a bucket are reached by: as Go's programs, and so kubectl, have it.

use bucket::Proxy;
use cluster_profiler_job::proxy::{Protocol, Proxies, ProxyUrl};
use standin::{Options, RouteAnswer, RouteFault, Standin, Times};

use crate::harness::{Place, standin};
use crate::s3::{bucket, into};

/// A name that only the proxy knows the way to, and the stand-ins have a certificate for.
const API: &str = "https://api.standin.test:6443";

fn proxy_url(source: &'static str, url: &str) -> ProxyUrl {
    let url = url.to_owned();
    ProxyUrl { source, url }
}

fn is_direct(no_proxy: &str, url: &str) -> bool {
    let https = proxy_url("HTTPS_PROXY", "http://proxy.example:3128");
    let proxies = Proxies::new(Some(https.clone()), Some(https), no_proxy);
    proxies.of(&url.parse().expect("a URL")).is_none()
}

#[test]
fn no_proxy_names_hosts_as_it_does_for_go() {
    // The entries, the host, and whether it is reached directly.
    for (no_proxy, url, direct) in [
        ("", "https://api.example", false),
        ("api.example", "https://api.example:6443", true),
        ("API.example", "https://api.EXAMPLE", true),
        ("example", "https://api.example", true),
        (".example", "https://api.example", true),
        ("*.example", "https://api.example", true),
        (".api.example", "https://api.example", false),
        ("*.api.example", "https://api.example", false),
        ("i.example", "https://api.example", false),
        ("other.example", "https://api.example", false),
        ("proxy.example", "https://api.example", false),
        // Ports; a scheme has its own.
        ("api.example:6443", "https://api.example:6443", true),
        ("api.example:6443", "https://api.example", false),
        ("api.example:443", "https://api.example", true),
        ("api.example:80", "http://api.example", true),
        (".example:6443", "https://api.example:6443", true),
        ("10.0.0.1:6443", "https://10.0.0.1:6443", true),
        ("10.0.0.1:6443", "https://10.0.0.1", false),
        ("[fd00::1]:6443", "https://[fd00::1]:6443", true),
        ("[fd00::1]:443", "https://[fd00::1]:6443", false),
        // Addresses and networks.
        ("10.0.0.1", "https://10.0.0.1:6443", true),
        ("10.0.0.1", "https://10.0.0.10", false),
        ("::ffff:10.0.0.1", "https://10.0.0.1", true),
        ("10.0.0.0/8", "https://10.1.2.3", true),
        ("10.5.0.0/8", "https://10.1.2.3", true),
        ("10.0.0.0/8", "https://11.1.2.3", false),
        ("10.0.0.0/8", "https://api.example", false),
        ("fd00::1", "https://[fd00::1]", true),
        ("fd00::/8", "https://[fd00::1]:6443", true),
        // Everything.
        ("*", "https://api.example", true),
        ("*", "https://10.0.0.1", true),
        ("other.example,*", "https://[fd00::1]", true),
        // Blanks, and entries that are empty or nonsense.
        ("a.example , api.example", "https://api.example", true),
        ("a.example,\tapi.example\n", "https://api.example", true),
        (",api.example", "https://api.example", true),
        ("a.example,,api.example,", "https://api.example", true),
        (",,", "https://api.example", false),
        (" , ", "https://api.example", false),
        (".", "https://api.example", false),
        (":6443", "https://api.example:6443", false),
        ("10.0.0.0/99,[,]:1,10.0.0.1", "https://10.0.0.1", true),
        // This machine, whatever the entries say.
        ("", "https://localhost:6443", true),
        ("", "https://127.0.0.1:6443", true),
        ("", "https://[::1]:6443", true),
        ("", "https://localhost.example", false),
    ] {
        assert_eq!(is_direct(no_proxy, url), direct, "{no_proxy:?}: {url}");
    }
}

#[test]
fn each_scheme_has_its_proxy() {
    let https = Some(proxy_url("https_proxy", "a"));
    let proxies = Proxies::new(https, None, "");
    let of = |url: &'static str| proxies.of(&http::Uri::from_static(url));
    assert_eq!(
        of("https://api.example").map(|it| it.source),
        Some("https_proxy")
    );
    assert_eq!(of("http://api.example"), None);
}

#[test]
fn a_proxys_url_says_how_it_is_spoken_to() {
    for (url, protocol) in [
        ("http://proxy.example:3128", Some(Protocol::Http)),
        ("proxy.example:3128", Some(Protocol::Http)),
        (" http://user:p%40ss@proxy.example ", Some(Protocol::Http)),
        ("https://proxy.example", Some(Protocol::Https)),
        ("socks5://proxy.example:1080", Some(Protocol::Socks5)),
        ("socks5h://proxy.example:1080", Some(Protocol::Socks5)),
        ("socks4://proxy.example:1080", None),
        ("ftp://proxy.example", None),
        ("http://", None),
        ("nonsense nonsense", None),
    ] {
        let proxy = proxy_url("HTTPS_PROXY", url).proxy();
        assert_eq!(proxy.ok().map(|it| it.protocol), protocol, "{url}");
    }
}

/// A proxy that leads to the stand-in, and a place whose kubeconfig has a name that only the proxy knows.
async fn behind_a_proxy(standin: &Standin) -> (Proxy, Place) {
    let server = standin.url().trim_start_matches("https://").to_owned();
    let proxy = Proxy::start(server).await.expect("a proxy");
    let place = Place::new(standin);
    let kubeconfig = standin.kubeconfig().replace(standin.url(), API);
    std::fs::write(place.path("kubeconfig"), kubeconfig).expect("a kubeconfig");
    (proxy, place)
}

#[tokio::test]
async fn the_api_server_is_reached_by_the_proxy_unless_no_proxy_names_it() {
    let standin = standin().await;
    for (variable, no_proxy, direct) in [
        ("HTTPS_PROXY", "", false),
        ("https_proxy", ",localhost", false),
        ("HTTPS_PROXY", "127.0.0.1,127.0.0.0/8", false),
        ("HTTPS_PROXY", "a.example,,b.example", false),
        ("HTTPS_PROXY", "api.standin.test:443", false),
        ("HTTPS_PROXY", "a.example, .standin.test", true),
        ("https_proxy", "api.standin.test:6443", true),
        ("HTTPS_PROXY", "*", true),
    ] {
        let (proxy, place) = behind_a_proxy(&standin).await;
        let no_proxy_variable = variable.replace("HTTPS", "NO").replace("https", "no");
        let place = place
            .with("PROFILER_DRY_RUN", "true")
            .with(variable, proxy.url())
            .with(&no_proxy_variable, no_proxy);
        let ended = place.run().await;
        let said = format!("{variable}, {no_proxy:?}: {}", ended.log);
        // Only the proxy knows the name.
        assert_eq!(ended.code, if direct { 75 } else { 0 }, "{said}");
        assert_eq!(proxy.asked().is_empty(), direct, "{said}");
        let api = API.trim_start_matches("https://");
        assert!(proxy.asked().iter().all(|asked| asked == api), "{said}");
    }
}

#[tokio::test]
async fn this_machine_is_reached_without_a_proxy() {
    let standin = standin().await;
    let (proxy, place) = behind_a_proxy(&standin).await;
    standin
        .write_kubeconfig(&place.path("kubeconfig"))
        .expect("a kubeconfig");
    let ended = place.with("HTTPS_PROXY", proxy.url()).run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(proxy.asked().is_empty());
}

/// The kubeconfig's own proxy is for every host, as it is for kubectl.
#[tokio::test]
async fn the_kubeconfigs_own_proxy_goes_before_the_environments() {
    let standin = standin().await;
    for socks in [false, true] {
        let (proxy, place) = behind_a_proxy(&standin).await;
        let path = place.path("kubeconfig");
        let url = if socks {
            proxy.socks_url()
        } else {
            proxy.url().to_owned()
        };
        let kubeconfig = std::fs::read_to_string(&path).expect("a kubeconfig");
        let with_proxy = kubeconfig.replace(API, &format!("{API}\n    proxy-url: {url}"));
        assert_ne!(with_proxy, kubeconfig);
        std::fs::write(&path, with_proxy).expect("a kubeconfig");
        let place = place
            .with("HTTPS_PROXY", "http://127.0.0.1:1")
            .with("NO_PROXY", ".standin.test");
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{url}: {}", ended.log);
        assert!(!proxy.asked().is_empty());
    }
}

#[tokio::test]
async fn the_environments_proxy_may_speak_socks_and_no_other_protocol() {
    let standin = standin().await;
    let (proxy, place) = behind_a_proxy(&standin).await;
    let place = place.with("HTTPS_PROXY", proxy.socks_url());
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!proxy.asked().is_empty());
    let ended = place
        .with("HTTPS_PROXY", "socks4://user:secret@127.0.0.1:1")
        .run()
        .await;
    assert_eq!(ended.code, 2, "{}", ended.log);
    let fault = "HTTPS_PROXY is no URL of a proxy that can be used: http://, https:// or socks5://";
    assert!(ended.log.contains(fault), "{}", ended.log);
    assert!(!ended.log.contains("secret"), "{}", ended.log);
}

#[tokio::test]
async fn a_bucket_is_reached_by_the_same_rules() {
    let (standin, bucket) = (standin().await, bucket().await);
    let server = bucket.url().trim_start_matches("https://").to_owned();
    let proxy = Proxy::start(server).await.expect("a proxy");
    let at = |url: String, no_proxy: &str, id: &str| {
        into(&bucket, &standin)
            .with("PROFILER_RUN_ID", id)
            .with("AWS_ENDPOINT_URL", "https://s3.standin.test:4711")
            .with("AWS_MAX_ATTEMPTS", "1")
            .with("HTTPS_PROXY", url)
            .with("NO_PROXY", no_proxy)
    };
    for (no_proxy, id, direct) in [
        ("s3.standin.test:443", "one", false),
        (".s3.standin.test,,", "two", false),
        ("s3.standin.test:4711", "three", true),
        ("*.standin.test", "four", true),
    ] {
        let before = proxy.asked().len();
        let ended = at(proxy.url().to_owned(), no_proxy, id).run().await;
        assert_eq!(
            ended.code,
            if direct { 75 } else { 0 },
            "{no_proxy}: {}",
            ended.log
        );
        assert_eq!(
            proxy.asked().len() == before,
            direct,
            "{no_proxy}: {}",
            ended.log
        );
    }
    let ended = at(proxy.socks_url(), "", "five").run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    let fault = "HTTPS_PROXY is no URL of a proxy that can be used: http:// or https://";
    assert!(ended.log.contains(fault), "{}", ended.log);
}

/// Of a gateway that lets no body of a GET through, one sentence says so, and nothing is begun.
#[tokio::test]
async fn a_gateway_that_lets_no_body_through_is_told() {
    let cause =
        "a proxy or gateway on the way to the API server does not let the body of a GET through";
    for (answer, code) in [
        (RouteAnswer::BodyRemoved, 2),
        (RouteAnswer::BodyRefused(Some(400)), 2),
        (RouteAnswer::BodyRefused(Some(403)), 2),
        (RouteAnswer::BodyRefused(Some(405)), 2),
        (RouteAnswer::BodyRefused(Some(413)), 2),
        (RouteAnswer::BodyRefused(Some(501)), 2),
        (RouteAnswer::BodyRefused(Some(502)), 75),
        (RouteAnswer::BodyRefused(None), 75),
    ] {
        // One that may pass is waited for, for minutes, by a run that has turned the profiler on.
        for gate in [true, false].into_iter().filter(|gate| *gate || code == 2) {
            let standin = Standin::start(Options {
                gate,
                ..Options::default()
            });
            let standin = standin.await.expect("a stand-in");
            let path = "/dump-cluster-profiler";
            standin.route_fault(RouteFault::new(path, answer.clone(), Times::Always));
            let place = Place::new(&standin).with("PROFILER_FEATURE_GATE", "enable");
            let ended = place.run().await;
            let said = format!("{answer:?}, {gate}: {}", ended.log);
            assert_eq!(ended.code, code, "{said}");
            assert!(ended.log.contains(cause), "{said}");
            assert_eq!(standin.starts(), 0, "{said}");
        }
    }
}
