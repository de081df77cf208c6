//! A rig: brought up, spoken to, brought down.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::suite::Ground;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The namespace and the name of the account that runs.
pub(crate) const ACCOUNT: &str = "cluster-profiler";

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// A control plane.
pub(crate) struct Rig {
    dir: TempDir,
    /// KubeVirt's install namespace.
    pub(crate) namespace: String,
}

/// A helper's script.
fn script(name: &str) -> Command {
    Command::new(format!("{ROOT}/helpers/{name}"))
}

fn checked(mut command: Command) -> Output {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

/// A write as admin, again where another writer was quicker: HyperConverged's webhook, too, says so of the
/// KubeVirt object.
pub(crate) fn write(command: impl Fn() -> Command) {
    until("a write", || {
        let mut command = command();
        let output = command.stdin(Stdio::null()).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let done = output.status.success();
        assert!(done || said.contains("Conflict"), "{command:?}: {said}");
        done
    });
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Ground for Rig {
    /// With the rights of deploy/.
    fn up(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut up = script("rig/up");
        up.arg(dir.path()).args(arguments).stderr(Stdio::inherit());
        let status = up.stdin(Stdio::null()).status().expect("it starts");
        assert!(
            status.success(),
            "the rig does not come up: {}",
            dir.keep().display()
        );
        let namespace = std::fs::read_to_string(dir.path().join("namespace")).expect("a namespace");
        let rig = Self {
            dir,
            namespace: namespace.trim().to_owned(),
        };
        rig.deploy("rights-with-gate");
        rig
    }

    fn down(self) {
        checked(self.script("rig/down", &[]));
    }

    fn reset(&self) {
        for pid in std::fs::read_dir(self.path("pids"))
            .into_iter()
            .flatten()
            .flatten()
        {
            // What the case has killed is started again.
            let name = pid.file_name().to_string_lossy().into_owned();
            let mut revive = self.signal(&name, "-CONT");
            if !revive.status().expect("kill starts").success() {
                self.process("start", &name);
            }
        }
        self.kubectl(&[
            "-n",
            &self.namespace,
            "delete",
            "lease",
            "cluster-profiler-job",
            "--ignore-not-found",
        ]);
        self.apply(&self.manifests("rights-with-gate"));
        if self.namespace == "kubevirt" {
            self.turn(false);
        }
    }
}

impl Rig {
    /// A file of the rig's.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn script(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = script(name);
        command.arg(self.dir.path()).args(arguments);
        command
    }

    /// A helper's script on this rig, as admin; what it prints.
    pub(crate) fn helper(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = script(name);
        command
            .args(arguments)
            .env("KUBECONFIG", self.path("kubeconfig"))
            .env("KUBECTL", self.path("bin/kubectl"));
        let said = checked(command).stdout;
        String::from_utf8(said).expect("text")
    }

    /// Ends or starts a process: `kill`, `start`.
    pub(crate) fn process(&self, what: &str, name: &str) {
        checked(self.script("rig/process", &[what, name]));
    }

    /// What a kubelet or a Deployment does to a pod: `replace`, `notready`, `ready`.
    pub(crate) fn pod(&self, what: &str, name: &str) {
        checked(self.script("rig/pod", &[what, name]));
    }

    /// Stops a process where it stands, or lets it go on.
    pub(crate) fn freeze(&self, name: &str, frozen: bool) {
        checked(self.signal(name, if frozen { "-STOP" } else { "-CONT" }));
    }

    fn signal(&self, name: &str, signal: &str) -> Command {
        let pid = std::fs::read_to_string(self.path("pids").join(name)).expect("a pid");
        let mut kill = Command::new("kill");
        kill.args([signal, pid.trim()]);
        kill
    }

    fn kubectl_command(&self, kubeconfig: &Path, arguments: &[&str]) -> Command {
        let mut kubectl = Command::new(self.path("bin/kubectl"));
        kubectl.args(arguments).env("KUBECONFIG", kubeconfig);
        kubectl
    }

    /// kubectl as admin; what it prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = checked(self.kubectl_command(&self.path("kubeconfig"), arguments));
        String::from_utf8(output.stdout).expect("text")
    }

    /// kubectl as the account that runs, whatever comes of it: whether it succeeded, what it said.
    pub(crate) fn as_account(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.kubectl_command(&self.account(), arguments).output();
        let output = output.expect("kubectl starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    }

    /// Applies manifests.
    pub(crate) fn apply(&self, manifests: &str) {
        let mut kubectl = self.kubectl_command(&self.path("kubeconfig"), &["apply", "-f", "-"]);
        let mut child = kubectl
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("kubectl");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin
            .write_all(manifests.as_bytes())
            .expect("kubectl reads");
        drop(stdin);
        assert!(child.wait().expect("an end").success(), "apply");
    }

    /// The manifests of an overlay of the tests', for this rig's install namespace.
    pub(crate) fn manifests(&self, overlay: &str) -> String {
        let path = format!("{ROOT}/tests/rig/{overlay}");
        let manifests = self.kubectl(&["kustomize", &path]);
        let here = format!("namespace: {}\n", self.namespace);
        manifests.replace("namespace: kubevirt\n", &here)
    }

    fn deploy(&self, overlay: &str) {
        self.apply(&self.manifests(overlay));
        let token = checked(self.script("rig/token", &[ACCOUNT, ACCOUNT]));
        std::fs::write(self.account(), token.stdout).expect("a kubeconfig");
    }

    /// The kubeconfig of the account that runs.
    pub(crate) fn account(&self) -> PathBuf {
        self.path("account.kubeconfig")
    }

    /// Whether HyperConverged owns the KubeVirt.
    pub(crate) fn is_hyperconverged(&self) -> bool {
        self.path("pids/hco").exists()
    }

    /// Has etcd forget all that was before now, and tells kube-apiserver as its own compaction does, so
    /// that older continue tokens are too old.
    pub(crate) fn compact(&self) {
        let address = std::fs::read_to_string(self.path("address")).expect("an address");
        let etcd = format!("http://{}:2379/v3/kv", address.trim());
        let ask = |what: &str, body: String| {
            let mut curl = Command::new("curl");
            curl.args(["-sS", "--fail", "--data", &body, &format!("{etcd}/{what}")]);
            let answer: Value = serde_json::from_slice(&checked(curl).stdout).expect("JSON");
            answer["header"]["revision"].as_str().map(str::to_owned)
        };
        let revision = ask("range", json!({ "key": "AA==" }).to_string()).expect("a revision");
        ask("compaction", json!({ "revision": revision }).to_string());
        let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let (key, value) = (encoded("compact_rev_key"), encoded(&revision));
        ask("put", json!({ "key": key, "value": value }).to_string());
    }

    /// An object of the install namespace.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        let json = self.kubectl(&["-n", &self.namespace, "get", kind, name, "-o", "json"]);
        serde_json::from_str(&json).expect("JSON")
    }

    /// The KubeVirt object's name.
    pub(crate) fn kubevirt_name(&self) -> String {
        let name = [
            "-n",
            &self.namespace,
            "get",
            "kubevirt",
            "-o",
            "jsonpath={.items[0].metadata.name}",
        ];
        self.kubectl(&name)
    }

    /// The KubeVirt object's specification, as text.
    pub(crate) fn spec(&self) -> String {
        self.get("kubevirt", &self.kubevirt_name())["spec"].to_string()
    }

    /// Patches an object as admin.
    pub(crate) fn patch(&self, kind: &str, name: &str, patch: &Value) {
        let patch = patch.to_string();
        let of = ["-n", &self.namespace, "patch", kind, name];
        let arguments = [&of[..], &["--type=merge", "-p", &patch]].concat();
        write(|| self.kubectl_command(&self.path("kubeconfig"), &arguments));
    }

    /// Turns the profiler on or off, as a person does on plain KubeVirt.
    pub(crate) fn turn(&self, on: bool) {
        self.set_profiler(on);
        until("the profiler's gate", || self.is_on() == Some(on));
    }

    /// The same, but without waiting until virt-api knows.
    pub(crate) fn set_profiler(&self, on: bool) {
        let value = if on { json!(true) } else { Value::Null };
        let developer = json!({ "developerConfiguration": { "clusterProfiler": value } });
        self.patch(
            "kubevirt",
            &self.kubevirt_name(),
            &json!({ "spec": { "configuration": developer } }),
        );
    }

    /// Whether virt-api lets anybody profile: a stop does no harm. `None` if it cannot be asked.
    pub(crate) fn is_on(&self) -> Option<bool> {
        let stop = "/apis/subresources.kubevirt.io/v1/stop-cluster-profiler";
        let output = self
            .kubectl_command(&self.path("kubeconfig"), &["get", "--raw", stop])
            .output()
            .expect("kubectl starts");
        let is_off = String::from_utf8_lossy(&output.stderr).contains("ClusterProfiler");
        match output.status.success() {
            true => Some(true),
            false => is_off.then_some(false),
        }
    }

    /// The Lease, if there is one.
    fn lease(&self) -> Option<Value> {
        let of = [
            "-n",
            &self.namespace,
            "get",
            "lease",
            "cluster-profiler-job",
        ];
        let json = self.kubectl(&[&of[..], &["--ignore-not-found", "-o", "json"]].concat());
        serde_json::from_str(&json).ok()
    }

    /// The record in the Lease, if there is one.
    pub(crate) fn record(&self) -> Option<Value> {
        let lease = self.lease()?;
        let record = lease["metadata"]["annotations"]["cluster-profiler-job/record"].as_str()?;
        serde_json::from_str(record).ok()
    }

    /// The Lease's version, if there is one.
    pub(crate) fn lease_version(&self) -> Option<String> {
        let version = self.lease()?["metadata"]["resourceVersion"].clone();
        version.as_str().map(str::to_owned)
    }
}
