//! A container's end, and what it had used.

use cluster_profiler_job::manifest::Manifest;

use crate::usage::Usage;

/// How one ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) log: String,
    /// The last words, if it had any.
    pub(crate) termination: serde_json::Value,
    pub(crate) usage: Usage,
}

impl Ended {
    /// It ended so.
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.log);
        self
    }

    /// Prints what the run cost; every pod was dumped by this engine.
    pub(crate) fn tell(&self, manifest: &Manifest, engine: &str) {
        for pod in &manifest.pods {
            assert_eq!(pod.engine.as_deref(), Some(engine), "{}", self.log);
        }
        let mebibytes = |bytes: u64| bytes >> 20;
        println!(
            "  {} pods, archive {} MiB; at most {} MiB in memory (the runner {}), {} in /tmp",
            manifest.pods.len(),
            mebibytes(manifest.archive.bytes),
            mebibytes(self.usage.memory),
            mebibytes(manifest.peak_memory_bytes.unwrap_or(0)),
            mebibytes(self.usage.scratch),
        );
    }
}
