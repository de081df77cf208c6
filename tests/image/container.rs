//! A container that runs.

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use cluster_profiler_job::manifest::Manifest;

use crate::memory::Watch;
use crate::process::{command, output, said};

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(240);

/// One that was started; it is removed with this value.
pub(crate) struct Running {
    id: String,
    termination_log: PathBuf,
    grace: i64,
    memory: Watch,
}

/// How one ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) log: String,
    /// The last words, if it had any.
    pub(crate) termination: serde_json::Value,
    /// The most memory that was seen in use, without the page cache.
    pub(crate) memory: u64,
}

fn podman(arguments: &[&str]) -> std::process::Command {
    let mut podman = command("podman", &["--runtime", "runc"]);
    podman.args(arguments);
    podman
}

fn inspect(id: &str, what: &str) -> String {
    let told = said(&mut podman(&["inspect", "--format", what, id]));
    told.trim().to_owned()
}

impl Running {
    /// Starts one with these arguments of `podman run`.
    pub(crate) fn start(
        arguments: &[String],
        image: &str,
        (entrypoint, words): (Option<String>, Vec<String>),
        termination_log: PathBuf,
        grace: i64,
    ) -> Self {
        let mut run = podman(&["run", "--detach", "--pull=never", "--network=host"]);
        // Nothing of this machine but what the manifest asks for; no more files and processes than this
        // machine may have.
        run.args(["--http-proxy=false", "--passwd=false"])
            .args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"])
            .args(arguments);
        if let Some(entrypoint) = entrypoint {
            run.arg(format!("--entrypoint={entrypoint}"));
        }
        let id = said(run.arg(image).args(words)).trim().to_owned();
        let cgroup = inspect(&id, "{{.State.CgroupPath}}");
        Self {
            memory: Watch::begin(&cgroup),
            id,
            termination_log,
            grace,
        }
    }

    /// Another process in it.
    pub(crate) fn exec(&self, words: &[&str]) -> Output {
        output(podman(&["exec", &self.id]).args(words))
    }

    /// The same, which must succeed.
    pub(crate) fn does(&self, words: &[&str]) -> Output {
        let output = self.exec(words);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {error}{}", self.log());
        output
    }

    /// Runs a probe again and again until it succeeds.
    pub(crate) fn until(&self, probe: &[String]) {
        let probe: Vec<_> = probe.iter().map(String::as_str).collect();
        let begin = Instant::now();
        while !self.exec(&probe).status.success() {
            assert!(self.is_running(), "ended before {probe:?}: {}", self.log());
            assert!(begin.elapsed() < PATIENCE, "{probe:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Tells it to stop, and kills it once the manifest's grace period is over.
    pub(crate) fn stop(&self) {
        said(&mut podman(&[
            "stop",
            &format!("--time={}", self.grace),
            &self.id,
        ]));
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Ended {
        let begin = Instant::now();
        while self.is_running() {
            assert!(begin.elapsed() < PATIENCE, "no end: {}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        let code = inspect(&self.id, "{{.State.ExitCode}}");
        let words = std::fs::read(&self.termination_log).unwrap_or_default();
        Ended {
            code: code.parse().expect("an exit code"),
            log: self.log(),
            termination: serde_json::from_slice(&words).unwrap_or_default(),
            memory: self.memory.most(),
        }
    }

    pub(crate) fn log(&self) -> String {
        let output = output(&mut podman(&["logs", &self.id]));
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn is_running(&self) -> bool {
        inspect(&self.id, "{{.State.Running}}") == "true"
    }
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
            "  {} pods, archive {} MiB; in memory {} MiB, of these the runner at most {} MiB",
            manifest.pods.len(),
            mebibytes(manifest.archive.bytes),
            mebibytes(self.memory),
            mebibytes(manifest.peak_memory_bytes.unwrap_or(0)),
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        output(&mut podman(&["rm", "--force", "--time=0", &self.id]));
    }
}
