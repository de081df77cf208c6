//! What the installed KubeVirt's own schema says, as the API server publishes it.

use std::collections::HashMap;

use http_body_util::{BodyExt, Limited};
use serde::Deserialize;

use super::call::{CallError, Connection};
use super::gate::Switch;

/// The schema of KubeVirt objects, which every account may read.
const SCHEMA: &str = "/openapi/v3/apis/kubevirt.io/v1";

/// KubeVirt's is about 2 MB.
const SCHEMA_LIMIT: usize = 64 << 20;

/// What turns the profiler on in the installed KubeVirt. Where its schema has
/// `developerConfiguration.clusterProfiler`, that counts and, since 1.8, nothing else does.
///
/// # Errors
/// The schema cannot be had or understood.
pub async fn switch(connection: &Connection) -> Result<Switch, CallError> {
    let nonsense = |detail: String| CallError::Nonsense {
        call: format!("GET {SCHEMA}"),
        detail,
    };
    let body = connection.get_with_tries(SCHEMA).await?.into_body();
    let body = Limited::new(body, SCHEMA_LIMIT).collect();
    let body = tokio::time::timeout(connection.limits.call, body).await;
    let body = body.map_err(|_| CallError::Transport {
        call: format!("GET {SCHEMA}"),
        detail: "its body did not come".to_owned(),
    })?;
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
    let field = |schema: Schema| schema.properties.contains_key("clusterProfiler");
    Ok(match developer.is_some_and(field) {
        true => Switch::Field,
        false => Switch::FeatureGate,
    })
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
