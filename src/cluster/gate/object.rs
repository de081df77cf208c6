//! The object whose word KubeVirt's configuration is: read, and written where it is as it was read.

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use super::change::{ANNOTATION, Owner};
use super::fault::GateError;
use super::splice::NoPatch;
use super::tries::Written;
use crate::cluster::call::{CallError, Connection};
use crate::cluster::install::Install;

/// Who this program is in `managedFields`.
const MANAGER: &str = "cluster-profiler-job";

/// One of the two objects.
#[derive(Debug, Clone)]
pub(super) struct Object {
    connection: Connection,
    api: Api<DynamicObject>,
    name: String,
    /// Its kind and its name, for messages.
    pub(super) what: String,
}

/// What it was when it was read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    version: Option<String>,
    /// HyperConverged's annotation.
    pub(super) annotation: Option<String>,
    /// `spec.configuration` of a KubeVirt object.
    pub(super) configuration: Value,
    /// Whether the operator has acted on it, and is at rest.
    pub(super) settled: bool,
}

/// What is written of it.
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
        let (group, version, kind, plural, name) = match owner {
            Owner::KubeVirt => ("kubevirt.io", "v1", "KubeVirt", "kubevirts", &*install.name),
            Owner::HyperConverged => (
                "hco.kubevirt.io",
                "v1beta1",
                "HyperConverged",
                "hyperconvergeds",
                hyperconverged,
            ),
        };
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let client = connection.client.clone();
        Self {
            api: Api::namespaced_with(client, &install.namespace, &resource),
            connection: connection.clone(),
            what: owner.object(install),
            name: name.to_owned(),
        }
    }

    async fn get(&self) -> Result<DynamicObject, CallError> {
        let call = format!("get {}", self.what);
        let get = || self.api.get(&self.name);
        self.connection.call(&call, get).await
    }

    /// Reads it.
    pub(super) async fn read(&self) -> Result<Read, GateError> {
        let object = self.get().await?;
        let annotations = object.metadata.annotations.unwrap_or_default();
        let status = &object.data["status"];
        let observed = status["observedGeneration"].as_i64();
        Ok(Read {
            version: object.metadata.resource_version,
            annotation: annotations.get(ANNOTATION).cloned(),
            configuration: object.data["spec"]["configuration"].clone(),
            settled: observed == object.metadata.generation && status["phase"] == "Deployed",
        })
    }

    /// Writes it once, if it is still as it was read: a try of its own for each reading tells a
    /// conflict with others from one with itself.
    pub(super) async fn write(&self, read: &Read, write: &Write) -> Result<Written, GateError> {
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
        let (call, patch) = (format!("patch {}", self.what), Patch::Merge(&patch));
        let write = self.api.patch(&self.name, &params, &patch);
        match self.connection.once(&call, write).await {
            Ok(_) => Ok(Written::Done),
            Err(CallError::Answer { code: 409, .. }) => Ok(Written::Conflict),
            Err(error) if error.may_pass() => Ok(Written::Unknown(error)),
            Err(error) => Err(GateError::of_write(&self.what, error)),
        }
    }

    /// Its annotation is no patch.
    pub(super) fn no_patch(&self, fault: NoPatch) -> GateError {
        GateError::NoPatch {
            object: self.what.clone(),
            fault,
        }
    }

    /// Who else has lately written what turns the profiler on.
    pub(super) async fn rivals(&self) -> Result<Vec<String>, GateError> {
        let object = self.get().await?;
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
