//! Proxies: which one a host is reached by, if any. The rules are those of Go's `net/http`, and so kubectl's.
//!
//! Every HTTP client here has rules of its own for NO_PROXY, and none has Go's. So this module decides for all
//! of them.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use ipnet::IpNet;

/// The proxies that an environment names, and the hosts that are reached without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    https: Option<ProxyUrl>,
    http: Option<ProxyUrl>,
    direct: Vec<Direct>,
}

/// A proxy's URL as it was configured, which may have a password in it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    /// The variable or the field that has it.
    pub source: &'static str,
    /// The URL.
    pub url: String,
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.source)
    }
}

/// A URL that names no proxy that can be used.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error(
    "{variable} is no URL of a proxy that can be used: {accepted} may stand there, and a host after it"
)]
pub struct ProxyError {
    variable: &'static str,
    accepted: &'static str,
}

/// A proxy that can be used.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Its address, without credentials, and its credentials.
    pub target: Intercept,
}

/// The protocols that proxies speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP's CONNECT.
    Http,
    /// HTTP's CONNECT, over TLS.
    Https,
    /// SOCKS 5, where the proxy resolves the names.
    Socks5,
}

/// One entry of NO_PROXY: hosts that are reached directly.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Direct {
    All,
    Net(IpNet),
    Address(IpAddr, Option<String>),
    /// A domain with a dot before it. The domain itself counts where the entry had no such dot.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<String>,
    },
}

impl Proxies {
    /// The proxies for `https` and `http` URLs, and the entries of NO_PROXY.
    pub fn new(https: Option<ProxyUrl>, http: Option<ProxyUrl>, no_proxy: &str) -> Self {
        Self {
            https,
            http,
            direct: no_proxy.split(',').filter_map(entry).collect(),
        }
    }

    /// The proxies, whatever they are for.
    pub fn all(&self) -> impl Iterator<Item = &ProxyUrl> {
        self.https.iter().chain(&self.http)
    }

    /// The proxy that this URL's host is reached by.
    pub fn of(&self, url: &Uri) -> Option<&ProxyUrl> {
        let is_http = url.scheme_str() == Some("http");
        let proxy = if is_http { &self.http } else { &self.https };
        let default_port = if is_http { "80" } else { "443" };
        let host = url.host()?.to_ascii_lowercase();
        let host = without_brackets(&host);
        let port = url
            .port()
            .map_or(default_port.to_owned(), |port| port.to_string());
        let address = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        // A proxy would reach itself, and not this machine.
        let is_here = host == "localhost" || address.is_some_and(|ip| ip.is_loopback());
        let mut entries = self.direct.iter();
        let is_direct = is_here || entries.any(|entry| entry.covers(host, address, &port));
        proxy.as_ref().filter(|_| !is_direct)
    }
}

impl ProxyUrl {
    /// The proxy that the URL names. One without a scheme is HTTP's.
    ///
    /// # Errors
    /// There is no such proxy, or its protocol is another one.
    pub fn proxy(&self) -> Result<Proxy, ProxyError> {
        let anywhere = Uri::from_static("https://anywhere");
        let target = Matcher::builder()
            .all(self.url.trim())
            .build()
            .intercept(&anywhere);
        let protocol = |target: &Intercept| match target.uri().scheme_str() {
            Some("http") => Some(Protocol::Http),
            Some("https") => Some(Protocol::Https),
            Some("socks5" | "socks5h") => Some(Protocol::Socks5),
            _ => None,
        };
        target
            .and_then(|target| {
                protocol(&target).map(|protocol| Proxy {
                    protocol,
                    target: target.clone(),
                })
            })
            .ok_or_else(|| self.unusable("http://, https:// or socks5://"))
    }

    /// The error that only these schemes can be used.
    pub fn unusable(&self, accepted: &'static str) -> ProxyError {
        ProxyError {
            variable: self.source,
            accepted,
        }
    }
}

impl Direct {
    fn covers(&self, host: &str, address: Option<IpAddr>, port: &str) -> bool {
        let at_port = |wanted: &Option<String>| wanted.as_deref().is_none_or(|it| it == port);
        match self {
            Self::All => true,
            Self::Net(net) => address.is_some_and(|address| net.contains(&address)),
            Self::Address(wanted, at) => address == Some(*wanted) && at_port(at),
            Self::Domain {
                suffix,
                itself,
                port,
            } => (host.ends_with(suffix) || (*itself && host == &suffix[1..])) && at_port(port),
        }
    }
}

/// An entry of NO_PROXY; an empty one is none.
fn entry(text: &str) -> Option<Direct> {
    let text = text.trim().to_ascii_lowercase();
    if text == "*" {
        return Some(Direct::All);
    }
    if let Ok(net) = text.parse::<IpNet>() {
        return Some(Direct::Net(net));
    }
    let (host, port) = host_and_port(&text);
    if let Ok(address) = without_brackets(host).parse::<IpAddr>() {
        return Some(Direct::Address(address.to_canonical(), port));
    }
    // `*.example.com` is what `.example.com` is.
    let domain = host.strip_prefix("*.").map(|rest| format!(".{rest}"));
    let domain = domain.unwrap_or_else(|| host.to_owned());
    let itself = !domain.starts_with('.');
    let suffix = if itself { format!(".{domain}") } else { domain };
    (suffix.len() > 1).then_some(Direct::Domain {
        suffix,
        itself,
        port,
    })
}

/// Splits `host:port`; an IPv6 address has a port only where it stands in brackets.
fn host_and_port(text: &str) -> (&str, Option<String>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, Some(port.to_owned()))
        }
        Some(_) | None => (text, None),
    }
}

fn without_brackets(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}
