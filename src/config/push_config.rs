//! The types of where a run is pushed to, and how those servers are reached.

use std::fmt;
use std::path::PathBuf;

use http::Uri;

use super::foreign_settings::is_url;
use crate::proxy::Proxies;

/// The kind of server that a run is pushed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushServer {
    /// Pyroscope, or what takes its pushes: Grafana Alloy, Grafana Cloud.
    Pyroscope,
    /// Parca, or Polar Signals Cloud.
    Parca,
}

/// A server that a run is pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTarget {
    /// What it is.
    pub server: PushServer,
    /// Where it is, without credentials.
    pub url: Uri,
}

/// How the servers are reached that a run is pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushAccess {
    /// The file with the headers of each request, which may be a Secret's.
    pub headers_file: Option<PathBuf>,
    /// Certificates of authorities that are trusted besides the usual ones, as PEM, each with the variable
    /// that names the file.
    pub ca_bundles: Vec<(&'static str, PathBuf)>,
    /// The proxies of the environment.
    pub proxies: Proxies,
}

/// Where a run is pushed to once it is shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushConfig {
    /// The servers.
    pub targets: Vec<PushTarget>,
    /// How they are reached.
    pub access: PushAccess,
}

impl PushTarget {
    /// The server that a text names. A fault does not repeat it, for it may have credentials in it.
    ///
    /// # Errors
    /// It is no such text.
    pub fn parse(text: &str) -> Result<Self, String> {
        const ACCEPTED: &str = "accepted: pyroscope+https://HOST[:PORT][/PATH] or parca+https://…, or +http without TLS";
        let fault = |what: &str| Err(format!("{what}; {ACCEPTED}"));
        let (server, url) = match text.split_once('+') {
            Some(("pyroscope", url)) => (PushServer::Pyroscope, url),
            Some(("parca", url)) => (PushServer::Parca, url),
            Some(_) | None => return fault("it names no kind of server that is known"),
        };
        if url.contains('@') {
            return fault("credentials belong into the file of PROFILER_PUSH_HEADERS_FILE");
        }
        if url.contains(['?', '#']) {
            return fault("it has more than a host and a path");
        }
        match url.trim_end_matches('/').parse() {
            Ok(parsed) if is_url(url) => Ok(Self {
                server,
                url: parsed,
            }),
            Ok(_) | Err(_) => fault("it has no URL after the +"),
        }
    }
}

impl fmt::Display for PushTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = match self.server {
            PushServer::Pyroscope => "pyroscope",
            PushServer::Parca => "parca",
        };
        let url = self.url.to_string();
        write!(f, "{server}+{}", url.trim_end_matches('/'))
    }
}

/// A comma list of servers, none of them twice.
pub(super) fn targets(value: &str) -> Result<Vec<PushTarget>, String> {
    let mut targets = Vec::new();
    for (index, entry) in value.split(',').enumerate() {
        let target = PushTarget::parse(entry.trim());
        let target = target.map_err(|fault| format!("entry {}: {fault}", index + 1))?;
        if targets.contains(&target) {
            return Err(format!(
                "{target} is there twice, and would store all twice"
            ));
        }
        targets.push(target);
    }
    Ok(targets)
}
