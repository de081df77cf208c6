//! What turns the profiler on in KubeVirt's configuration, and how that is put back.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The feature gate's name.
const GATE: &str = "ClusterProfiler";

/// The field's.
const FIELD: &str = "clusterProfiler";

/// Where both are, as a JSON pointer into a KubeVirt object. RFC 6901
const DEVELOPER: &str = "/spec/configuration/developerConfiguration";

/// Which of the two counts, by the installed schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// `developerConfiguration.clusterProfiler`, since KubeVirt 1.6.
    Field,
    /// `ClusterProfiler` in `developerConfiguration.featureGates`.
    FeatureGate,
}

/// What was not there when the profiler was turned on, and so goes when it is turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lacking {
    /// All was.
    Nothing,
    /// The list of feature gates.
    FeatureGates,
    /// `developerConfiguration`.
    Developer,
    /// `configuration`.
    Configuration,
}

impl Lacking {
    /// What `spec.configuration` lacks.
    pub fn of(configuration: &Value) -> Self {
        let developer = &configuration["developerConfiguration"];
        if !configuration.is_object() {
            Self::Configuration
        } else if !developer.is_object() {
            Self::Developer
        } else if !developer["featureGates"].is_array() {
            Self::FeatureGates
        } else {
            Self::Nothing
        }
    }
}

impl Switch {
    /// Whether `spec.configuration` has the profiler on. Where there is a field, KubeVirt 1.7 takes
    /// the gate as well; but what it takes is asked of itself, so only the field counts here.
    pub fn is_on(self, configuration: &Value) -> bool {
        let developer = &configuration["developerConfiguration"];
        match self {
            Self::Field => developer[FIELD] == json!(true),
            Self::FeatureGate => gates(developer).contains(&json!(GATE)),
        }
    }

    /// The one operation of a JSON patch that turns it on where so much is lacking. RFC 6902
    pub fn operation(self, lacking: Lacking) -> Value {
        let (leaf, value) = match (self, lacking) {
            (Self::Field, _) => (FIELD, json!(true)),
            (Self::FeatureGate, Lacking::Nothing) => ("featureGates/-", json!(GATE)),
            (Self::FeatureGate, _) => ("featureGates", json!([GATE])),
        };
        let (path, value) = match lacking {
            Lacking::Nothing | Lacking::FeatureGates => (format!("{DEVELOPER}/{leaf}"), value),
            Lacking::Developer => (DEVELOPER.to_owned(), json!({ leaf: value })),
            Lacking::Configuration => {
                let developer = json!({ "developerConfiguration": { leaf: value } });
                ("/spec/configuration".to_owned(), developer)
            }
        };
        json!({ "op": "add", "path": path, "value": value })
    }

    /// The merge patch of `spec.configuration` that turns it on. RFC 7386 replaces lists whole, so
    /// the gates that are set already are repeated.
    pub fn turn_on(self, configuration: &Value) -> Value {
        let developer = match self {
            Self::Field => json!({ FIELD: true }),
            Self::FeatureGate => {
                let mut gates = gates(&configuration["developerConfiguration"]);
                gates.push(json!(GATE));
                json!({ "featureGates": gates })
            }
        };
        json!({ "developerConfiguration": developer })
    }

    /// The merge patch of `spec.configuration` that puts back what was before, as it is now; `None`
    /// where somebody has done so already.
    pub fn turn_off(
        self,
        configuration: &Value,
        (lacking, was): (Lacking, Option<bool>),
    ) -> Option<Value> {
        let developer = &configuration["developerConfiguration"];
        let (key, value) = match self {
            Self::Field => (developer[FIELD] == json!(true)).then(|| (FIELD, json!(was)))?,
            Self::FeatureGate => {
                let mut gates = gates(developer);
                let ours = gates.iter().rposition(|gate| *gate == json!(GATE))?;
                gates.remove(ours);
                let none = gates.is_empty() && lacking >= Lacking::FeatureGates;
                let left = if none {
                    Value::Null
                } else {
                    Value::Array(gates)
                };
                ("featureGates", left)
            }
        };
        let gone = value.is_null();
        let alone = |object: &Value, key: &str| {
            let only = |object: &Map<String, Value>| object.keys().all(|other| other == key);
            object.as_object().is_some_and(only)
        };
        let developer = match gone && lacking >= Lacking::Developer && alone(developer, key) {
            true => Value::Null,
            false => json!({ key: value }),
        };
        let alone = developer.is_null() && alone(configuration, "developerConfiguration");
        Some(match alone && lacking == Lacking::Configuration {
            true => Value::Null,
            false => json!({ "developerConfiguration": developer }),
        })
    }

    /// What the field says now.
    pub fn field(configuration: &Value) -> Option<bool> {
        configuration["developerConfiguration"][FIELD].as_bool()
    }
}

fn gates(developer: &Value) -> Vec<Value> {
    let gates = developer["featureGates"].as_array();
    gates.cloned().unwrap_or_default()
}
