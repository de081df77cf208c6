//! One call of upstream's program, for one component: as it writes pods they are taken, handed over and
//! deleted.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::output_directory::OutputDirectory;
use super::program::{Program, Running};
use crate::archive::Spool;
use crate::component::Component;
use crate::engine::pod_dump::{CLUSTER_PROFILER, PodDump};
use crate::errors::joined;
use crate::limits::Limits;

/// Pods that a message names.
const NAMED: usize = 3;

/// What the program brought.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    /// The pods that were handed over.
    pub(super) pods: BTreeSet<String>,
    /// Pods in a component's dump that nobody asked for.
    pub(super) unexpected_pods: Vec<UnexpectedPod>,
}

/// A pod, or what passes for one, in a component's dump that nobody asked for.
#[derive(Debug)]
pub(super) struct UnexpectedPod {
    pub(super) component: Component,
    pub(super) name: String,
    /// Why it is not used.
    pub(super) why: &'static str,
}

/// Why not all of a component's pods were delivered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Shortfall {
    /// There is no such program, or it is none.
    #[error("it cannot be run: {0}")]
    NotRun(io::Error),
    /// It wrote and said nothing for so long.
    #[error("it made no progress for {0:?} and was ended")]
    Hung(Duration),
    /// It says itself that it failed.
    #[error("it ended with {0}: {1}")]
    Failed(ExitStatus, String),
    /// It says that it succeeded.
    #[error("it ended well, but {0}")]
    TooFew(String),
    /// Its output or its files cannot be read, or not deleted.
    #[error("what it brought cannot be read or deleted: {0}")]
    Files(#[from] io::Error),
    /// The run is being ended.
    #[error("nobody takes what it brings")]
    NotWanted,
}

/// One call of the program.
#[derive(Debug)]
pub(super) struct ComponentDump {
    component: Component,
    wanted: BTreeSet<String>,
    directory: OutputDirectory,
    spool: Spool,
    out: mpsc::Sender<PodDump>,
    delivered: Delivered,
}

/// What the program does next.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// It says that it has written so many pods.
    Written(usize),
    /// It ends.
    Ended(ExitStatus),
}

impl ComponentDump {
    /// A call for these pods of a component, into a directory that is not there yet.
    pub(super) fn new(
        component: Component,
        wanted: BTreeSet<String>,
        directory: PathBuf,
        spool: Spool,
        out: mpsc::Sender<PodDump>,
    ) -> Self {
        Self {
            component,
            wanted,
            directory: OutputDirectory::new(directory),
            spool,
            out,
            delivered: Delivered::default(),
        }
    }

    /// Calls the program and waits for its end, or ends it.
    pub(super) async fn run(
        mut self,
        program: &Program,
        limits: &Limits,
    ) -> (Delivered, Result<(), Shortfall>) {
        // A page takes no longer than a call, and then it is written.
        let limit = limits.call + limits.idle;
        let mut running = match program.start(self.component, self.directory.path()) {
            Ok(running) => running,
            Err(error) => return (self.delivered, Err(Shortfall::NotRun(error))),
        };
        loop {
            let event = match self.next_event(&mut running, limit).await {
                Ok(event) => event,
                Err(shortfall) => return (self.delivered, Err(shortfall)),
            };
            let written = match event {
                Event::Written(written) => written,
                Event::Ended(status) if status.success() => usize::MAX,
                Event::Ended(_) => running.written(),
            };
            let task = tokio::task::spawn_blocking(move || {
                let handed_over = self.hand_over_whole(written);
                (self, handed_over)
            });
            let handed_over;
            (self, handed_over) = joined(task.await);
            if let Err(shortfall) = handed_over {
                return (self.delivered, Err(shortfall));
            }
            if let Event::Ended(status) = event {
                let result = self.judge_end(status, &running);
                return (self.delivered, result);
            }
        }
    }

    async fn next_event(&self, running: &mut Running, limit: Duration) -> Result<Event, Shortfall> {
        let event = async {
            Ok(match running.progress().await? {
                Some(written) => Event::Written(written),
                None => Event::Ended(running.ended().await?),
            })
        };
        tokio::select! {
            () = self.out.closed() => Err(Shortfall::NotWanted),
            event = timeout(limit, event) => event.unwrap_or(Err(Shortfall::Hung(limit))),
        }
    }

    /// Hands over and deletes the pods that are whole, when the program has told of so many.
    fn hand_over_whole(&mut self, written: usize) -> Result<(), Shortfall> {
        for name in self.directory.whole(written)? {
            let dump = self.read(&name);
            self.directory.delete(&name)?;
            if let Some(dump) = dump {
                self.out
                    .blocking_send(dump)
                    .map_err(|_| Shortfall::NotWanted)?;
            }
        }
        Ok(())
    }

    /// The dump of a name that is whole; `None` if the name is unexpected or the dump lacks something.
    fn read(&mut self, name: &OsStr) -> Option<PodDump> {
        let pod = name.to_string_lossy().into_owned();
        if let Some(why) = self.why_unexpected(&pod, name) {
            self.delivered.unexpected_pods.push(UnexpectedPod {
                component: self.component,
                name: pod,
                why,
            });
            return None;
        }
        let (bundle, unexpected_names) = self
            .directory
            .read(&pod, &self.spool)
            .inspect_err(|error| tracing::warn!(pod, %error, "its files cannot be taken"))
            .ok()?;
        if !bundle.lacking().is_empty() {
            return None;
        }
        self.wanted.remove(&pod);
        self.delivered.pods.insert(pod.clone());
        Some(PodDump::Expected {
            pod,
            result: Ok(bundle),
            unexpected_names,
            engine: CLUSTER_PROFILER,
        })
    }

    fn why_unexpected(&self, pod: &str, name: &OsStr) -> Option<&'static str> {
        if self.delivered.pods.contains(pod) {
            Some("the pod was there already")
        } else if !self.wanted.contains(pod) {
            Some("no pod of this name was asked for")
        } else if !self.directory.is_directory(name) {
            Some("it is no directory")
        } else {
            None
        }
    }

    /// Whether the program, which has ended, delivered all pods.
    fn judge_end(&self, status: ExitStatus, running: &Running) -> Result<(), Shortfall> {
        if !status.success() {
            return Err(Shortfall::Failed(status, running.last_lines()));
        }
        if self.wanted.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = self.wanted.iter().take(NAMED).map(String::as_str).collect();
        let count = self.wanted.len();
        let all = count + self.delivered.pods.len();
        let more = if count > NAMED { ", …" } else { "" };
        Err(Shortfall::TooFew(format!(
            "{count} of {all} pods are not there whole: {}{more}",
            names.join(", ")
        )))
    }
}
