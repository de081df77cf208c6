//! A pod's volumes as directories of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{PodSpec, Volume, VolumeProjection};
use tempfile::TempDir;

use crate::cluster::{Cluster, Data, directory, own};

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

/// The files of a volume: name, content, mode.
fn files(
    volume: &Volume,
    group: Option<i64>,
    cluster: &Cluster,
    namespace: &str,
) -> Vec<(String, String, u32)> {
    if let Some(map) = &volume.config_map {
        let items = map.items.iter().flatten();
        let items = items.map(|item| (item.key.as_str(), item.path.as_str()));
        return projected(cluster.config_map(&map.name), items.collect());
    }
    let sources = volume.projected.as_ref().and_then(|it| it.sources.as_ref());
    let sources = sources.unwrap_or_else(|| panic!("nobody knows how to make {volume:?}"));
    let files = sources.iter();
    files
        .flat_map(|source| part(source, group, cluster, namespace))
        .collect()
}

fn part(
    source: &VolumeProjection,
    group: Option<i64>,
    cluster: &Cluster,
    namespace: &str,
) -> Vec<(String, String, u32)> {
    if let Some(token) = &source.service_account_token {
        // Without an fsGroup everybody may read it, with one only that group.
        let mode = if group.is_some() { 0o600 } else { 0o644 };
        return vec![(token.path.clone(), cluster.token.clone(), mode)];
    }
    if let Some(map) = &source.config_map {
        let items = map.items.iter().flatten();
        let items = items.map(|item| (item.key.as_str(), item.path.as_str()));
        return projected(cluster.config_map(&map.name), items.collect());
    }
    let told = source
        .downward_api
        .as_ref()
        .and_then(|it| it.items.as_ref());
    let told = told.unwrap_or_else(|| panic!("nobody knows how to make {source:?}"));
    let told = told.iter().map(|item| {
        let field = item
            .field_ref
            .as_ref()
            .map(|field| field.field_path.as_str());
        assert_eq!(field, Some("metadata.namespace"));
        (item.path.clone(), namespace.to_owned(), 0o644)
    });
    told.collect()
}

/// The keys of a ConfigMap that are asked for, or all.
fn projected(data: &Data, items: Vec<(&str, &str)>) -> Vec<(String, String, u32)> {
    let items = if items.is_empty() {
        data.keys()
            .map(|key| (key.as_str(), key.as_str()))
            .collect()
    } else {
        items
    };
    let files = items.into_iter();
    files
        .map(|(key, path)| (path.to_owned(), data[key].clone(), 0o644))
        .collect()
}
