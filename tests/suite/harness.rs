//! Runs the binary in a directory of its own and reads what it left.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster_profiler_job::manifest::{Manifest, Pod, Sha256};
use flate2::read::MultiGzDecoder;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use sha2::Digest;
use standin::Standin;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tracing::subscriber::DefaultGuard;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_cluster-profiler-job");

/// A run's id, wherever a test does not care for it.
pub(crate) const RUN_ID: &str = "test-run";

/// Whoever waits so long waits for what never comes.
const HANGS: Duration = Duration::from_secs(300);

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let so = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = timeout(HANGS, so).await;
    waited.unwrap_or_else(|_| panic!("it never comes: {what}"));
}

/// A place to run in, and the environment to run with.
pub(crate) struct Place {
    dir: TempDir,
    environment: BTreeMap<String, String>,
}

/// A program of the test tree, where cargo puts it: beside the directory of the binary's own tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let program = Path::new(BINARY).with_file_name("examples").join(name);
    assert!(
        program.is_file(),
        "cargo build --example {name} makes {}",
        program.display()
    );
    program
}

/// A run that is over.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) log: String,
    pub(crate) termination: serde_json::Value,
}

impl Place {
    /// A place with nothing set but where everything is.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut place = Self {
            dir,
            environment: BTreeMap::new(),
        };
        std::fs::create_dir(place.path("tmp")).expect("a directory");
        place.set("TMPDIR", place.path("tmp").display());
        place.set(
            "PROFILER_TERMINATION_LOG",
            place.path("termination").display(),
        );
        place
    }

    /// A place for a short run against a stand-in.
    pub(crate) fn new(standin: &Standin) -> Self {
        let mut place = Self::empty();
        let kubeconfig = place.path("kubeconfig");
        standin.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
        place.set("KUBECONFIG", kubeconfig.display());
        place.set(
            "PROFILER_DESTINATION",
            format!("file://{}", place.out().display()),
        );
        place.set("PROFILER_RUN_ID", RUN_ID);
        place.set("PROFILER_SETTLE", "50ms");
        place.set("PROFILER_PREFLIGHT_RETRY", "0s");
        place.set("PROFILER_STOP_WAIT", "20s");
        // Tests of the page ask for it: it is one more file, and one more request.
        place.set("PROFILER_REPORT", "false");
        place
    }

    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.environment.insert(name.to_owned(), value.to_string());
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.path("out")
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.out().join(format!("profile-{RUN_ID}.tar.gz"))
    }

    pub(crate) fn spawn(&self) -> Child {
        self.spawn_with(&[])
    }

    /// Another process with the same environment, as `kubectl exec` starts one.
    pub(crate) fn spawn_with(&self, arguments: &[&str]) -> Child {
        self.spawn_program(Path::new(BINARY), arguments)
    }

    /// Leaves half an archive of a run in the directory of its destination, as an attempt does that is killed.
    pub(crate) fn leave_unfinished(&self, run: &str) -> PathBuf {
        std::fs::create_dir_all(self.out()).expect("a directory");
        let name = format!(".cluster-profiler-job.profile-{run}.tar.gz.0a1b2c3d.partial");
        let path = self.out().join(name);
        std::fs::write(&path, "half an archive").expect("a file");
        path
    }

    /// The run with a Lease that dies in seconds once it is killed.
    pub(crate) fn spawn_short_lease(&self) -> Child {
        self.spawn_program(&example("short-lease"), &[])
    }

    /// The run into a bucket that takes few parts, and shows an object at once or not at all.
    pub(crate) fn spawn_small_bucket(&self) -> Child {
        self.spawn_program(&example("short-lease"), &["small-bucket"])
    }

    /// The run into a bucket that is asked again soon where it does not answer.
    pub(crate) fn spawn_hasty_bucket(&self) -> Child {
        self.spawn_program(&example("short-lease"), &["hasty-bucket"])
    }

    fn spawn_program(&self, program: &Path, arguments: &[&str]) -> Child {
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts")
    }

    /// Runs to the end.
    pub(crate) async fn run(&self) -> Ended {
        self.ended(self.spawn()).await
    }

    /// Runs with arguments to the end.
    pub(crate) async fn run_with(&self, arguments: &[&str]) -> Ended {
        self.ended(self.spawn_with(arguments)).await
    }

    /// The environment as the library takes it.
    pub(crate) fn variables(&self) -> Vec<(OsString, OsString)> {
        let owned = self.environment.iter();
        owned
            .map(|(k, v)| (OsString::from(k), OsString::from(v)))
            .collect()
    }

    /// A file by which the run tells where it is, at its default path.
    pub(crate) fn signal(&self, name: &str) -> PathBuf {
        self.path("tmp/cluster-profiler-job").join(name)
    }

    /// Waits until a run says that profiling is on, and so knows whom it has started.
    pub(crate) async fn until_ready(&self) {
        until("the ready file", || self.signal("ready").exists()).await;
    }

    /// Waits for a run's end.
    pub(crate) async fn ended(&self, child: Child) -> Ended {
        let Output {
            status,
            stdout,
            stderr,
        } = timeout(HANGS, child.wait_with_output())
            .await
            .expect("the run ends")
            .expect("the binary's output");
        let log = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
        let termination = std::fs::read(self.path("termination")).unwrap_or_default();
        Ended {
            code: status.code().unwrap_or(-1),
            log: log.into_owned(),
            termination: serde_json::from_slice(&termination).unwrap_or_default(),
        }
    }

    /// The manifest, if there is one.
    pub(crate) fn manifest(&self) -> Option<Manifest> {
        let json = std::fs::read(self.out().join(format!("profile-{RUN_ID}.json"))).ok()?;
        Some(serde_json::from_slice(&json).expect("a manifest of the documented form"))
    }

    /// The archive and its manifest, held against each other: every file is there, with the bytes
    /// and the SHA-256 that the manifest says, and no other file.
    pub(crate) fn shipped(&self) -> Shipped {
        let archive = std::fs::read(self.archive()).expect("an archive");
        Shipped::held_against(self.manifest().expect("a manifest"), &archive)
    }

    /// What is left under temporary names.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let hidden = |path: &PathBuf| file_name(path).starts_with('.');
        listing(&self.out()).into_iter().filter(hidden).collect()
    }
}

