//! The KubeVirt installation: where it is, its version, its KubeVirt object.

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::Value;

use super::call::{CallError, Connection};
use crate::manifest::KubeVirt;

/// The usual install namespaces: of OpenShift Virtualization, upstream HCO, plain KubeVirt.
pub const USUAL_NAMESPACES: [&str; 3] = ["openshift-cnv", "kubevirt-hyperconverged", "kubevirt"];

/// An installed KubeVirt.
#[derive(Debug, Clone)]
pub struct Install {
    /// The namespace it is installed in.
    pub namespace: String,
    /// The name of its KubeVirt object.
    pub name: String,
    /// The UID of its KubeVirt object.
    pub uid: Option<String>,
    /// The observed KubeVirt version.
    pub version: Option<String>,
    /// `spec.configuration` as it is.
    pub configuration: Value,
    /// `status` as it is.
    pub status: Value,
    /// The HyperConverged object that owns the KubeVirt object, if one does.
    pub hyperconverged: Option<String>,
}

impl Install {
    /// Whether HyperConverged decides the configuration, and overwrites the KubeVirt object's own.
    pub fn is_hyperconverged(&self) -> bool {
        self.hyperconverged.is_some()
    }

    /// The installation, as the manifest names it.
    pub fn kubevirt(&self) -> KubeVirt {
        KubeVirt {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            version: self.version.clone(),
        }
    }
}

/// The reason that no KubeVirt was found.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is none in these namespaces, as far as they could be looked at.
    #[error(
        "no KubeVirt in {}{}; set PROFILER_NAMESPACE to its install namespace, and see that the \
         account may list kubevirts there: add to its Role\n{RULE}",
        searched.join(", "),
        if denied.is_empty() { String::new() }
        else { format!(" (not allowed to look in {})", denied.join(", ")) }
    )]
    NotFound {
        /// Every namespace that was tried.
        searched: Vec<String>,
        /// The ones that could not be looked at.
        denied: Vec<String>,
    },
    /// The API server failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

const RULE: &str = "- apiGroups: [kubevirt.io]\n  resources: [kubevirts]\n  verbs: [get, list]";

/// Finds KubeVirt in the namespace that was set, or in the first of the usual ones.
///
/// # Errors
/// There is no KubeVirt in these namespaces, or the API server failed.
pub async fn find(
    connection: &Connection,
    namespace: Option<&str>,
) -> Result<Install, InstallError> {
    let usual = USUAL_NAMESPACES.map(str::to_owned).to_vec();
    let searched = namespace.map_or(usual, |set| vec![set.to_owned()]);
    let mut denied = Vec::new();
    for namespace in &searched {
        match in_namespace(connection, namespace).await {
            Ok(Some(install)) => return Ok(install),
            Ok(None) => {}
            Err(error) if error.is_denied() => denied.push(namespace.clone()),
            Err(error) if error.is_absent() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(InstallError::NotFound { searched, denied })
}

async fn in_namespace(
    connection: &Connection,
    namespace: &str,
) -> Result<Option<Install>, CallError> {
    let gvk = GroupVersionKind::gvk("kubevirt.io", "v1", "KubeVirt");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "kubevirts");
    let api: Api<DynamicObject> = Api::namespaced_with(connection.client(), namespace, &resource);
    let call = format!("list kubevirts in {namespace}");
    let params = ListParams::default();
    let list = connection.call(&call, || api.list(&params)).await?;
    Ok(list
        .items
        .into_iter()
        .next()
        .map(|object| install(namespace, object)))
}

fn install(namespace: &str, object: DynamicObject) -> Install {
    let status = object.data["status"].clone();
    let owners = object
        .metadata
        .owner_references
        .as_deref()
        .unwrap_or_default();
    let labels = object.metadata.labels.as_ref();
    let managed_by = labels.and_then(|labels| labels.get("app.kubernetes.io/managed-by"));
    let owner = owners.iter().find(|owner| owner.kind == "HyperConverged");
    let managed = managed_by.is_some_and(|manager| manager == "hco-operator");
    let usual = managed.then(|| "kubevirt-hyperconverged".to_owned());
    Install {
        namespace: namespace.to_owned(),
        uid: object.metadata.uid.filter(|uid| !uid.is_empty()),
        version: status["observedKubeVirtVersion"]
            .as_str()
            .map(str::to_owned),
        configuration: object.data["spec"]["configuration"].clone(),
        status,
        hyperconverged: owner.map(|owner| owner.name.clone()).or(usual),
        name: object.metadata.name.unwrap_or_default(),
    }
}
