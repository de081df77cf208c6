//! A run against a rig, in a directory of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cluster_profiler_job::manifest::Manifest;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::setup::{Rig, until};

const BINARY: &str = env!("CARGO_BIN_EXE_cluster-profiler-job");

/// The run's id, wherever a case does not care.
pub(crate) const RUN_ID: &str = "rig";

/// A program of the test tree, where cargo puts it.
fn program(name: &str) -> PathBuf {
    let binary = Path::new(BINARY);
    binary.with_file_name("examples").join(name)
}

/// A place to run in.
pub(crate) struct Place {
    dir: TempDir,
    program: PathBuf,
    environment: BTreeMap<String, String>,
}

/// A run that goes on.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
}

impl Place {
    /// For a short run of one component by the native engine, as the account of deploy/.
    pub(crate) fn new(rig: &Rig) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut place = Self {
            program: BINARY.into(),
            environment: BTreeMap::new(),
            dir,
        };
        std::fs::create_dir(place.path("tmp")).expect("a directory");
        let out = place.path("out");
        for (name, value) in [
            ("KUBECONFIG", rig.account().display().to_string()),
            ("TMPDIR", place.path("tmp").display().to_string()),
            ("PROFILER_DESTINATION", format!("file://{}", out.display())),
            ("PROFILER_RUN_ID", RUN_ID.to_owned()),
            ("PROFILER_NAMESPACE", rig.namespace.clone()),
            ("PROFILER_COMPONENTS", "virt-operator".to_owned()),
            ("PROFILER_SETTLE", "1s".to_owned()),
            ("PROFILER_PREFLIGHT_RETRY", "30s".to_owned()),
            // All pods share this machine's processors, and have five seconds each.
            ("PROFILER_CONCURRENCY", "1".to_owned()),
        ] {
            place.environment.insert(name.to_owned(), value);
        }
        place
    }

    /// One that turns the profiler on and off again.
    pub(crate) fn restoring(rig: &Rig) -> Self {
        Self::new(rig).with("FEATURE_GATE", "enable-and-restore")
    }

    /// The same, with a Lease that dies in seconds.
    pub(crate) fn with_short_lease(mut self) -> Self {
        self.program = program("short-lease");
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.environment
            .insert(format!("PROFILER_{name}"), value.to_string());
        self
    }

    /// The same, as whoever this kubeconfig is of.
    pub(crate) fn with_kubeconfig(mut self, path: &Path) -> Self {
        let path = path.display().to_string();
        self.environment.insert("KUBECONFIG".to_owned(), path);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn spawn(&self) -> Running {
        self.spawn_with(&[])
    }

    fn spawn_with(&self, arguments: &[&str]) -> Running {
        let log = self.path(&format!("log-{:08x}", fastrand::u32(..)));
        let file = File::create(&log).expect("a log");
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().envs(&self.environment);
        command
            .stdin(Stdio::null())
            .stderr(file.try_clone().expect("a file"))
            .stdout(file);
        let child = command.spawn().expect("it starts");
        Running { child, log }
    }

    pub(crate) fn run(&self) -> Ended {
        self.spawn().end()
    }

    pub(crate) fn run_with(&self, arguments: &[&str]) -> Ended {
        self.spawn_with(arguments).end()
    }

    /// Ends the window.
    pub(crate) fn stop_window(&self) {
        let mut stop = Command::new(BINARY);
        stop.arg("stop").env_clear().envs(&self.environment);
        assert!(stop.output().expect("it starts").status.success());
    }

    /// The size of the archive that is being written, under its temporary name.
    pub(crate) fn unfinished_bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.path("out")).into_iter().flatten();
        let hidden = files.flatten().filter(|file| {
            let name = file.file_name();
            name.as_encoded_bytes().starts_with(b".")
        });
        hidden
            .filter_map(|file| Some(file.metadata().ok()?.len()))
            .sum()
    }

    pub(crate) fn manifest(&self) -> Option<Manifest> {
        let id = &self.environment["PROFILER_RUN_ID"];
        let json = std::fs::read(self.path("out").join(format!("profile-{id}.json"))).ok()?;
        Some(serde_json::from_slice(&json).expect("a manifest"))
    }
}

impl Running {
    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has said something.
    pub(crate) fn says(&mut self, what: &str) {
        until(what, || {
            if self.log().contains(what) {
                return true;
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none(),
                "ended before it said {what:?}: {}",
                self.log()
            );
            false
        });
    }

    pub(crate) fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        kill_process(pid.expect("a pid"), signal).expect("it runs");
    }

    pub(crate) fn end(mut self) -> Ended {
        let status = self.child.wait().expect("a child");
        Ended {
            code: status.code(),
            log: self.log(),
        }
    }
}

impl Ended {
    /// It ended so.
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.log);
        self
    }

    /// It said so.
    pub(crate) fn said(self, what: &str) -> Self {
        assert!(self.log.contains(what), "no {what:?} in:\n{}", self.log);
        self
    }
}
