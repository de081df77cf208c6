//! Upstream's program as a child process: its command line, what it says, its end.
//!
//! It ends a line of progress with the `\r` that begins the next one, or never.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::component::{COMPONENT_LABEL, Component};
use crate::limits::{KILL_CHECK_PAUSE, KILL_CHECKS};

/// Bytes read at once.
const BUFFER: usize = 4096;

/// Bytes kept of a line; the rest of it is dropped.
const LINE: usize = 500;

/// Lines of one call that are logged above debug: the program says two or three.
const LOGGED: usize = 50;

/// Lines that the message about its failure repeats.
const REPEATED: usize = 3;

/// What comes before the number of pods in a line of progress.
const PROGRESS: &str = "Fetching in progress. Downloaded so far: ";

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
            log: OutputLog::new(component),
            written: None,
        })
    }
}

/// The program while it runs. When this is dropped, the program is killed.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    stdout: Pipe<ChildStdout>,
    stderr: Pipe<ChildStderr>,
    log: OutputLog,
    written: Option<usize>,
}

impl Running {
    /// Waits until it says that it has written more pods; returns how many. `None` is the end of what it says.
    pub(super) async fn progress(&mut self) -> io::Result<Option<usize>> {
        while self.stdout.is_open() || self.stderr.is_open() {
            tokio::select! {
                read = self.stdout.read_lines(), if self.stdout.is_open() => {
                    let lines = read?;
                    self.log.add(&lines);
                    // Most often the line that counts has no end yet.
                    let begun = self.stdout.lines.begun_text();
                    let texts = lines.iter().map(|line| &line.text).chain([&begun]);
                    let written = texts.filter_map(|text| pods_written(text)).max();
                    if written > self.written {
                        self.written = written;
                        return Ok(written);
                    }
                }
                read = self.stderr.read_lines(), if self.stderr.is_open() => self.log.add(&read?),
            }
        }
        Ok(None)
    }

    /// How many pods it has said that it has written.
    pub(super) fn written(&self) -> usize {
        self.written.unwrap_or(0)
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// The last lines that it said.
    pub(super) fn last_lines(&self) -> String {
        let lines: Vec<_> = self.log.last.iter().map(String::as_str).collect();
        if lines.is_empty() {
            "it said nothing".to_owned()
        } else {
            lines.join(" | ")
        }
    }
}

impl Drop for Running {
    /// Waits for the end of the killed program, because the directory that it writes into is deleted next.
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        for _ in 0..KILL_CHECKS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(KILL_CHECK_PAUSE);
        }
    }
}

/// One of its two outputs.
#[derive(Debug)]
struct Pipe<R> {
    /// `None` once it has ended.
    source: Option<R>,
    lines: Lines,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(source: Option<R>) -> Self {
        let lines = Lines::default();
        Self { source, lines }
    }

    fn is_open(&self) -> bool {
        self.source.is_some()
    }

    /// The lines that ended in what was read next; there may be none.
    async fn read_lines(&mut self) -> io::Result<Vec<Line>> {
        let Some(source) = &mut self.source else {
            return Ok(Vec::new());
        };
        let mut buffer = [0; BUFFER];
        let length = source.read(&mut buffer).await?;
        if length == 0 {
            self.source = None;
            return Ok(self.lines.end(false).into_iter().collect());
        }
        Ok(self.lines.push(&buffer[..length]))
    }
}

/// Splits bytes into lines.
#[derive(Debug, Default)]
struct Lines {
    /// The line that has begun and not ended.
    begun: Vec<u8>,
}

/// One line without its end.
#[derive(Debug)]
struct Line {
    text: String,
    /// Whether a terminal would have shown the next line in its place.
    is_passing: bool,
}

impl Lines {
    /// The lines that end in these bytes.
    fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut ended = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' | b'\r' => ended.extend(self.end(byte == b'\r')),
                byte if self.begun.len() < LINE => self.begun.push(byte),
                _ => {}
            }
        }
        ended
    }

    /// Ends the line that has begun, and returns it unless it is blank.
    fn end(&mut self, by_carriage_return: bool) -> Option<Line> {
        let text = self.begun_text();
        self.begun.clear();
        let is_passing = by_carriage_return || pods_written(&text).is_some();
        (!text.trim().is_empty()).then_some(Line { text, is_passing })
    }

    /// The line that has begun, fit for a log.
    fn begun_text(&self) -> String {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let text = String::from_utf8_lossy(&self.begun);
        text.chars().map(printable).collect()
    }
}

/// How many pods a line of progress says are written. The blank after the number tells that all of the number
/// is there.
fn pods_written(line: &str) -> Option<usize> {
    let (number, _) = line.strip_prefix(PROGRESS)?.split_once(' ')?;
    number.parse().ok()
}

/// Logs what the program says, and keeps the last lines for the message about its failure.
#[derive(Debug)]
struct OutputLog {
    component: Component,
    logged: usize,
    last: VecDeque<String>,
}

impl OutputLog {
    fn new(component: Component) -> Self {
        Self {
            component,
            logged: 0,
            last: VecDeque::new(),
        }
    }

    fn add(&mut self, lines: &[Line]) {
        let component = self.component.name();
        for Line { text, is_passing } in lines {
            let line = text.trim();
            if *is_passing || self.logged >= LOGGED {
                tracing::debug!(component, line, "cluster-profiler says");
            } else {
                tracing::info!(component, line, "cluster-profiler says");
                self.logged += 1;
                if self.logged == LOGGED {
                    tracing::warn!(component, "it says too much: the rest is logged as debug");
                }
            }
            if !is_passing {
                self.last.push_back(line.to_owned());
                if self.last.len() > REPEATED {
                    self.last.pop_front();
                }
            }
        }
    }
}
