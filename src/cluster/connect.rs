//! The way to the API server: a kubeconfig, or the pod's service account.

use std::path::PathBuf;

use http::header::PROXY_AUTHORIZATION;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioExecutor;
use kube::client::middleware::AuthLayer;
use kube::client::{ClientBuilder, ConfigExt};
use kube::config::{Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tower::util::{MapErrLayer, option_layer};
use tower::{BoxError, ServiceExt};

use super::call::Connection;
use super::credentials;
use super::sockets::{Sockets, direct, forwarded};
use crate::errors::chain;
use crate::limits::{KEEP_ALIVE, KEEP_ALIVE_PROBES, KEEP_ALIVE_REPEAT, Limits, UNACKNOWLEDGED};
use crate::proxy::{Protocol, Proxies, Proxy, ProxyUrl};

/// How many idle connections a client keeps for its next calls.
#[derive(Debug, Clone, Copy)]
enum Idle {
    /// All of them.
    Kept,
    /// None: each call has a connection of its own.
    Closed,
}

/// The reason that there is no connection to an API server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A kubeconfig that was named cannot be used.
    #[error("KUBECONFIG={path}: {detail}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The address or the credentials that are configured cannot be used.
    #[error("the API server's address or credentials cannot be used: {detail}")]
    Unusable {
        /// What is wrong.
        detail: String,
    },
    /// There is neither a kubeconfig nor a service account.
    #[error(
        "no way to an API server: set KUBECONFIG, or run in a pod with a service account: {detail}"
    )]
    Nowhere {
        /// What was tried.
        detail: String,
    },
}

/// A configuration, and the proxy that it is to be reached by.
struct Way {
    config: Config,
    proxy: Option<ProxyUrl>,
}

/// Makes the connection; nothing is sent yet.
///
/// # Errors
/// There is no kubeconfig or service account, or it cannot be used, or a proxy cannot.
pub async fn connect(
    kubeconfig: &[PathBuf],
    proxies: &Proxies,
    limits: Limits,
) -> Result<Connection, ConnectError> {
    // One provider for every TLS connection; a second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Way { config, proxy } = if kubeconfig.is_empty() {
        usual_way(proxies).await?
    } else {
        from_files(kubeconfig, proxies).await?
    };
    let user = &config.auth_info;
    credentials::check_token(user).map_err(|detail| ConnectError::Unusable { detail })?;
    let unusable = |error: BoxError| ConnectError::Unusable {
        detail: credentials::advice(user, error.as_ref()),
    };
    // Made once, for a plugin would be run for each.
    let auth = config
        .auth_layer()
        .map_err(|error| unusable(error.into()))?;
    let client = |idle| client(&config, auth.as_ref(), proxy.as_ref(), idle).map_err(unusable);
    let mut connection = Connection::new(client(Idle::Kept)?, limits);
    connection.lone_client = client(Idle::Closed)?;
    Ok(connection)
}

/// A client for another server than the API server, over the same sockets and by the environment's proxies. It adds
/// the configuration's headers to each request, and its URL's path before the request's own.
///
/// # Errors
/// The configuration or the proxy cannot be used.
pub fn client_of(config: &Config, proxies: &Proxies) -> Result<Client, BoxError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    client(config, None, proxies.of(&config.cluster_url), Idle::Kept)
}

/// The way by kubectl's own file, or by the pod's service account. The second takes no proxy: it is an address
/// within the cluster.
async fn usual_way(proxies: &Proxies) -> Result<Way, ConnectError> {
    let file = match Kubeconfig::read() {
        Ok(file) => by_file(file, proxies).await,
        Err(error) => Err(error),
    };
    let mut way = match file {
        Ok(way) => way,
        Err(no_file) => Way {
            config: Config::incluster().map_err(|error| ConnectError::Nowhere {
                detail: format!("{}; {}", chain(&error), chain(&no_file)),
            })?,
            proxy: None,
        },
    };
    way.config.apply_debug_overrides();
    Ok(way)
}

/// The files of KUBECONFIG, merged: what an earlier one says counts before what a later one says.
async fn from_files(paths: &[PathBuf], proxies: &Proxies) -> Result<Way, ConnectError> {
    let shown = std::env::join_paths(paths).unwrap_or_default();
    let fault = |error: &dyn std::error::Error| ConnectError::Kubeconfig {
        path: shown.to_string_lossy().into_owned(),
        detail: chain(error),
    };
    let mut merged = Kubeconfig::default();
    // As kubectl has it: of several files, those that do not exist are passed over.
    let exist: Vec<_> = paths.iter().filter(|path| path.exists()).collect();
    let read = if exist.is_empty() {
        paths.iter().collect()
    } else {
        exist
    };
    for path in read {
        let next = Kubeconfig::read_from(path).map_err(|error| fault(&error))?;
        merged = merged.merge(next).map_err(|error| fault(&error))?;
    }
    let way = by_file(merged, proxies).await;
    way.map_err(|error| fault(&error))
}

