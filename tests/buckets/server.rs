//! An S3 server: brought up on a directory of its own, killed, started again.

use std::cell::RefCell;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{ACCESS_KEY, Client, SECRET_KEY};
use crate::prepared::{built, certified, free_port};
use crate::suite::Ground;

/// Longer than a server needs to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server; it ends with this value.
pub(crate) struct Server {
    name: String,
    program: PathBuf,
    dir: TempDir,
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    /// Who asks it.
    pub(crate) client: Client,
    process: RefCell<Option<Child>>,
}

impl Ground for Server {
    /// By its name.
    fn up(arguments: &[&str]) -> Self {
        let name = arguments.concat();
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("data")).expect("a directory");
        let port = free_port();
        let server = Self {
            program: built(&name),
            client: Client {
                url: format!("https://127.0.0.1:{port}"),
                ca: certified(dir.path()),
            },
            name,
            dir,
            port,
            process: RefCell::default(),
        };
        server.start();
        server
    }

    fn reset(&self) {
        self.kill();
        self.start();
    }

    fn down(self) {}
}

impl Server {
    /// Starts it on what it has, and waits until it answers.
    pub(crate) fn start(&self) {
        let log = self.dir.path().join("log");
        let file = File::options().create(true).append(true).open(&log);
        let file = file.expect("a log");
        let mut command = self.command();
        command
            .stdin(Stdio::null())
            .stderr(file.try_clone().expect("a file"))
            .stdout(file);
        let child = command.spawn().expect("the server starts");
        let mut process = self.process.borrow_mut();
        let child = process.insert(child);
        let begin = Instant::now();
        while !self.client.is_served() {
            let ended = child.try_wait().expect("a child");
            if ended.is_some() || begin.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("{} does not come up: {log}", self.name);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn command(&self) -> Command {
        let path = |name: &str| self.dir.path().join(name);
        let address = format!("127.0.0.1:{}", self.port);
        let mut command = Command::new(&self.program);
        command.env_clear().env("HOME", self.dir.path());
        match self.name.as_str() {
            "minio" => command
                .env("MINIO_ROOT_USER", ACCESS_KEY)
                .env("MINIO_ROOT_PASSWORD", SECRET_KEY)
                // Nothing else is served, and nobody is asked for a newer version.
                .env("MINIO_BROWSER", "off")
                .env("MINIO_UPDATE", "off")
                .args(["server", "--quiet", "--address", &address, "--certs-dir"])
                .arg(path("certificates")),
            "versitygw" => command
                .env("ROOT_ACCESS_KEY", ACCESS_KEY)
                .env("ROOT_SECRET_KEY", SECRET_KEY)
                .args(["--quiet", "--port", &address, "--cert"])
                .arg(path("certificates/public.crt"))
                .arg("--key")
                .arg(path("certificates/private.key"))
                .arg("posix"),
            other => panic!("nobody knows how to start {other}"),
        };
        command.arg(path("data"));
        command
    }

    /// Kills it, whatever it is at.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.process.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it ends");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
