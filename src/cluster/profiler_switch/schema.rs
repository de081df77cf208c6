//! The mechanism of the installed KubeVirt, by the schema that the API server publishes.

use std::collections::HashMap;

use http_body_util::{BodyExt, Limited};
use serde::Deserialize;

use super::mechanism::{FIELD, Mechanism};
use crate::cluster::call::{CallError, Connection};

/// The schema of KubeVirt objects, which every account may read.
const SCHEMA: &str = "/openapi/v3/apis/kubevirt.io/v1";

/// The most bytes that are read of it; KubeVirt's is about 2 MB.
const SCHEMA_LIMIT: usize = 64 << 20;

/// The mechanism that turns the profiler on in the installed KubeVirt. Where its schema has
/// `developerConfiguration.clusterProfiler`, that counts and, since 1.8, nothing else does.
///
/// # Errors
/// The API server failed, or its answer is no schema.
pub async fn installed_mechanism(connection: &Connection) -> Result<Mechanism, CallError> {
    let nonsense = |detail: String| CallError::Nonsense {
        call: format!("GET {SCHEMA}"),
        detail,
    };
    let response = connection.get_with_tries(SCHEMA, &[]).await?;
    let reading = Limited::new(response.into_body(), SCHEMA_LIMIT).collect();
    let body = tokio::time::timeout(connection.limits.call, reading)
        .await
        .map_err(|_| CallError::Transport {
            call: format!("GET {SCHEMA}"),
            detail: "its body did not come".to_owned(),
        })?
        .map_err(|error| nonsense(error.to_string()))?;
    let document: Document =
        serde_json::from_slice(&body.to_bytes()).map_err(|error| nonsense(error.to_string()))?;
    let developer = document
        .components
        .schemas
        .into_iter()
        .find(|(name, _)| name.ends_with(".KubeVirt"))
        .and_then(|(_, kubevirt)| kubevirt.property("spec"))
        .and_then(|spec| spec.property("configuration"))
        .and_then(|configuration| configuration.property("developerConfiguration"));
    let has_field = developer.is_some_and(|schema| schema.properties.contains_key(FIELD));
    Ok(if has_field {
        Mechanism::Field
    } else {
        Mechanism::FeatureGate
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
