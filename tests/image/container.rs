//! A container that runs.

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::ended::Ended;
use crate::process::{command, output, said};
use crate::usage::Watch;

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(240);

/// How one is to be started.
pub(crate) struct Plan {
    /// Arguments of `podman run`.
    pub(crate) arguments: Vec<String>,
    pub(crate) image: String,
    /// In place of the image's, as podman takes it.
    pub(crate) entrypoint: Option<String>,
    /// What is behind the entrypoint.
    pub(crate) words: Vec<String>,
    pub(crate) termination_log: PathBuf,
    /// Where its /tmp is.
    pub(crate) scratch: PathBuf,
    /// What may be there, in bytes.
    pub(crate) scratch_limit: Option<u64>,
    /// The seconds that it has after it was told to stop.
    pub(crate) grace: i64,
}

/// One that was started; it is removed with this value.
pub(crate) struct Running {
    id: String,
    plan: Plan,
    usage: Watch,
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
    /// Starts one.
    pub(crate) fn start(plan: Plan) -> Self {
        let mut run = podman(&["run", "--detach", "--pull=never", "--network=host"]);
        // Nothing of this machine but what the manifest asks for; no more files and processes than this
        // machine may have.
        run.args(["--http-proxy=false", "--passwd=false"])
            .args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"])
            .args(&plan.arguments);
        if let Some(entrypoint) = &plan.entrypoint {
            run.arg(format!("--entrypoint={entrypoint}"));
        }
        let id = said(run.arg(&plan.image).args(&plan.words));
        let id = id.trim().to_owned();
        let cgroup = inspect(&id, "{{.State.CgroupPath}}");
        let usage = Watch::begin(cgroup, plan.scratch.clone());
        Self { id, plan, usage }
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
            &format!("--time={}", self.plan.grace),
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
        let (usage, limit) = (self.usage.most(), self.plan.scratch_limit);
        let fits = limit.is_none_or(|limit| usage.scratch <= limit);
        assert!(fits, "{} bytes in /tmp, {limit:?} allowed", usage.scratch);
        let code = inspect(&self.id, "{{.State.ExitCode}}");
        let words = std::fs::read(&self.plan.termination_log).unwrap_or_default();
        Ended {
            code: code.parse().expect("an exit code"),
            log: self.log(),
            termination: serde_json::from_slice(&words).unwrap_or_default(),
            usage,
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

impl Drop for Running {
    fn drop(&mut self) {
        output(&mut podman(&["rm", "--force", "--time=0", &self.id]));
    }
}
