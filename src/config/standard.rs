//! Variables that are not ours and mean what they mean everywhere.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The ones that a run heeds.
pub(super) struct Standard {
    /// Where temporary files go.
    pub(super) tmpdir: PathBuf,
    /// The files of KUBECONFIG, if it is set.
    pub(super) kubeconfig: Vec<PathBuf>,
}

impl Standard {
    pub(super) fn read(environment: &[(OsString, OsString)]) -> Self {
        let get = |name: &str| {
            let set = environment.iter().find(|(key, _)| key == name);
            set.map(|(_, value)| value)
                .filter(|value| !value.is_empty())
        };
        Self {
            tmpdir: get("TMPDIR").map_or_else(|| Path::new("/tmp").to_owned(), PathBuf::from),
            kubeconfig: get("KUBECONFIG")
                .map(|paths| std::env::split_paths(paths).collect())
                .unwrap_or_default(),
        }
    }
}
