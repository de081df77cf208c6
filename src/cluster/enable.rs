//! How to turn the profiler on, for the KubeVirt that is installed.

use std::collections::HashMap;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde_json::json;

use super::call::{CallError, Connection};
use super::install::Install;

/// The schema of KubeVirt objects, which every account may read.
const SCHEMA: &str = "/openapi/v3/apis/kubevirt.io/v1";

/// KubeVirt's is about 2 MB.
const SCHEMA_LIMIT: usize = 64 << 20;

/// A run that has something to say must not wait for it.
const SCHEMA_TIME: Duration = Duration::from_secs(10);

/// The command that turns the profiler on for this installation. Where its schema cannot be read,
/// that is said, with the command for KubeVirt 1.8 and later.
pub async fn command(connection: &Connection, install: &Install) -> String {
    let schema = tokio::time::timeout(SCHEMA_TIME, has_field(connection)).await;
    let schema = schema.map_err(|_| "it did not come".to_owned());
    let (field, doubt) = match schema.and_then(|field| field.map_err(|error| error.to_string())) {
        Ok(field) => (field, String::new()),
        Err(error) => (
            true,
            format!("\n(for KubeVirt 1.8 and later; its schema could not be read: {error})"),
        ),
    };
    let command = if install.hyperconverged {
        hyperconverged(install, field)
    } else {
        kubevirt(install, field)
    };
    command + &doubt
}

/// A merge patch replaces lists whole, so the gates that are set already are repeated.
fn kubevirt(install: &Install, field: bool) -> String {
    let developer = if field {
        json!({ "clusterProfiler": true })
    } else {
        let mut gates = feature_gates(install);
        gates.push(json!("ClusterProfiler"));
        json!({ "featureGates": gates })
    };
    let patch = json!({ "spec": { "configuration": { "developerConfiguration": developer } } });
    format!(
        "kubectl -n {} patch kubevirt {} --type=merge -p '{patch}'",
        install.namespace, install.name
    )
}

/// HyperConverged overwrites the KubeVirt object; its annotation is the only way.
fn hyperconverged(install: &Install, field: bool) -> String {
    let parent = "/spec/configuration/developerConfiguration";
    let operation = if field {
        json!({ "op": "add", "path": format!("{parent}/clusterProfiler"), "value": true })
    } else {
        json!({ "op": "add", "path": format!("{parent}/featureGates/-"), "value": "ClusterProfiler" })
    };
    format!(
        "add the operation {operation} to the JSON array in the annotation \
         kubevirt.kubevirt.io/jsonpatch of the HyperConverged object in {}; if there is none:\n\
         oc -n {} annotate hyperconverged kubevirt-hyperconverged \
         kubevirt.kubevirt.io/jsonpatch='[{operation}]'",
        install.namespace, install.namespace
    )
}

fn feature_gates(install: &Install) -> Vec<serde_json::Value> {
    let gates = &install.configuration["developerConfiguration"]["featureGates"];
    gates.as_array().cloned().unwrap_or_default()
}

/// Whether the installed KubeVirt has `developerConfiguration.clusterProfiler`. Where it has, the
/// field counts and, since 1.8, nothing else does.
async fn has_field(connection: &Connection) -> Result<bool, CallError> {
    let nonsense = |detail: String| CallError::Nonsense {
        call: format!("GET {SCHEMA}"),
        detail,
    };
    let body = connection.get_with_tries(SCHEMA).await?.into_body();
    let body = Limited::new(body, SCHEMA_LIMIT).collect().await;
    let body = body.map_err(|error| nonsense(error.to_string()))?;
    let document: Document =
        serde_json::from_slice(&body.to_bytes()).map_err(|error| nonsense(error.to_string()))?;
    let schemas = document.components.schemas;
    let developer = schemas
        .into_iter()
        .find(|(name, _)| name.ends_with(".KubeVirt"))
        .map(|(_, kubevirt)| kubevirt)
        .and_then(|schema| schema.property("spec"))
        .and_then(|schema| schema.property("configuration"))
        .and_then(|schema| schema.property("developerConfiguration"));
    Ok(developer.is_some_and(|schema| schema.properties.contains_key("clusterProfiler")))
}

#[derive(Deserialize)]
struct Document {
    components: Components,
}

#[derive(Deserialize)]
struct Components {
    schemas: HashMap<String, Schema>,
}

/// As much of a schema as leads to the field; everything else is skipped unread.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Schema {
    properties: HashMap<String, Schema>,
}

impl Schema {
    fn property(mut self, name: &str) -> Option<Self> {
        self.properties.remove(name)
    }
}
