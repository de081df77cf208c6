//! The runs at a destination: which are there, and what is there of one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::{DestinationError, NEWER};
use super::summary::Summary;
use crate::config::{RunFile, RunId};

/// Another run's id is cut after so many characters.
const LONGEST_OTHER: usize = 100;

/// What a destination has of a run.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Absent,
    /// The account may not read it, so nobody can tell.
    Unknown,
    /// An archive without a manifest, of so many bytes.
    Unfinished(u64),
    /// A manifest that cannot be understood, or that does not match the archive. It is not to be
    /// overwritten.
    Invalid(DestinationError),
    /// A manifest with another run's id. It is not to be overwritten.
    Mismatched(DestinationError),
    /// A manifest and the archive that it describes.
    Complete(Box<Summary>),
}

impl Found {
    /// Whether it has the run's name, is not the run, and is not to be overwritten.
    pub fn is_in_the_way(&self) -> bool {
        matches!(self, Self::Invalid(_) | Self::Mismatched(_))
    }

    /// The same for a cluster with this identity: another cluster's run is none of this one's.
    #[must_use]
    pub fn of_cluster(self, own: Option<&str>) -> Self {
        let Self::Complete(manifest) = self else {
            return self;
        };
        let own = own.filter(|own| manifest.kubevirt.uid.as_ref().is_some_and(|uid| uid != own));
        if own.is_none() {
            return Self::Complete(manifest);
        }
        let uid = manifest.kubevirt.uid.unwrap_or_default();
        let detail = format!(
            "it is of another cluster, whose KubeVirt has the UID {uid}; give each cluster a prefix of its own"
        );
        Self::Mismatched(invalid(&manifest.archive.uri, &detail))
    }
}

/// A run in the list of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub run_id: RunId,
    /// When its manifest was written; `None` for a run that is unfinished.
    pub finished: Option<Timestamp>,
    /// When somebody accepted its level as the new normal; `None` if nobody did.
    pub accepted: Option<Timestamp>,
}

/// The runs that files belong to, in the order of their ids. A file comes as its name and the time of its
/// last change; names that this program does not give are left out.
pub(super) fn from_files(files: impl IntoIterator<Item = (String, Timestamp)>) -> Vec<Listed> {
    let mut runs: BTreeMap<String, Listed> = BTreeMap::new();
    for (name, modified) in files {
        let Some((run_id, file)) = RunId::from_file_name(&name) else {
            continue;
        };
        let run = runs.entry(run_id.to_string()).or_insert(Listed {
            run_id,
            finished: None,
            accepted: None,
        });
        match file {
            RunFile::Archive | RunFile::Report | RunFile::Pushed => {}
            RunFile::Accepted => run.accepted = Some(modified),
            RunFile::Manifest => run.finished = Some(modified),
        }
    }
    runs.into_values().collect()
}

/// Checks a run's manifest, which was read at `uri`, against the run and the size that its archive should
/// have.
pub(super) fn check_manifest(
    uri: &str,
    run: &RunId,
    read: Result<Summary, String>,
    archive_has_size: impl FnOnce(u64) -> bool,
) -> Found {
    let manifest = match read {
        Ok(manifest) => manifest,
        Err(why) => return Found::Invalid(invalid(uri, &why)),
    };
    if manifest.run_id != run.as_str() {
        let other: String = manifest.run_id.chars().take(LONGEST_OTHER).collect();
        let detail = format!("it is the manifest of another run, {other}, under this one's name");
        return Found::Mismatched(invalid(uri, &detail));
    }
    if archive_has_size(manifest.archive.bytes) {
        return Found::Complete(Box::new(manifest));
    }
    let detail = "its archive is not there or has another size";
    Found::Invalid(invalid(uri, detail))
}

/// The error of something that has a run's name and is not what it should be. It is not to be overwritten.
pub(super) fn invalid(object: &str, detail: &str) -> DestinationError {
    let remedy = if detail.ends_with(NEWER) {
        ""
    } else {
        "; move it away, or use another PROFILER_RUN_ID"
    };
    DestinationError {
        action: "understand",
        object: object.to_owned(),
        detail: format!("{detail}{remedy}"),
        permanent: true,
    }
}
