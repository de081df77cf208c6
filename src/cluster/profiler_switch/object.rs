//! The object that decides KubeVirt's configuration: read, and written only where it is as it was
//! read.

use http::Request;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIGroup;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::annotation::{ANNOTATION, NotAPatch};
use super::change::{Owner, SwitchError};
use super::write_tries::Written;
use crate::cluster::call::{CallError, Connection};
use crate::cluster::install::Install;

/// This program's name in `managedFields`.
const MANAGER: &str = "cluster-profiler-job";

/// HyperConverged's group.
const HCO: &str = "hco.kubevirt.io";

/// One of the two objects in the cluster.
#[derive(Debug, Clone)]
pub(super) struct Object {
    connection: Connection,
    namespace: String,
    name: String,
    /// Its group, kind and plural.
    resource: (&'static str, &'static str, &'static str),
    /// The versions in which it is served, once they are known.
    versions: OnceCell<Vec<String>>,
    /// Its kind and name, for messages.
    pub(super) what: String,
}

/// An object of the API, and the version that it was read in.
struct InVersion {
    object: DynamicObject,
    version: String,
}

/// The object as it was read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    version: Option<String>,
    /// The version of the API that it was read in.
    api_version: String,
    /// HyperConverged's annotation.
    pub(super) annotation: Option<String>,
    /// `spec.configuration` of a KubeVirt object.
    pub(super) configuration: Value,
    generation: Option<i64>,
    /// The generation that the operator has acted on.
    observed: Option<i64>,
    /// Of a KubeVirt object: what the operator is at.
    phase: String,
}

impl Read {
    /// What is waited for until virt-operator has acted on a KubeVirt object, and is at rest. `None` once it is.
    pub(super) fn unsettled(&self) -> Option<String> {
        let shown = |generation: Option<i64>| generation.unwrap_or_default();
        if self.observed != self.generation {
            let (wanted, seen) = (shown(self.generation), shown(self.observed));
            return Some(format!(
                "virt-operator to observe generation {wanted}, it has seen {seen}"
            ));
        }
        let Self { phase, .. } = self;
        (phase != "Deployed")
            .then(|| format!("virt-operator to be at rest, its phase is {phase:?}"))
    }
}

/// A change of the object.
#[derive(Debug)]
pub(super) enum Write {
    /// `spec.configuration` of a KubeVirt object, as a merge patch.
    Configuration(Value),
    /// HyperConverged's annotation, or that there is to be none.
    Annotation(Option<String>),
}

impl Object {
    /// An installation's object of this kind.
    pub(super) fn new(connection: &Connection, install: &Install, owner: Owner) -> Self {
        let hyperconverged = install.hyperconverged.as_deref().unwrap_or_default();
        let (group, kind, plural, name) = match owner {
            Owner::KubeVirt => ("kubevirt.io", "KubeVirt", "kubevirts", &*install.name),
            Owner::HyperConverged => (HCO, "HyperConverged", "hyperconvergeds", hyperconverged),
        };
        Self {
            connection: connection.clone(),
            namespace: install.namespace.clone(),
            resource: (group, kind, plural),
            versions: OnceCell::new(),
            what: owner.object(install),
            name: name.to_owned(),
        }
    }

    /// The object's API in this version.
    fn api(&self, version: &str) -> Api<DynamicObject> {
        let (group, kind, plural) = self.resource;
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
        Api::namespaced_with(self.connection.client(), &self.namespace, &resource)
    }

    /// The versions in which it is served, the preferred one first. KubeVirt has one; HyperConverged had one,
    /// then two, and the other alone in the end.
    async fn versions(&self) -> Result<&[String], CallError> {
        let discover = || async {
            if self.resource.0 != HCO {
                return Ok(vec!["v1".to_owned()]);
            }
            let path = format!("/apis/{HCO}");
            let call = format!("GET {path}");
            let group = self.connection.call(&call, || async {
                let request = Request::get(&path).body(Vec::new());
                let request = request.map_err(kube::Error::HttpError)?;
                self.connection.client().request::<APIGroup>(request).await
            });
            Ok(match group.await {
                Ok(group) => preferred_first(group),
                // Nobody has to let anybody look there.
                Err(error) if error.is_denied() => ["v1beta1", "v1"].map(str::to_owned).to_vec(),
                Err(error) => return Err(error),
            })
        };
        self.versions
            .get_or_try_init(discover)
            .await
            .map(Vec::as_slice)
    }

