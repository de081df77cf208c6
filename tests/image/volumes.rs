//! A pod's volumes as directories of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{PodSpec, Volume};
use tempfile::TempDir;

use crate::cluster::{Cluster, directory, own};
use crate::podman::bytes;
use crate::projected::files;

/// The group that a pod's volumes are given to.
pub(crate) fn fs_group(spec: &PodSpec, cluster: &Cluster) -> Option<i64> {
    let context = spec.security_context.as_ref();
    let asked = context.and_then(|context| context.fs_group);
    asked.or(cluster.identity.fs_group)
}

/// A pod's volumes; what is only this pod's ends with this value.
pub(crate) struct Volumes {
    paths: BTreeMap<String, PathBuf>,
    dir: TempDir,
}

impl Volumes {
    /// Makes them as a kubelet does.
    pub(crate) fn new(spec: &PodSpec, cluster: &Cluster, namespace: &str) -> Self {
        let (dir, group) = (directory(), fs_group(spec, cluster));
        let mut paths = BTreeMap::new();
        for volume in spec.volumes.iter().flatten() {
            let path = match &volume.persistent_volume_claim {
                Some(claim) => cluster.claim(&claim.claim_name, group),
                None => {
                    let path = dir.path().join(&volume.name);
                    make(&path, volume, group, cluster, namespace);
                    path
                }
            };
            paths.insert(volume.name.clone(), path);
        }
        Self { paths, dir }
    }

    /// Where one is.
    pub(crate) fn path(&self, name: &str) -> &Path {
        let path = self.paths.get(name);
        path.unwrap_or_else(|| panic!("no volume {name}"))
    }

    /// Where its /tmp is, if it has one, else something empty.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.dir.path().join("tmp")
    }

    /// How much may be in it, in bytes.
    pub(crate) fn scratch_limit(spec: &PodSpec) -> Option<u64> {
        let mut volumes = spec.volumes.iter().flatten();
        let tmp = volumes.find(|volume| volume.name == "tmp")?;
        tmp.empty_dir.as_ref()?.size_limit.as_ref().map(bytes)
    }

    /// A file where a container's last words go.
    pub(crate) fn termination_log(&self, container: &str) -> PathBuf {
        let path = self.dir.path().join(format!("{container}.termination-log"));
        if !path.exists() {
            fs::write(&path, "").expect("a file");
            own(&path, None, 0o666);
        }
        path
    }
}

/// One that is only this pod's.
fn make(path: &Path, volume: &Volume, group: Option<i64>, cluster: &Cluster, namespace: &str) {
    fs::create_dir(path).expect("a directory");
    if volume.empty_dir.is_some() {
        return own(path, group, 0o777);
    }
    own(path, group, 0o755);
    for (name, content, mode) in files(volume, group, cluster, namespace) {
        let file = path.join(name);
        fs::write(&file, content).expect("a file");
        own(&file, group, mode);
    }
}