/// The way by a kubeconfig. As kubectl has it, its own proxy is for every host, and the environment's for those
/// that NO_PROXY does not name.
async fn by_file(mut file: Kubeconfig, proxies: &Proxies) -> Result<Way, KubeconfigError> {
    let own = cluster(&mut file)
        .and_then(|cluster| cluster.proxy_url.take())
        .filter(|url| !url.is_empty())
        .map(|url| ProxyUrl {
            source: "the kubeconfig's proxy-url",
            url,
        });
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    let proxy = own.or_else(|| proxies.of(&config.cluster_url).cloned());
    Ok(Way { config, proxy })
}

/// The cluster of a kubeconfig's current context.
fn cluster(file: &mut Kubeconfig) -> Option<&mut Cluster> {
    let current = file.current_context.as_ref()?;
    let context = file.contexts.iter().find(|named| named.name == *current)?;
    let name = &context.context.as_ref()?.cluster;
    let named = file.clusters.iter_mut().find(|named| named.name == *name)?;
    named.cluster.as_mut()
}

/// The client, through its proxy. kube has no part in the proxy: it holds NO_PROXY against the proxy's own host.
fn client(
    config: &Config,
    auth: Option<&AuthLayer>,
    proxy: Option<&ProxyUrl>,
    idle: Idle,
) -> Result<Client, BoxError> {
    let connector = sockets(config);
    let Some(proxy) = proxy else {
        return client_over(config, auth, direct(connector), idle);
    };
    let Proxy { protocol, target } = proxy.proxy()?;
    let at = target.uri().clone();
    let with_tls = || {
        // The name that a kubeconfig may give is the API server's, and not the proxy's.
        let mut to_proxy = config.clone();
        to_proxy.tls_server_name = None;
        to_proxy.rustls_https_connector_with_connector(sockets(config))
    };
    let is_plain = config.cluster_url.scheme_str() == Some("http");
    match protocol {
        Protocol::Http | Protocol::Https if is_plain => {
            let mut config = config.clone();
            let password = target.basic_auth().cloned().map(sensitive);
            let password = password.map(|value| (PROXY_AUTHORIZATION, value));
            config.headers.extend(password);
            if let Protocol::Https = protocol {
                return client_over(&config, auth, forwarded(at, with_tls()?), idle);
            }
            client_over(&config, auth, forwarded(at, connector), idle)
        }
        Protocol::Http => {
            let tunnel = with_password(Tunnel::new(at, connector), &target);
            client_over(config, auth, direct(tunnel), idle)
        }
        Protocol::Https => {
            let tunnel = with_password(Tunnel::new(at, with_tls()?), &target);
            client_over(config, auth, direct(tunnel), idle)
        }
        Protocol::Socks5 => {
            let socks = SocksV5::new(at, connector);
            let socks = match target.raw_auth() {
                Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                None => socks,
            };
            client_over(config, auth, direct(socks.map_request(with_port)), idle)
        }
    }
}

/// The URL with its port: without one the proxy would be asked for 443.
fn with_port(url: Uri) -> Uri {
    let (Some("http"), Some(host), None) = (url.scheme_str(), url.host(), url.port()) else {
        return url;
    };
    let with_port = Uri::builder()
        .scheme("http")
        .authority(format!("{host}:80"))
        .path_and_query("/")
        .build();
    with_port.unwrap_or(url)
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Sockets that notice a server that is gone without a word.
fn sockets(config: &Config) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(config.connect_timeout);
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_keepalive_interval(Some(KEEP_ALIVE_REPEAT));
    tcp.set_keepalive_retries(Some(KEEP_ALIVE_PROBES));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    tcp
}

fn with_password<C>(tunnel: Tunnel<C>, proxy: &Intercept) -> Tunnel<C> {
    match proxy.basic_auth() {
        Some(password) => tunnel.with_auth(password.clone()),
        None => tunnel,
    }
}

/// The client over sockets that this makes. It has no retries: those are this program's own, for kube's would
/// repeat a call for minutes, PATCH included.
fn client_over(
    config: &Config,
    auth: Option<&AuthLayer>,
    sockets: Sockets,
    idle: Idle,
) -> Result<Client, BoxError> {
    let connector = config.rustls_https_connector_with_connector(sockets)?;
    let mut builder = legacy::Builder::new(TokioExecutor::new());
    match idle {
        Idle::Kept => {}
        Idle::Closed => {
            builder.pool_max_idle_per_host(0);
        }
    }
    let http = builder.build(connector);
    let client = ClientBuilder::new(http, config.default_namespace.clone())
        .with_layer(&MapErrLayer::new(BoxError::from))
        .with_layer(&config.extra_headers_layer()?)
        .with_layer(&option_layer(auth))
        .with_layer(&config.base_uri_layer());
    Ok(client.build())
}
