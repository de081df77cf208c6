//! One call of upstream's program, for one component: as it writes pods they are taken, handed over and
//! deleted.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread::{self, ScopedJoinHandle};
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

/// The name of the threads that read pods.
const THREAD: &str = "landing";

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
    /// How many pods are read at once.
    at_once: usize,
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
    /// A call for these pods of a component, into a directory that is not there yet. As many of them are read
    /// at once as there are cores, and no more than `most`.
    pub(super) fn new(
        component: Component,
        wanted: BTreeSet<String>,
        directory: PathBuf,
        spool: Spool,
        out: mpsc::Sender<PodDump>,
        most: usize,
    ) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            component,
            wanted,
            directory: OutputDirectory::new(directory),
            spool,
            out,
            at_once: cores.min(most).max(1),
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

    /// Hands over and deletes the pods that are whole, when the program has told of so many. As many are read at
    /// once as there may be; each is deleted as soon as it is read.
    fn hand_over_whole(&mut self, written: usize) -> Result<(), Shortfall> {
        let mut pods = VecDeque::new();
        for name in self.directory.whole(written)? {
            let pod = name.to_string_lossy().into_owned();
            let Some(why) = self.why_unexpected(&pod, &name) else {
                pods.push_back(pod);
                continue;
            };
            self.delivered.unexpected_pods.push(UnexpectedPod {
                component: self.component,
                name: pod,
                why,
            });
            self.directory.delete(&name)?;
        }
        while !pods.is_empty() {
            let at_once = pods.len().min(self.at_once);
            let read = self.read(pods.drain(..at_once).collect());
            for (pod, dump) in read {
                self.directory.delete(OsStr::new(&pod))?;
                if let Some(dump) = dump {
                    self.wanted.remove(&pod);
                    self.delivered.pods.insert(pod);
                    self.out
                        .blocking_send(dump)
                        .map_err(|_| Shortfall::NotWanted)?;
                }
            }
        }
        Ok(())
    }

    /// The dumps of pods that are whole, read at once, in the order of their names; `None` where one lacks
    /// something.
    fn read(&self, pods: Vec<String>) -> Vec<(String, Option<PodDump>)> {
        thread::scope(|scope| {
            let begin = |pod: String| {
                let read = {
                    let pod = pod.clone();
                    move || self.read_pod(pod)
                };
                let reading = thread::Builder::new().name(THREAD.to_owned());
                (pod, reading.spawn_scoped(scope, read))
            };
            let reading: Vec<_> = pods.into_iter().map(begin).collect();
            let end = |(pod, reading): (String, io::Result<ScopedJoinHandle<'_, _>>)| {
                let dump = match reading {
                    Ok(reading) => reading.join().unwrap_or_else(|panic| resume_unwind(panic)),
                    // There is no thread to be had.
                    Err(_) => self.read_pod(pod.clone()),
                };
                (pod, dump)
            };
            reading.into_iter().map(end).collect()
        })
    }

    fn read_pod(&self, pod: String) -> Option<PodDump> {
        let (bundle, unexpected_names) = self
            .directory
            .read(&pod, &self.spool)
            .inspect_err(|error| tracing::warn!(pod, %error, "its files cannot be taken"))
            .ok()?;
        if !bundle.lacking().is_empty() {
            return None;
        }
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
