//! Upstream's program as a child process: its command line, its output, its end.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::output::{Line, Lines, progress};
use crate::component::{COMPONENT_LABEL, Component};

/// Bytes read at once.
const BUFFER: usize = 4096;

/// Lines of one call that are logged above debug: the program says two or three.
const LOGGED: usize = 50;

/// Lines that its failure repeats.
const REPEATED: usize = 3;

/// How often, a millisecond apart, it is looked whether the killed program is gone.
const DEATH_CHECKS: usize = 2000;

/// Upstream's cluster-profiler, and how it is called.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Pods a page.
    pub page_size: u32,
    /// The files of KUBECONFIG, if it is set.
    pub kubeconfig: Vec<PathBuf>,
}

impl Program {
    /// Begins to dump a component's pods into a directory that does not exist yet.
    pub(super) fn start(&self, component: Component, directory: &Path) -> io::Result<Running> {
        let mut command = Command::new(&self.path);
        command
            .args(["--cmd", "dump", "--output-dir"])
            .arg(directory)
            .args(["--page-size", &self.page_size.to_string()])
            .args(["--l", &format!("{COMPONENT_LABEL}={component}")]);
        if !self.kubeconfig.is_empty() {
            let paths = std::env::join_paths(&self.kubeconfig).map_err(io::Error::other)?;
            command.env("KUBECONFIG", paths);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        Ok(Running {
            stdout: Pipe::new(child.stdout.take()),
            stderr: Pipe::new(child.stderr.take()),
            child,
            said: Said::new(component),
            written: None,
        })
    }
}

/// The program while it runs. Dropped, it is killed and gone.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    stdout: Pipe<ChildStdout>,
    stderr: Pipe<ChildStderr>,
    said: Said,
    written: Option<usize>,
}

impl Running {
    /// How many pods it has written, each time that it tells of more. `None` is the end of what it
    /// says.
    pub(super) async fn progress(&mut self) -> io::Result<Option<usize>> {
        while self.stdout.open() || self.stderr.open() {
            tokio::select! {
                lines = self.stdout.lines(), if self.stdout.open() => {
                    let mut lines = lines?;
                    self.said.note(&lines);
                    // Most often the line that counts has no end yet.
                    lines.push(Line { text: self.stdout.lines.text(), passing: true });
                    let told = lines.iter().filter_map(|line| progress(&line.text)).max();
                    if told > self.written {
                        self.written = told;
                        return Ok(told);
                    }
                }
                lines = self.stderr.lines(), if self.stderr.open() => self.said.note(&lines?),
            }
        }
        Ok(None)
    }

    /// How many pods it has told of.
    pub(super) fn written(&self) -> usize {
        self.written.unwrap_or(0)
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// The last things that it said.
    pub(super) fn last_words(&self) -> String {
        let words: Vec<_> = self.said.last.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => "it said nothing".to_owned(),
            words => words.join(" | "),
        }
    }
}

impl Drop for Running {
    /// What it writes into is deleted next, so it must not only be told to end.
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        for _ in 0..DEATH_CHECKS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// One of its two outputs.
#[derive(Debug)]
struct Pipe<R> {
    from: Option<R>,
    lines: Lines,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(from: Option<R>) -> Self {
        let lines = Lines::default();
        Self { from, lines }
    }

    fn open(&self) -> bool {
        self.from.is_some()
    }

    /// The lines that ended in what comes next; may be none.
    async fn lines(&mut self) -> io::Result<Vec<Line>> {
        let Some(from) = &mut self.from else {
            return Ok(Vec::new());
        };
        let mut buffer = [0; BUFFER];
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            self.from = None;
            return Ok(self.lines.end(false).into_iter().collect());
        }
        Ok(self.lines.push(&buffer[..length]))
    }
}

/// What it said, for the log and for the message about its failure.
#[derive(Debug)]
struct Said {
    component: Component,
    logged: usize,
    last: VecDeque<String>,
}

impl Said {
    fn new(component: Component) -> Self {
        Self {
            component,
            logged: 0,
            last: VecDeque::new(),
        }
    }

    fn note(&mut self, lines: &[Line]) {
        let component = self.component.name();
        for Line { text, passing } in lines {
            let line = text.trim();
            if *passing || self.logged >= LOGGED {
                tracing::debug!(component, line, "cluster-profiler says");
            } else {
                tracing::info!(component, line, "cluster-profiler says");
                self.logged += 1;
                if self.logged == LOGGED {
                    tracing::warn!(component, "it says too much: the rest is logged as debug");
                }
            }
            if !passing {
                self.last.push_back(line.to_owned());
                if self.last.len() > REPEATED {
                    self.last.pop_front();
                }
            }
        }
    }
}
