//! The stand-in of both servers (`helpers/push/standin`), which holds pushes to their rules.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::pyroscope::{built, said};
use crate::suite::Ground;

/// The stand-in; it ends with this value.
pub(crate) struct ByRules {
    address: String,
    process: Child,
}

impl Ground for ByRules {
    fn up(_: &[&str]) -> Self {
        let mut command = Command::new(built("standin"));
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in starts");
        let mut address = String::new();
        let output = process.stdout.as_mut().expect("its output");
        let read = BufReader::new(output).read_line(&mut address);
        read.expect("its address");
        Self {
            address: address.trim().to_owned(),
            process,
        }
    }

    fn reset(&self) {}

    fn down(self) {}
}

impl Drop for ByRules {
    fn drop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ends");
    }
}

impl ByRules {
    pub(crate) fn target(&self, kind: &str) -> String {
        format!("{kind}+http://{}", self.address)
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it got as this kind of server, added up by google/pprof.
    pub(crate) fn totals(&self, kind: &str) -> Value {
        self.ask(&format!("{kind}/totals"))
    }

    /// The requests that it got as a Pyroscope, in order.
    pub(crate) fn requests(&self) -> Vec<Value> {
        serde_json::from_value(self.ask("pyroscope/requests")).expect("a list")
    }

    fn ask(&self, path: &str) -> Value {
        let url = format!("{}/{path}", self.url());
        let answer = said(Command::new("curl").arg("--silent").arg(url));
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"))
    }
}
