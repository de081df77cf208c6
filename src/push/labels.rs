//! The labels of a pod's profiles, as both servers take them: names of letters, digits and `_`, few of them, no value
//! that is empty or long.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::manifest::{Manifest, Pod};

/// The most labels of a series that Pyroscope takes, as it is configured by default.
const MOST: usize = 30;

/// Labels of a profile beside its pod's: its name, and that it is no running total.
const OF_PROFILE: usize = 2;

/// The most bytes of a value that Pyroscope takes.
const LONGEST_VALUE: usize = 2048;

/// The longest name of a label that is sent; Pyroscope takes four times as much.
const LONGEST_NAME: usize = 256;

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Label {
    pub(super) name: String,
    pub(super) value: String,
}

/// The labels that all profiles of a run have, and those of each pod beside them.
#[derive(Debug)]
pub(super) struct Labels {
    of_run: BTreeMap<String, String>,
    /// The run's own labels that are not sent, and why.
    pub(super) left_out: Vec<String>,
}

impl Labels {
    /// The labels of a run's manifest. Those of PROFILER_LABELS may name the cluster, and nothing else that the run
    /// knows itself.
    pub(super) fn of(manifest: &Manifest) -> Self {
        let kubevirt = &manifest.kubevirt;
        let mut of_run = BTreeMap::from([("namespace".to_owned(), kubevirt.namespace.clone())]);
        of_run.extend(
            kubevirt
                .version
                .iter()
                .map(|version| ("kubevirt_version".to_owned(), version.clone())),
        );
        of_run.extend(
            kubevirt
                .uid
                .iter()
                .map(|uid| ("cluster".to_owned(), uid.clone())),
        );
        let mut labels = Self {
            of_run,
            left_out: Vec::new(),
        };
        for (key, value) in &manifest.labels {
            labels.add(key, value);
        }
        labels
    }

    fn add(&mut self, key: &str, value: &str) {
        const OWN: [&str; 6] = [
            "service_name",
            "component",
            "pod",
            "node",
            "namespace",
            "kubevirt_version",
        ];
        /// Those that [`Labels::of_pod`] adds.
        const OF_POD: usize = 4;
        let name = label_name(key);
        let is_new = name == "cluster" || !self.of_run.contains_key(&name);
        let why = if name.is_empty() || name.starts_with("__") {
            "its name is not for users"
        } else if OWN.contains(&&*name) || !is_new {
            "there is one of this name"
        } else if value.is_empty() {
            "it is empty"
        } else if is_new && self.of_run.len() + OF_POD + OF_PROFILE >= MOST {
            "there are 30 at most"
        } else {
            self.of_run.insert(name, value.to_owned());
            return;
        };
        self.left_out.push(format!("{key}: {why}"));
    }

    /// The labels of a pod's profiles, in the order of their names.
    pub(super) fn of_pod(&self, pod: &Pod) -> Vec<Label> {
        let component = pod.pod.component.name();
        let mut all = self.of_run.clone();
        for (name, value) in [
            ("service_name", component),
            ("component", component),
            ("pod", &*pod.pod.name),
            ("node", &*pod.pod.node),
        ] {
            all.insert(name.to_owned(), value.to_owned());
        }
        let labels = all.into_iter().filter(|(_, value)| !value.is_empty());
        labels
            .map(|(name, value)| Label {
                name,
                value: cut(&value, LONGEST_VALUE),
            })
            .collect()
    }
}

/// A key as the name of a label.
fn label_name(key: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = key.chars().take(LONGEST_NAME).map(allowed).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("_{name}");
    }
    name
}

/// The beginning of a text, of so many bytes at most.
fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}
