//! Foreign settings: variables that are not ours and that a run heeds. AWS's, an ObjectBucketClaim's,
//! the downward API's, HTTPS_PROXY, HTTP_PROXY and NO_PROXY, KUBECONFIG, TMPDIR, PATH and RUST_LOG; and the
//! variables of Kubernetes' Services, which are told apart from ours.

use std::ffi::OsString;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use http::Uri;

use crate::proxy::{Proxies, ProxyUrl};

/// The pod that a run is in, as the downward API tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPod {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
}

/// Which checksums the user decides on. Where the user does not, the default depends on the server: one
/// that is not AWS gets none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChecksumsSet {
    /// Those of requests, by AWS_REQUEST_CHECKSUM_CALCULATION.
    pub requests: bool,
    /// Those of answers, by AWS_RESPONSE_CHECKSUM_VALIDATION.
    pub answers: bool,
}

/// The foreign settings of an environment.
pub(super) struct ForeignSettings {
    /// The directory for temporary files: TMPDIR, or /tmp.
    pub(super) tmpdir: PathBuf,
    /// The files of KUBECONFIG, if it is set.
    pub(super) kubeconfig: Vec<PathBuf>,
    /// HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or their names in lower case.
    pub(super) proxies: Proxies,
    /// RUST_LOG, if it is set.
    pub(super) log_filter: Option<String>,
    /// An S3 server's URL, with the variable that has it: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL.
    pub(super) endpoint: Option<(&'static str, String)>,
    /// AWS_REGION or AWS_DEFAULT_REGION.
    pub(super) region: Option<String>,
    /// Which checksums AWS's variables decide on.
    pub(super) checksums_set: ChecksumsSet,
    /// AWS_MAX_ATTEMPTS, if it is set, and the variable's name.
    pub(super) max_attempts: Option<(&'static str, String)>,
    /// AWS_CA_BUNDLE and SSL_CERT_FILE, those that are set.
    pub(super) ca_bundles: Vec<(&'static str, PathBuf)>,
    /// The ObjectBucketClaim; all its fields are `None` where there is none.
    pub(super) claim: ObjectBucketClaim,
    /// POD_NAME, POD_NAMESPACE and POD_UID, if all are set.
    pub(super) pod: Option<OwnPod>,
    /// The directories of PATH.
    path: Vec<PathBuf>,
}

impl ForeignSettings {
    pub(super) fn read(environment: &[(OsString, OsString)]) -> Self {
        let get = |name: &str| {
            let set = environment.iter().find(|(key, _)| key == name);
            set.map(|(_, value)| value)
                .filter(|value| !value.is_empty())
        };
        let paths = |name: &str| {
            let parts = get(name).into_iter().flat_map(std::env::split_paths);
            let set = parts.filter(|path| !path.as_os_str().is_empty());
            set.collect::<Vec<_>>()
        };
        let text = |name: &str| get(name).and_then(|value| value.clone().into_string().ok());
        // A Service called `bucket` brings names like a claim's; its values are URLs of its own kind.
        let claimed = |name| text(name).filter(|value| !value.starts_with("tcp://"));
        let named = |name| text(name).map(|value| (name, value));
        let proxy = |upper, lower| {
            let found = named(upper).or_else(|| named(lower));
            found.map(|(source, url)| ProxyUrl { source, url })
        };
        let no_proxy = text("NO_PROXY").or_else(|| text("no_proxy"));
        let pod = || {
            Some(OwnPod {
                name: text("POD_NAME")?,
                namespace: text("POD_NAMESPACE")?,
                uid: text("POD_UID")?,
            })
        };
        Self {
            endpoint: named("AWS_ENDPOINT_URL_S3").or_else(|| named("AWS_ENDPOINT_URL")),
            region: text("AWS_REGION").or_else(|| text("AWS_DEFAULT_REGION")),
            checksums_set: ChecksumsSet {
                requests: get("AWS_REQUEST_CHECKSUM_CALCULATION").is_some(),
                answers: get("AWS_RESPONSE_CHECKSUM_VALIDATION").is_some(),
            },
            max_attempts: named("AWS_MAX_ATTEMPTS"),
            ca_bundles: ["AWS_CA_BUNDLE", "SSL_CERT_FILE"]
                .into_iter()
                .filter_map(|name| Some((name, PathBuf::from(get(name)?))))
                .collect(),
            claim: ObjectBucketClaim {
                bucket: claimed(ObjectBucketClaim::BUCKET_NAME),
                host: claimed(ObjectBucketClaim::BUCKET_HOST),
                port: claimed(ObjectBucketClaim::BUCKET_PORT),
                region: claimed("BUCKET_REGION"),
            },
            pod: pod(),
            tmpdir: get("TMPDIR").map_or_else(|| Path::new("/tmp").to_owned(), PathBuf::from),
            kubeconfig: paths("KUBECONFIG"),
            proxies: Proxies::new(
                proxy("HTTPS_PROXY", "https_proxy"),
                proxy("HTTP_PROXY", "http_proxy"),
                no_proxy.as_deref().unwrap_or_default(),
            ),
            log_filter: text("RUST_LOG"),
            path: paths("PATH"),
        }
    }

    /// The default path of a signal file.
    pub(super) fn signal_file(&self, name: &str) -> PathBuf {
        self.tmpdir.join("cluster-profiler-job").join(name)
    }

    /// A program's file, from the first directory of PATH that has it.
    pub(super) fn on_path(&self, name: &str) -> Option<PathBuf> {
        self.path
            .iter()
            .map(|directory| directory.join(name))
            .find(|path| path.is_file())
    }
}

/// An ObjectBucketClaim, as `envFrom` of its ConfigMap brings it into the environment.
#[derive(Debug, Default)]
pub(super) struct ObjectBucketClaim {
    pub(super) bucket: Option<String>,
    host: Option<String>,
    port: Option<String>,
    pub(super) region: Option<String>,
}

impl ObjectBucketClaim {
    pub(super) const BUCKET_NAME: &str = "BUCKET_NAME";
    pub(super) const BUCKET_HOST: &str = "BUCKET_HOST";
    pub(super) const BUCKET_PORT: &str = "BUCKET_PORT";

    /// The server's URL. Only two ports are known to speak no TLS.
    pub(super) fn endpoint(&self) -> Option<String> {
        let host = self.host.as_deref()?;
        if host.contains("://") {
            return Some(host.to_owned());
        }
        let host = match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => host.to_owned(),
        };
        Some(match self.port() {
            None | Some("443") => format!("https://{host}"),
            Some("80") => format!("http://{host}"),
            Some(port @ "8080") => format!("http://{host}:{port}"),
            Some(port) => format!("https://{host}:{port}"),
        })
    }

    /// Whether the URL's scheme may be the wrong one: only of two ports everybody knows what they speak.
    pub(super) fn scheme_is_guess(&self) -> bool {
        let has_scheme = self
            .host
            .as_deref()
            .is_some_and(|host| host.contains("://"));
        !has_scheme && !matches!(self.port(), None | Some("80" | "443"))
    }

    /// The port; some provisioners write 0 where they know none.
    fn port(&self) -> Option<&str> {
        let port = self.port.as_deref().map(str::trim);
        port.filter(|port| !port.is_empty() && *port != "0")
    }
}

/// Whether a variable, named without our prefix, is what the kubelet sets for a Service called
/// `profiler` or `profiler-…` (enableServiceLinks is true by default).
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let ends = |suffix: &str| name == suffix || name.ends_with(&format!("_{suffix}"));
    if ends("SERVICE_HOST") || ends("SERVICE_PORT") || after(name, "SERVICE_PORT_").is_some() {
        return true;
    }
    let url = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    (ends("PORT") && url) || after(name, "PORT_").is_some_and(is_port_detail)
}

/// The text that follows `marker` at the name's beginning or after an underscore.
fn after<'a>(name: &'a str, marker: &str) -> Option<&'a str> {
    name.strip_prefix(marker)
        .or_else(|| name.split_once(&format!("_{marker}")).map(|(_, rest)| rest))
}

/// Whether requests can be sent there. Credentials in a URL would be shown with it.
pub(super) fn is_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    is_web
        && uri.authority().is_some_and(|authority| {
            let (text, host) = (authority.as_str(), authority.host());
            let has_good_port = text.len() == host.len() || authority.port_u16().is_some();
            !host.is_empty() && !text.contains('@') && has_good_port
        })
}

/// Whether this is `80_TCP`, `80_TCP_PROTO`, `80_TCP_PORT`, `80_TCP_ADDR`, or the same for UDP or SCTP.
fn is_port_detail(rest: &str) -> bool {
    let mut parts = rest.splitn(3, '_');
    let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
    let protocol = parts
        .next()
        .is_some_and(|part| ["TCP", "UDP", "SCTP"].contains(&part));
    let detail = parts
        .next()
        .is_none_or(|part| ["PROTO", "PORT", "ADDR"].contains(&part));
    number && protocol && detail
}
