//! A container's environment, as a kubelet makes it from the manifest.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::cluster::{Cluster, Data};
use crate::manifests::Objects;

/// The variables of a container of a pod with this metadata.
pub(crate) fn environment(
    container: &Container,
    metadata: &ObjectMeta,
    objects: &Objects,
    cluster: &Cluster,
) -> Data {
    // Told to every container, enableServiceLinks or not.
    let (host, port) = cluster.api.clone();
    let mut variables = Data::from([
        ("KUBERNETES_SERVICE_HOST".to_owned(), host),
        ("KUBERNETES_SERVICE_PORT".to_owned(), port.clone()),
        ("KUBERNETES_SERVICE_PORT_HTTPS".to_owned(), port),
    ]);
    for source in container.env_from.iter().flatten() {
        assert_eq!(source.prefix, None);
        if let Some(map) = &source.config_map_ref {
            let rendered = objects.config_map(&map.name);
            variables.extend(rendered.unwrap_or_else(|| cluster.config_map(&map.name).clone()));
        }
        if let Some(secret) = &source.secret_ref {
            variables.extend(cluster.secret(&secret.name).clone());
        }
    }
    for variable in container.env.iter().flatten() {
        let value = value(variable, metadata, &variables);
        variables.insert(variable.name.clone(), value);
    }
    variables
}

fn value(variable: &EnvVar, metadata: &ObjectMeta, before: &Data) -> String {
    let Some(from) = &variable.value_from else {
        return expanded(variable.value.as_deref().unwrap_or_default(), before);
    };
    let field = from
        .field_ref
        .as_ref()
        .map(|field| field.field_path.as_str());
    let value = match field {
        Some("metadata.name") => metadata.name.clone(),
        Some("metadata.namespace") => metadata.namespace.clone(),
        Some("metadata.uid") => metadata.uid.clone(),
        Some(path) => labelled(path, metadata.labels.as_ref()),
        None => None,
    };
    value.unwrap_or_else(|| panic!("no value for {variable:?}"))
}

/// The label that `metadata.labels['NAME']` names.
fn labelled(path: &str, labels: Option<&BTreeMap<String, String>>) -> Option<String> {
    let name = path.strip_prefix("metadata.labels['")?.strip_suffix("']")?;
    labels?.get(name).cloned()
}

/// With `$(NAME)` replaced where the variable is there, and `$$` by one dollar.
pub(crate) fn expanded(text: &str, variables: &Data) -> String {
    let (mut rest, mut done) = (text, String::new());
    while let Some((before, after)) = rest.split_once('$') {
        done += before;
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|it| it.split_once(')'))
            && let Some(value) = variables.get(name)
        {
            done += value;
            rest = after;
            continue;
        }
        done.push('$');
    }
    done + rest
}
