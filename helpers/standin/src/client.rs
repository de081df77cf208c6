//! The kubeconfig by which a client finds the stand-in.

use std::{fs, io, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};

/// A kubeconfig with one context.
pub(crate) fn kubeconfig(url: &str, ca_pem: &str, namespace: &str) -> String {
    let ca = BASE64_STANDARD.encode(ca_pem);
    format!(
        "apiVersion: v1
kind: Config
current-context: standin
contexts:
- name: standin
  context:
    cluster: standin
    namespace: {namespace}
    user: standin
clusters:
- name: standin
  cluster:
    server: {url}
    certificate-authority-data: {ca}
users:
- name: standin
  user:
    token: standin
"
    )
}

/// Writes a file that appears whole, for somebody may be waiting for it.
pub(crate) fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    fs::write(&partial, text)?;
    fs::rename(&partial, path)
}
