//! What a cluster gives to a pod besides its manifest.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The keys of a ConfigMap or of a Secret, with what they hold.
pub(crate) type Data = BTreeMap<String, String>;

/// Who a pod's processes are.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    /// User and group, as `podman run --user` takes them.
    pub(crate) user: &'static str,
    /// The fsGroup that admission gives to a pod that asks for none.
    pub(crate) fs_group: Option<i64>,
}

/// Plain Kubernetes: the image's own user, in a group that has no rights but by the manifest's fsGroup.
pub(crate) const PLAIN: Identity = Identity {
    user: "65532:65532",
    fs_group: None,
};

/// OpenShift's restricted-v2: a user of the namespace's range, and root's group.
pub(crate) const RESTRICTED: Identity = Identity {
    user: "1000660000:0",
    fs_group: Some(1_000_660_000),
};

/// The same with a group of the range, as restricted-v3 has it.
pub(crate) const RANGED: Identity = Identity {
    user: "1000660000:1000660000",
    fs_group: Some(1_000_660_000),
};

/// A cluster, as far as a pod sees it.
pub(crate) struct Cluster {
    /// The API server's host and port.
    pub(crate) api: (String, String),
    /// The account's token.
    pub(crate) token: String,
    /// Who runs.
    pub(crate) identity: Identity,
    /// ConfigMaps that are not in the manifests, or that somebody fills, by name.
    pub(crate) config_maps: BTreeMap<String, Data>,
    /// Secrets by name.
    pub(crate) secrets: BTreeMap<String, Data>,
    dir: TempDir,
}

impl Cluster {
    /// One that is reached so.
    pub(crate) fn new(url: &str, ca: &str, token: &str, identity: Identity) -> Self {
        let address = url.trim_start_matches("https://");
        let (host, port) = address.split_once(':').expect("a port");
        Self {
            api: (host.to_owned(), port.to_owned()),
            token: token.to_owned(),
            identity,
            config_maps: BTreeMap::from([("kube-root-ca.crt".to_owned(), one("ca.crt", ca))]),
            secrets: BTreeMap::new(),
            dir: directory(),
        }
    }

    /// A ConfigMap that is there.
    pub(crate) fn config_map(&self, name: &str) -> &Data {
        let map = self.config_maps.get(name);
        map.unwrap_or_else(|| panic!("no ConfigMap {name}: the pod would wait"))
    }

    /// A Secret that is there.
    pub(crate) fn secret(&self, name: &str) -> &Data {
        let secret = self.secrets.get(name);
        secret.unwrap_or_else(|| panic!("no Secret {name}: the pod would wait"))
    }

    /// The directory of a claim: the same for every pod that mounts it.
    pub(crate) fn claim(&self, name: &str, fs_group: Option<i64>) -> PathBuf {
        let path = self.dir.path().join(name);
        if !path.exists() {
            fs::create_dir(&path).expect("a directory");
            own(&path, fs_group, 0o755);
        }
        path
    }
}

/// Data of one key.
pub(crate) fn one(key: &str, value: &str) -> Data {
    Data::from([(key.to_owned(), value.to_owned())])
}

/// A directory that everybody may pass through.
pub(crate) fn directory() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    own(dir.path(), None, 0o755);
    dir
}

/// Root's, with this mode; or an fsGroup's, as a kubelet makes it.
pub(crate) fn own(path: &Path, fs_group: Option<i64>, mode: u32) {
    let group = fs_group.map(|group| u32::try_from(group).expect("a group"));
    chown(path, Some(0), Some(group.unwrap_or(0))).expect("we are root");
    let of_group = match (group, path.is_dir()) {
        (None, _) => 0,
        (Some(_), true) => 0o2070,
        (Some(_), false) => 0o040,
    };
    let mode = Permissions::from_mode(mode | of_group);
    fs::set_permissions(path, mode).expect("it is ours");
}
