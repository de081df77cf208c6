//! The object that decides KubeVirt's configuration: read, and written only where it is as it was
//! read.

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use super::annotation::{ANNOTATION, NotAPatch};
use super::change::{Owner, SwitchError};
use crate::cluster::call::{CallError, Connection};
use crate::cluster::install::Install;
use crate::cluster::retry::{Backoff, Wait};
use crate::limits::CONFLICTING_WRITES;

/// This program's name in `managedFields`.
const MANAGER: &str = "cluster-profiler-job";

/// One of the two objects in the cluster.
#[derive(Debug, Clone)]
pub(super) struct Object {
    connection: Connection,
    api: Api<DynamicObject>,
    name: String,
    /// Its kind and name, for messages.
    pub(super) what: String,
}

/// The object as it was read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    version: Option<String>,
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

/// The result of a write.
#[derive(Debug)]
pub enum Written {
    /// The change is made.
    Done,
    /// Somebody else wrote first: the change has to be worked out anew.
    Conflict,
    /// No answer came, or one of a fault that may pass: the change may have been made.
    Unknown(CallError),
}

/// The tries of one change, each of which reads the object anew.
#[derive(Debug)]
pub struct WriteTries {
    conflicts_left: usize,
    faults_left: usize,
    backoff: Backoff,
    wait: Wait,
}

impl WriteTries {
    /// The tries of a change that begins.
    pub fn new(connection: &Connection) -> Self {
        Self {
            conflicts_left: CONFLICTING_WRITES,
            faults_left: connection.limits.tries,
            backoff: Backoff::new(&connection.limits),
            wait: connection.waits.begin(),
        }
    }

    /// Returns when it is time for the next try.
    ///
    /// # Errors
    /// There have been enough: others write the object all the time, or the API server failed.
    pub async fn again(&mut self, written: Written, object: &str) -> Result<(), SwitchError> {
        match written {
            Written::Done => return Ok(()),
            Written::Conflict => {
                self.conflicts_left -= 1;
                if self.conflicts_left == 0 {
                    let object = object.to_owned();
                    return Err(SwitchError::Busy { object });
                }
                let pause = self.backoff.next_pause();
                tracing::info!(object, ?pause, "somebody else wrote it first; trying again");
                self.wait
                    .tell(format_args!("others to leave {object} alone"));
            }
            Written::Unknown(error) => {
                self.faults_left -= 1;
                if self.faults_left == 0 {
                    return Err(error.into());
                }
                self.wait
                    .tell(format_args!("{object} to be written: {error}"));
            }
        }
        self.backoff.pause().await;
        Ok(())
    }
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
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
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
    pub(super) async fn read(&self) -> Result<Read, SwitchError> {
        let object = self.get().await?;
        let annotations = object.metadata.annotations.unwrap_or_default();
        let status = &object.data["status"];
        Ok(Read {
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
        let patched = self.api.patch(&self.name, &params, &merge);
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
