//! What a person types to change the gate.

use serde_json::{Value, json};

use super::change::ANNOTATION;
use crate::cluster::install::Install;

/// Patches the KubeVirt object's `spec.configuration`.
pub(super) fn configure(install: &Install, patch: &Value) -> String {
    let Install {
        namespace, name, ..
    } = install;
    let patch = json!({ "spec": { "configuration": patch } });
    let patch = quoted(&patch.to_string());
    format!("kubectl -n {namespace} patch kubevirt {name} --type=merge -p {patch}")
}

/// Sets HyperConverged's annotation.
pub(super) fn annotate(install: &Install, text: &str) -> String {
    let namespace = &install.namespace;
    let name = install.hyperconverged.as_deref().unwrap_or_default();
    let annotation = quoted(&format!("{ANNOTATION}={text}"));
    format!("oc -n {namespace} annotate --overwrite hyperconverged {name} {annotation}")
}

/// A shell's word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
