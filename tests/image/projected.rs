//! The files that a kubelet puts into a volume.

use k8s_openapi::api::core::v1::{KeyToPath, Volume, VolumeProjection};

use crate::cluster::{Cluster, Data};

/// A file's name, content and mode.
type File = (String, String, u32);

/// The files of a volume.
pub(crate) fn files(
    volume: &Volume,
    group: Option<i64>,
    cluster: &Cluster,
    namespace: &str,
) -> Vec<File> {
    if let Some(map) = &volume.config_map {
        return projected(cluster.config_map(&map.name), map.items.as_deref());
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
) -> Vec<File> {
    if let Some(token) = &source.service_account_token {
        // Without an fsGroup everybody may read it, with one only that group.
        let mode = if group.is_some() { 0o600 } else { 0o644 };
        return vec![(token.path.clone(), cluster.token.clone(), mode)];
    }
    if let Some(map) = &source.config_map {
        return projected(cluster.config_map(&map.name), map.items.as_deref());
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
fn projected(data: &Data, items: Option<&[KeyToPath]>) -> Vec<File> {
    let items: Vec<_> = match items {
        Some(items) => items.iter().map(|item| (&item.key, &item.path)).collect(),
        None => data.keys().map(|key| (key, key)).collect(),
    };
    let files = items.into_iter();
    files
        .map(|(key, path)| (path.clone(), data[key].clone(), 0o644))
        .collect()
}
