//! A real Pyroscope on loopback.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::suite::Ground;

/// Longer than it needs to come up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server; it ends with this value.
pub(crate) struct Pyroscope {
    _dir: TempDir,
    port: u16,
    process: Child,
}

impl Ground for Pyroscope {
    /// With these flags beside the usual ones.
    fn up(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let ports = free_ports();
        let log = dir.path().join("log");
        let file = File::create(&log).expect("a log");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let [port, grpc, gossip] = ports.map(|port| port.to_string());
        let mut command = Command::new(built("pyroscope"));
        for (flag, value) in [
            ("target", "all"),
            ("server.http-listen-port", &*port),
            ("server.grpc-listen-port", &*grpc),
            ("memberlist.bind-port", &*gossip),
            // It would call home.
            ("usage-stats.enabled", "false"),
            ("self-profiling.disable-push", "true"),
            ("pyroscopedb.data-path", &*path("database")),
            ("storage.backend", "filesystem"),
            ("storage.filesystem.dir", &*path("blocks")),
        ] {
            command.arg(format!("-{flag}={value}"));
        }
        for flag in [
            "server.http-listen-address",
            "server.grpc-listen-address",
            "memberlist.bind-addr",
            "distributor.ring.instance-addr",
            "compactor.ring.instance-addr",
            "store-gateway.sharding-ring.instance-addr",
            "query-scheduler.ring.instance-addr",
            "query-frontend.instance-addr",
            "overrides-exporter.ring.instance-addr",
            "ingester.lifecycler.addr",
        ] {
            command.arg(format!("-{flag}=127.0.0.1"));
        }
        command
            .args(arguments)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stderr(file.try_clone().expect("a file"))
            .stdout(file);
        let process = command.spawn().expect("the server starts");
        let mut server = Self {
            _dir: dir,
            port: ports[0],
            process,
        };
        let begin = Instant::now();
        while server.get("/ready").trim() != "ready" {
            let ended = server.process.try_wait().expect("a child");
            if ended.is_some() || begin.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("it does not come up: {log}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        server
    }

    fn reset(&self) {}

    fn down(self) {}
}

impl Drop for Pyroscope {
    fn drop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ends");
    }
}

impl Pyroscope {
    pub(crate) fn target(&self) -> String {
        format!("pyroscope+http://127.0.0.1:{}", self.port)
    }

    /// The profile types that it has.
    pub(crate) fn types(&self) -> Vec<String> {
        let answer = self.ask("ProfileTypes", json!({}));
        let types = answer["profileTypes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let id = |of: &Value| of["ID"].as_str().expect("an id").to_owned();
        types.iter().map(id).collect()
    }

    /// The sum of all that it has of a type and a component.
    pub(crate) fn total(&self, id: &str, component: &str) -> i64 {
        let selector = format!("{{component=\"{component}\"}}");
        let answer = self.ask(
            "SelectMergeStacktraces",
            json!({ "profileTypeID": id, "labelSelector": selector, "maxNodes": 100_000 }),
        );
        let total = answer["flamegraph"]["total"].as_str().unwrap_or("0");
        total.parse().expect("a number")
    }

    /// How many pushes it was sent.
    pub(crate) fn pushes(&self) -> u64 {
        let metrics = self.get("/metrics");
        let of_push = |line: &&str| {
            line.starts_with("pyroscope_request_duration_seconds_count")
                && line.to_lowercase().contains("pusherservice")
        };
        let counts = metrics.lines().filter(of_push);
        counts
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// Asks about the last hour.
    pub(crate) fn ask(&self, method: &str, mut request: Value) -> Value {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("a time").as_millis() as u64;
        request["start"] = (now - 3_600_000).into();
        request["end"] = (now + 60_000).into();
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--header",
            "content-type: application/json",
            "--data",
        ]);
        curl.arg(request.to_string());
        let answer = said(curl.arg(self.url(&format!("/querier.v1.QuerierService/{method}"))));
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{method}: {answer}"))
    }

    fn get(&self, path: &str) -> String {
        said(Command::new("curl").arg("--silent").arg(self.url(path)))
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().expect("curl");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

/// A program of `helpers/push`.
pub(crate) fn built(name: &str) -> PathBuf {
    let mut build = Command::new(format!("{}/helpers/push/build", env!("CARGO_MANIFEST_DIR")));
    let built = build.arg(name).stderr(Stdio::inherit()).output();
    let built = built.expect("the helper starts");
    assert!(built.status.success(), "it is not built");
    String::from_utf8_lossy(&built.stdout).trim().into()
}
