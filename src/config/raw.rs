//! The edge: the environment's strings, sorted by name, nothing interpreted yet.

use std::collections::BTreeSet;
use std::ffi::OsString;

use serde::Deserialize;

use super::service_link::is_service_link;
use super::variable::{PREFIX, VARIABLES};

/// Our variables as they were set. Empty means unset.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Raw {
    pub(super) destination: Option<String>,
    pub(super) components: Option<String>,
    pub(super) settle: Option<String>,
    pub(super) stop_file: Option<String>,
    pub(super) ready_file: Option<String>,
    pub(super) done_file: Option<String>,
    pub(super) max_window: Option<String>,
    pub(super) engine: Option<String>,
    pub(super) program: Option<String>,
    pub(super) page_size: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) run_id: Option<String>,
    pub(super) originals: Option<String>,
    pub(super) concurrency: Option<String>,
    pub(super) min_complete: Option<String>,
    pub(super) feature_gate: Option<String>,
    pub(super) lock_wait: Option<String>,
    pub(super) preflight_retry: Option<String>,
    pub(super) stop_wait: Option<String>,
    pub(super) start_tries: Option<String>,
    pub(super) grace: Option<String>,
    pub(super) deadline: Option<String>,
    pub(super) fallback: Option<String>,
    pub(super) keep: Option<String>,
    pub(super) keep_for: Option<String>,
    pub(super) dry_run: Option<String>,
    pub(super) results_dir: Option<String>,
    pub(super) labels: Option<String>,
    pub(super) termination_log: Option<String>,
    pub(super) log: Option<String>,
    pub(super) s3_path_style: Option<String>,
    pub(super) s3_encryption: Option<String>,
    pub(super) s3_kms_key_id: Option<String>,
    pub(super) s3_storage_class: Option<String>,
    pub(super) s3_tags: Option<String>,
}

/// Reads our variables; what is wrong with their names or encoding comes beside them.
pub(super) fn read(environment: &[(OsString, OsString)]) -> (Raw, Vec<String>) {
    let known: BTreeSet<_> = VARIABLES.iter().map(|variable| variable.name).collect();
    let mut ours = Vec::new();
    let mut faults = Vec::new();
    for (key, value) in environment {
        let Some(name) = key.to_str().and_then(|key| key.strip_prefix(PREFIX)) else {
            continue;
        };
        match value.to_str().map(str::trim) {
            Some(value) if is_service_link(name, value) => {}
            _ if !known.contains(name) => faults.push(unknown(name, &known)),
            None => faults.push(format!("{PREFIX}{name} is not valid UTF-8")),
            Some("") => {}
            Some(value) => ours.push((format!("{PREFIX}{name}"), value.to_owned())),
        }
    }
    match envy::prefixed(PREFIX).from_iter(ours) {
        Ok(raw) => (raw, faults),
        Err(error) => {
            faults.push(error.to_string());
            (Raw::default(), faults)
        }
    }
}

/// An unknown name is most often a typo. Its value is not repeated: nobody knows what it holds.
fn unknown(name: &str, known: &BTreeSet<&str>) -> String {
    let known: Vec<_> = known.iter().copied().collect();
    format!(
        "{PREFIX}{name} is no variable of this program; there are {PREFIX}{{{}}}",
        known.join(",")
    )
}
