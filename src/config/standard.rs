//! Variables that are not ours and mean what they mean everywhere.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::bucket::ChecksumsSet;
use super::claim::Claim;

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

/// The ones that a run heeds.
pub(super) struct Standard {
    /// Where temporary files go.
    pub(super) tmpdir: PathBuf,
    /// The files of KUBECONFIG, if it is set.
    pub(super) kubeconfig: Vec<PathBuf>,
    /// RUST_LOG, if it is set.
    pub(super) log_filter: Option<String>,
    /// An S3 server's URL, with the variable that has it.
    pub(super) endpoint: Option<(&'static str, String)>,
    /// AWS_REGION or AWS_DEFAULT_REGION.
    pub(super) region: Option<String>,
    /// Which checksums AWS's own variables decide on.
    pub(super) checksums_set: ChecksumsSet,
    /// AWS_MAX_ATTEMPTS, if it is set.
    pub(super) max_attempts: Option<String>,
    /// AWS_CA_BUNDLE and SSL_CERT_FILE, those that are set.
    pub(super) ca_bundles: Vec<(&'static str, PathBuf)>,
    /// What an ObjectBucketClaim says.
    pub(super) claim: Claim,
    /// POD_NAME, POD_NAMESPACE and POD_UID, if all are set.
    pub(super) pod: Option<OwnPod>,
    /// Where programs are looked for.
    path: Vec<PathBuf>,
}

impl Standard {
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
        let endpoint = |name| text(name).map(|url| (name, url));
        let pod = || {
            Some(OwnPod {
                name: text("POD_NAME")?,
                namespace: text("POD_NAMESPACE")?,
                uid: text("POD_UID")?,
            })
        };
        Self {
            endpoint: endpoint("AWS_ENDPOINT_URL_S3").or_else(|| endpoint("AWS_ENDPOINT_URL")),
            region: text("AWS_REGION").or_else(|| text("AWS_DEFAULT_REGION")),
            checksums_set: ChecksumsSet {
                requests: get("AWS_REQUEST_CHECKSUM_CALCULATION").is_some(),
                answers: get("AWS_RESPONSE_CHECKSUM_VALIDATION").is_some(),
            },
            max_attempts: text("AWS_MAX_ATTEMPTS"),
            ca_bundles: ["AWS_CA_BUNDLE", "SSL_CERT_FILE"]
                .into_iter()
                .filter_map(|name| Some((name, PathBuf::from(get(name)?))))
                .collect(),
            claim: Claim {
                bucket: claimed("BUCKET_NAME"),
                host: claimed("BUCKET_HOST"),
                port: claimed("BUCKET_PORT"),
                region: claimed("BUCKET_REGION"),
            },
            pod: pod(),
            tmpdir: get("TMPDIR").map_or_else(|| Path::new("/tmp").to_owned(), PathBuf::from),
            kubeconfig: paths("KUBECONFIG"),
            log_filter: text("RUST_LOG"),
            path: paths("PATH"),
        }
    }

    /// The default path of a file by which a run and a workload tell each other where they are.
    pub(super) fn signal(&self, name: &str) -> PathBuf {
        self.tmpdir.join("cluster-profiler-job").join(name)
    }

    /// A program on PATH.
    pub(super) fn on_path(&self, name: &str) -> Option<PathBuf> {
        self.path
            .iter()
            .map(|directory| directory.join(name))
            .find(|path| path.is_file())
    }
}
