//! The way to the API server: a kubeconfig, or the pod's service account; and the sockets that lead there.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, Write};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connection as Connected, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use percent_encoding::percent_decode_str;
use tower::{BoxError, Service, ServiceExt};

use super::call::Connection;
use crate::errors::chain;
use crate::limits::{KEEP_ALIVE, KEEP_ALIVE_PROBES, KEEP_ALIVE_REPEAT, Limits, UNACKNOWLEDGED};

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

/// Makes the connection; nothing is sent yet.
///
/// # Errors
/// There is no kubeconfig or service account, or it cannot be used.
pub async fn connect(kubeconfig: &[PathBuf], limits: Limits) -> Result<Connection, ConnectError> {
    // One provider for every TLS connection; a second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nowhere = |error: &dyn std::error::Error| ConnectError::Nowhere {
        detail: chain(error),
    };
    let config = if kubeconfig.is_empty() {
        Config::infer().await.map_err(|error| nowhere(&error))?
    } else {
        from_files(kubeconfig).await?
    };
    let client = |idle| {
        client(&config, idle).map_err(|error| ConnectError::Unusable {
            detail: chain(&error),
        })
    };
    let mut connection = Connection::new(client(Idle::Kept)?, limits);
    connection.lone_client = client(Idle::Closed)?;
    Ok(connection)
}

/// A client as kube makes one, but for two things. Its sockets notice a server that is gone without a word. And it
/// tries nothing again: retries are this program's own, for kube's would repeat a call for minutes, PATCH
/// included.
fn client(config: &Config, idle: Idle) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(config.connect_timeout);
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_keepalive_interval(Some(KEEP_ALIVE_REPEAT));
    tcp.set_keepalive_retries(Some(KEEP_ALIVE_PROBES));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    let Some(proxy) = config.proxy_url.clone() else {
        return client_over(config, tcp, idle);
    };
    match proxy.scheme_str() {
        Some("http") => client_over(config, tunnel(proxy, tcp), idle),
        Some("https") => {
            let tls = config.rustls_https_connector_with_connector(tcp)?;
            client_over(config, tunnel(proxy, tls), idle)
        }
        Some(_) | None => Err(kube::Error::ProxyProtocolUnsupported {
            proxy_url: Box::new(proxy),
        }),
    }
}

/// A way through a proxy, with the user and password of its URL.
fn tunnel<C>(proxy: Uri, connector: C) -> Tunnel<C> {
    let authority = proxy.authority().map(|authority| authority.as_str());
    let user = authority.and_then(|authority| Some(authority.rsplit_once('@')?.0));
    let basic = user.and_then(|user| {
        let user: Vec<u8> = percent_decode_str(user).collect();
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(user))).ok()
    });
    let tunnel = Tunnel::new(proxy, connector);
    match basic {
        Some(basic) => tunnel.with_auth(basic),
        None => tunnel,
    }
}

/// A client whose connections are made so.
fn client_over<C>(config: &Config, connector: C, idle: Idle) -> Result<Client, kube::Error>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connected + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: std::error::Error + Send + Sync + 'static,
{
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let mut builder = legacy::Builder::new(TokioExecutor::new());
    match idle {
        Idle::Kept => {}
        Idle::Closed => {
            builder.pool_max_idle_per_host(0);
        }
    }
    let client: legacy::Client<_, Body> = builder.build(connector);
    let namespace = config.default_namespace.clone();
    let client = ClientBuilder::new(client.map_err(BoxError::from), namespace);
    let headed = client.with_layer(&config.extra_headers_layer()?);
    let address = config.base_uri_layer();
    Ok(match config.auth_layer()? {
        Some(auth) => headed.with_layer(&auth).with_layer(&address).build(),
        None => headed.with_layer(&address).build(),
    })
}

/// The files of KUBECONFIG, merged: what an earlier one says counts before what a later one says.
async fn from_files(paths: &[PathBuf]) -> Result<Config, ConnectError> {
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
    Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default())
        .await
        .map_err(|error| fault(&error))
}
