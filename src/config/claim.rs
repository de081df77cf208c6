//! An ObjectBucketClaim, as `envFrom` of its ConfigMap brings it.

/// What an ObjectBucketClaim puts into the environment.
#[derive(Debug, Default)]
pub(super) struct Claim {
    pub(super) bucket: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<String>,
    pub(super) region: Option<String>,
}

impl Claim {
    /// The server's URL. Only two ports are known to speak no TLS.
    pub(super) fn endpoint(&self) -> Option<String> {
        let host = self.host.as_deref()?;
        if host.contains("://") {
            return Some(host.to_owned());
        }
        Some(match self.port.as_deref() {
            None | Some("443") => format!("https://{host}"),
            Some("80") => format!("http://{host}"),
            Some(port @ "8080") => format!("http://{host}:{port}"),
            Some(port) => format!("https://{host}:{port}"),
        })
    }
}
