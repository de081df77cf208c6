//! The way to the API server: a kubeconfig, or the pod's service account.

use std::path::PathBuf;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::call::Connection;
use crate::errors::chain;
use crate::limits::Limits;

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
    let mut config = if kubeconfig.is_empty() {
        Config::infer().await.map_err(|error| nowhere(&error))?
    } else {
        from_files(kubeconfig).await?
    };
    // Retries are this program's own: kube's would repeat a call for minutes, PATCH included.
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|error| ConnectError::Unusable {
        detail: chain(&error),
    })?;
    Ok(Connection::new(client, limits))
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