/// A run's archive, checked against its manifest.
pub(crate) struct Shipped {
    pub(crate) manifest: Manifest,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Shipped {
    /// Every file of the archive is there as the manifest says, and no other file.
    pub(crate) fn held_against(manifest: Manifest, archive: &[u8]) -> Self {
        assert_eq!(archive.len() as u64, manifest.archive.bytes);
        assert_eq!(digest(archive), manifest.archive.sha256);
        let files = entries(archive);
        let of_pods = manifest.pods.iter();
        let listed = of_pods.flat_map(|pod| pod.files.iter().chain(&pod.snapshots));
        let listed: Vec<_> = listed.chain([&manifest.cluster_file]).collect();
        assert_eq!(files.len(), listed.len());
        for file in listed {
            let content = &files[&file.path];
            assert_eq!(content.len() as u64, file.bytes, "{}", file.path);
            assert_eq!(digest(content), file.sha256, "{}", file.path);
        }
        Self { manifest, files }
    }

    pub(crate) fn pod(&self, name: &str) -> &Pod {
        let mut pods = self.manifest.pods.iter();
        pods.find(|pod| pod.pod.name == name)
            .expect("an expected pod of this name")
    }
}

pub(crate) fn listing(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

pub(crate) fn digest(content: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(content).into())
}

/// An archive's files by path. Directories and links are no part of the format.
pub(crate) fn entries(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut tar = tar::Archive::new(MultiGzDecoder::new(archive));
    let mut files = BTreeMap::new();
    for entry in tar.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        assert!(entry.header().entry_type().is_file());
        assert!(entry.header().as_ustar().is_some());
        let path = entry.path().expect("a path").display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        assert!(
            files.insert(path, content).is_none(),
            "a path is there twice"
        );
    }
    files
}

/// What is logged by everything that runs in one thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The log of this thread alone, until the guard is dropped: other tests of this process log, too.
    pub(crate) fn of_this_thread() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt().json().flatten_event(true);
        let lines = lines.with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(lines))
    }

    /// Its lines until now.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        let written = self.0.lock().expect("no panic here").clone();
        let lines = String::from_utf8(written).expect("text");
        let lines = lines.lines().map(serde_json::from_str);
        lines.map(|line| line.expect("JSON")).collect()
    }

    /// Whether a line has this in its message.
    pub(crate) fn has(&self, text: &str) -> bool {
        let has = |line: &serde_json::Value| line["message"].as_str().unwrap_or("").contains(text);
        self.lines().iter().any(has)
    }

    /// Waits for a line with this in its message.
    pub(crate) async fn until(&self, text: &str) {
        until(text, || self.has(text)).await;
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic here").write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A stand-in of eight pods, two of each component.
pub(crate) async fn standin() -> Standin {
    Standin::start(standin::Options::default())
        .await
        .expect("a stand-in")
}

/// A cluster of four pods, with so much noise in their profiles, whose profiler is off.
pub(crate) async fn cluster(cpu_padding: usize) -> Standin {
    let options = standin::Options {
        gate: false,
        pods: 4,
        cpu_padding,
        ..standin::Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

/// Sends a signal to a run.
pub(crate) fn send(child: &Child, signal: Signal) {
    let pid = child
        .id()
        .and_then(|pid| Pid::from_raw(pid as i32))
        .expect("a running process");
    kill_process(pid, signal).expect("the signal is sent");
}

/// Limits the memory that a run may write to, in bytes: with more it ends by a signal.
pub(crate) fn limit_memory(child: &Child, bytes: u64) {
    let pid = child.id().and_then(|pid| Pid::from_raw(pid as i32));
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    prlimit(pid, Resource::Data, limit).expect("the limit is set");
}