    /// The object, and the version that it was read in: the first one that it can be read in.
    async fn get(&self) -> Result<InVersion, CallError> {
        let call = format!("get {}", self.what);
        let versions = self.versions().await?;
        let get = || async {
            let mut versions = versions.iter().peekable();
            loop {
                let version = versions.next().map_or("v1", String::as_str);
                match self.api(version).get(&self.name).await {
                    Err(error) if versions.peek().is_some() && is_of_version(&error) => {
                        tracing::debug!(%error, version, "trying another version");
                    }
                    object => {
                        return Ok(InVersion {
                            object: object?,
                            version: version.to_owned(),
                        });
                    }
                }
            }
        };
        self.connection.call(&call, get).await
    }

    /// Reads it.
    pub(super) async fn read(&self) -> Result<Read, SwitchError> {
        let InVersion { object, version } = self.get().await?;
        let annotations = object.metadata.annotations.unwrap_or_default();
        let status = &object.data["status"];
        Ok(Read {
            api_version: version,
            version: object.metadata.resource_version,
            annotation: annotations.get(ANNOTATION).cloned(),
            configuration: object.data["spec"]["configuration"].clone(),
            generation: object.metadata.generation,
            observed: status["observedGeneration"].as_i64(),
            phase: status["phase"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// Writes it once, if it is still as it was read: a try of its own for each reading tells a
    /// conflict with others from one with itself.
    pub(super) async fn write(&self, read: &Read, write: &Write) -> Result<Written, SwitchError> {
        let mut patch = match write {
            Write::Configuration(patch) => json!({ "spec": { "configuration": patch } }),
            Write::Annotation(text) => {
                json!({ "metadata": { "annotations": { ANNOTATION: text } } })
            }
        };
        patch["metadata"]["resourceVersion"] = json!(read.version);
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let call = format!("patch {}", self.what);
        let merge = Patch::Merge(&patch);
        let api = self.api(&read.api_version);
        let patched = api.patch(&self.name, &params, &merge);
        let once = self.connection.once(&call, patched);
        match self.connection.change(&call, once).await {
            Ok(_) => Ok(Written::Done),
            Err(CallError::Answer { code: 409, .. }) => Ok(Written::Conflict),
            Err(error) if error.may_pass() => Ok(Written::Unknown(error)),
            Err(error) => Err(SwitchError::of_write(&self.what, error)),
        }
    }

    /// The error of an annotation that is no patch.
    pub(super) fn no_patch(&self, fault: NotAPatch) -> SwitchError {
        SwitchError::NoPatch {
            object: self.what.clone(),
            fault,
        }
    }

    /// Who else has lately written what turns the profiler on.
    pub(super) async fn other_writers(&self) -> Result<Vec<String>, SwitchError> {
        let InVersion { object, .. } = self.get().await?;
        let mut entries = object.metadata.managed_fields.unwrap_or_default();
        entries.retain(|entry| {
            let fields = serde_json::to_string(&entry.fields_v1).unwrap_or_default();
            let ours = entry.manager.as_deref() == Some(MANAGER);
            !ours && (fields.contains("f:developerConfiguration") || fields.contains(ANNOTATION))
        });
        entries.sort_by_key(|entry| entry.time.clone());
        let named = entries.into_iter().rev().map(|entry| {
            let manager = entry.manager.unwrap_or_default();
            match entry.time {
                Some(time) => format!("{manager} (last at {})", time.0),
                None => manager,
            }
        });
        Ok(named.collect())
    }
}

fn preferred_first(group: APIGroup) -> Vec<String> {
    let preferred = group.preferred_version.map(|version| version.version);
    let all = group.versions.into_iter().map(|version| version.version);
    let mut versions: Vec<_> = all.collect();
    versions.sort_by_key(|version| Some(version) != preferred.as_ref());
    versions
}

/// Whether another version may do: this one is not served, or what converts to it fails.
fn is_of_version(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status)
        if status.code == 404 || (status.code == 500 && status.message.contains("conversion")))
}
