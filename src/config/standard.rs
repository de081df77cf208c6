//! Variables that are not ours and mean what they mean everywhere.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The ones that a run heeds.
pub(super) struct Standard {
    /// Where temporary files go.
    pub(super) tmpdir: PathBuf,
    /// The files of KUBECONFIG, if it is set.
    pub(super) kubeconfig: Vec<PathBuf>,
    /// RUST_LOG, if it is set.
    pub(super) log_filter: Option<String>,
    /// Where programs are looked for.
    path: Vec<PathBuf>,
}

impl Standard {
    pub(super) fn read(environment: &[(OsString, OsString)]) -> Self {
        let get = |name: &str| {
            let set = environment.iter().find(|(key, _)| key == name);
            set.map(|(_, value)| value)
                .filter(|value| !value.is_empty())
        };
        let paths = |name: &str| {
            let parts = get(name).into_iter().flat_map(std::env::split_paths);
            let set = parts.filter(|path| !path.as_os_str().is_empty());
            set.collect::<Vec<_>>()
        };
        Self {
            tmpdir: get("TMPDIR").map_or_else(|| Path::new("/tmp").to_owned(), PathBuf::from),
            kubeconfig: paths("KUBECONFIG"),
            log_filter: get("RUST_LOG").and_then(|filter| filter.clone().into_string().ok()),
            path: paths("PATH"),
        }
    }

    /// The default path of a file by which a run and a workload tell each other where they are.
    pub(super) fn signal(&self, name: &str) -> PathBuf {
        self.tmpdir.join("cluster-profiler-job").join(name)
    }

    /// A program on PATH.
    pub(super) fn on_path(&self, name: &str) -> Option<PathBuf> {
        self.path
            .iter()
            .map(|directory| directory.join(name))
            .find(|path| path.is_file())
    }
}
