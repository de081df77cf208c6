//! The mechanism that turns the profiler on in KubeVirt's configuration, a field or a feature gate:
//! whether it is on, and the patches that turn it on and off.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The field's name in `developerConfiguration`.
pub(super) const FIELD: &str = "clusterProfiler";

/// The feature gate's name.
const FEATURE_GATE: &str = "ClusterProfiler";

/// The list of feature gates in `developerConfiguration`.
const FEATURE_GATES: &str = "featureGates";

/// What has both, in `spec.configuration`.
const DEVELOPER: &str = "developerConfiguration";

/// `spec.configuration`, as a JSON pointer into a KubeVirt object. RFC 6901
const CONFIGURATION: &str = "/spec/configuration";

/// What turns the profiler on. Which of the two counts is decided by the installed schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// `developerConfiguration.clusterProfiler`, since KubeVirt 1.6.
    Field,
    /// `ClusterProfiler` in `developerConfiguration.featureGates`.
    FeatureGate,
}

/// What was not there when the profiler was turned on, and so is removed when it is turned off. Each
/// includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lacking {
    /// Everything was there.
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
        let developer = &configuration[DEVELOPER];
        if !configuration.is_object() {
            Self::Configuration
        } else if !developer.is_object() {
            Self::Developer
        } else if !developer[FEATURE_GATES].is_array() {
            Self::FeatureGates
        } else {
            Self::Nothing
        }
    }
}

impl Mechanism {
    /// Whether `spec.configuration` has the profiler on. Where there is a field, KubeVirt 1.7 accepts the
    /// feature gate as well; but whether the profiler really is on is asked of virt-api, so only the field
    /// counts here.
    pub fn is_on(self, configuration: &Value) -> bool {
        let developer = &configuration[DEVELOPER];
        match self {
            Self::Field => developer[FIELD] == json!(true),
            Self::FeatureGate => feature_gates(developer).contains(&json!(FEATURE_GATE)),
        }
    }

    /// The one operation of a JSON patch that turns it on where so much is lacking. RFC 6902
    pub fn operation(self, lacking: Lacking) -> Value {
        let (leaf, value) = match (self, lacking) {
            (Self::Field, _) => (FIELD, json!(true)),
            (Self::FeatureGate, Lacking::Nothing) => ("featureGates/-", json!(FEATURE_GATE)),
            (Self::FeatureGate, _) => (FEATURE_GATES, json!([FEATURE_GATE])),
        };
        let developer = format!("{CONFIGURATION}/{DEVELOPER}");
        let (path, added) = match lacking {
            Lacking::Nothing | Lacking::FeatureGates => (format!("{developer}/{leaf}"), value),
            Lacking::Developer => (developer, json!({ leaf: value })),
            Lacking::Configuration => {
                let configuration = json!({ DEVELOPER: { leaf: value } });
                (CONFIGURATION.to_owned(), configuration)
            }
        };
        json!({ "op": "add", "path": path, "value": added })
    }

    /// The merge patch of `spec.configuration` that turns it on. RFC 7386 replaces lists whole, so
    /// the feature gates that are set already are repeated.
    pub fn turn_on(self, configuration: &Value) -> Value {
        let developer = match self {
            Self::Field => json!({ FIELD: true }),
            Self::FeatureGate => {
                let mut gates = feature_gates(&configuration[DEVELOPER]);
                gates.push(json!(FEATURE_GATE));
                json!({ FEATURE_GATES: gates })
            }
        };
        json!({ DEVELOPER: developer })
    }

    /// What the field says in `spec.configuration`, if anything.
    pub fn field(configuration: &Value) -> Option<bool> {
        configuration[DEVELOPER][FIELD].as_bool()
    }

    /// The merge patch of `spec.configuration` that turns it off and leaves the configuration as it
    /// was before it was turned on, with all that others wrote since. `lacking` and `field` are what
    /// it lacked then, and what its field said. `None`: it is off already.
    ///
    /// In a merge patch null removes what it stands for. So what was made for the profiler's sake goes
    /// from the inside out, for as long as nothing else is in it.
    pub fn turn_off(
        self,
        configuration: &Value,
        lacking: Lacking,
        field: Option<bool>,
    ) -> Option<Value> {
        if !self.is_on(configuration) {
            return None;
        }
        let developer = &configuration[DEVELOPER];
        let (key, before) = match self {
            Self::Field => (FIELD, json!(field)),
            Self::FeatureGate => (FEATURE_GATES, without_ours(developer, lacking)),
        };
        let developer_goes =
            before.is_null() && lacking >= Lacking::Developer && has_only(developer, key);
        let configuration_goes = developer_goes
            && lacking == Lacking::Configuration
            && has_only(configuration, DEVELOPER);
        Some(if configuration_goes {
            Value::Null
        } else if developer_goes {
            json!({ DEVELOPER: null })
        } else {
            json!({ DEVELOPER: { key: before } })
        })
    }
}

/// The list of feature gates without the last that is ours; null where it was made for ours alone.
fn without_ours(developer: &Value, lacking: Lacking) -> Value {
    let mut gates = feature_gates(developer);
    if let Some(ours) = gates.iter().rposition(|gate| *gate == json!(FEATURE_GATE)) {
        gates.remove(ours);
    }
    if gates.is_empty() && lacking >= Lacking::FeatureGates {
        Value::Null
    } else {
        Value::Array(gates)
    }
}

/// Whether nothing is in an object but this key.
fn has_only(object: &Value, key: &str) -> bool {
    let only = |object: &Map<String, Value>| object.keys().all(|other| other == key);
    object.as_object().is_some_and(only)
}

fn feature_gates(developer: &Value) -> Vec<Value> {
    let gates = developer[FEATURE_GATES].as_array();
    gates.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration before it was turned on; how it is now; the patch that turns it off.
    fn is_turned_off_by(mechanism: Mechanism, before: &Value, now: &Value, patch: &Value) {
        let (lacking, field) = (Lacking::of(before), Mechanism::field(before));
        assert!(mechanism.is_on(now), "{now}");
        let turned_off = mechanism.turn_off(now, lacking, field);
        assert_eq!(turned_off.as_ref(), Some(patch));
    }

    #[test]
    fn a_field_that_said_false_says_so_again() {
        is_turned_off_by(
            Mechanism::Field,
            &json!({ "developerConfiguration": { "clusterProfiler": false } }),
            &json!({ "developerConfiguration": { "clusterProfiler": true } }),
            &json!({ "developerConfiguration": { "clusterProfiler": false } }),
        );
    }

    #[test]
    fn what_was_made_for_the_profiler_alone_is_removed_whole() {
        is_turned_off_by(
            Mechanism::FeatureGate,
            &json!({ "network": {} }),
            &json!({
                "network": {},
                "developerConfiguration": { "featureGates": ["ClusterProfiler"] },
            }),
            &json!({ "developerConfiguration": null }),
        );
    }

    #[test]
    fn what_others_have_put_into_it_since_stays() {
        is_turned_off_by(
            Mechanism::FeatureGate,
            &json!({ "network": {} }),
            &json!({
                "network": {},
                "developerConfiguration": {
                    "featureGates": ["ClusterProfiler", "Snapshot"],
                    "logVerbosity": { "virtAPI": 4 },
                },
            }),
            &json!({ "developerConfiguration": { "featureGates": ["Snapshot"] } }),
        );
    }
}
