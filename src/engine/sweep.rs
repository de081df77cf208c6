//! One call of upstream's program: as its pods land they are taken, handed over and deleted.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::dump::{CLUSTER_PROFILER, PodDump};
use super::landing::Landing;
use super::program::{Program, Running};
use crate::archive::Spool;
use crate::component::Component;
use crate::errors::joined;
use crate::limits::Limits;

/// Pods that a message names.
const NAMED: usize = 3;

/// What the program brought.
#[derive(Debug, Default)]
pub(super) struct Catch {
    /// The pods that were handed over.
    pub(super) delivered: BTreeSet<String>,
    /// Names in a component's dump that were not asked for, and why they are nothing.
    pub(super) strangers: Vec<(Component, String, &'static str)>,
}

/// Why a component's pods did not all come.
#[derive(Debug, thiserror::Error)]
pub(super) enum Short {
    /// There is no such program, or it is none.
    #[error("it cannot be run: {0}")]
    NotRun(io::Error),
    /// Nothing of what it should do happened for so long.
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
    Unwanted,
}

/// One call.
#[derive(Debug)]
pub(super) struct Sweep {
    component: Component,
    wanted: BTreeSet<String>,
    landing: Landing,
    spool: Spool,
    out: mpsc::Sender<PodDump>,
    catch: Catch,
}

/// What the program does next.
enum Next {
    Written(usize),
    Ended(ExitStatus),
}

impl Sweep {
    /// A call for these pods of a component, into a directory that is not there yet.
    pub(super) fn new(
        component: Component,
        wanted: BTreeSet<String>,
        directory: PathBuf,
        (spool, out): (&Spool, &mpsc::Sender<PodDump>),
    ) -> Self {
        Self {
            component,
            wanted,
            landing: Landing::new(directory),
            spool: spool.clone(),
            out: out.clone(),
            catch: Catch::default(),
        }
    }

    /// Calls the program and waits for its end, or ends it.
    pub(super) async fn call(
        mut self,
        program: &Program,
        limits: &Limits,
    ) -> (Catch, Result<(), Short>) {
        // A page takes no longer than a call, and then it is written.
        let limit = limits.call + limits.idle;
        let mut running = match program.start(self.component, self.landing.path()) {
            Ok(running) => running,
            Err(error) => return (self.catch, Err(Short::NotRun(error))),
        };
        let result = loop {
            let next = match self.next(&mut running, limit).await {
                Ok(next) => next,
                Err(short) => break Err(short),
            };
            let written = match next {
                Next::Written(written) => written,
                Next::Ended(status) if status.success() => usize::MAX,
                Next::Ended(_) => running.written(),
            };
            let sweep = tokio::task::spawn_blocking(move || {
                let swept = self.sweep(written);
                (self, swept)
            });
            let swept;
            (self, swept) = joined(sweep.await);
            match (swept, next) {
                (Err(short), _) => break Err(short),
                (Ok(()), Next::Written(_)) => {}
                (Ok(()), Next::Ended(status)) => break self.verdict(status, &running),
            }
        };
        (self.catch, result)
    }

    async fn next(&self, running: &mut Running, limit: Duration) -> Result<Next, Short> {
        let next = async {
            Ok(match running.progress().await? {
                Some(written) => Next::Written(written),
                None => Next::Ended(running.ended().await?),
            })
        };
        tokio::select! {
            () = self.out.closed() => Err(Short::Unwanted),
            next = timeout(limit, next) => next.unwrap_or(Err(Short::Hung(limit))),
        }
    }

    /// Takes what is whole when the program has told of so many pods.
    fn sweep(&mut self, written: usize) -> Result<(), Short> {
        for name in self.landing.whole(written)? {
            let dump = self.take(&name);
            self.landing.clear(&name)?;
            if let Some(dump) = dump {
                self.out.blocking_send(dump).map_err(|_| Short::Unwanted)?;
            }
        }
        Ok(())
    }

    /// What is to be handed over of a name that is whole.
    fn take(&mut self, name: &OsStr) -> Option<PodDump> {
        let pod = name.to_string_lossy().into_owned();
        if let Some(why) = self.stranger(&pod, name) {
            self.catch.strangers.push((self.component, pod, why));
            return None;
        }
        let read = self.landing.read(&pod, &self.spool);
        let (bundle, refused) = read
            .inspect_err(|error| tracing::warn!(pod, %error, "its files cannot be taken"))
            .ok()?;
        if !bundle.lacking().is_empty() {
            return None;
        }
        self.wanted.remove(&pod);
        self.catch.delivered.insert(pod.clone());
        Some(PodDump::Expected {
            pod,
            result: Ok(bundle),
            refused,
            engine: CLUSTER_PROFILER,
        })
    }

    fn stranger(&self, pod: &str, name: &OsStr) -> Option<&'static str> {
        if self.catch.delivered.contains(pod) {
            Some("the pod was there already")
        } else if !self.wanted.contains(pod) {
            Some("no pod of this name was asked for")
        } else if !self.landing.is_directory(name) {
            Some("it is no directory")
        } else {
            None
        }
    }

    fn verdict(&self, status: ExitStatus, running: &Running) -> Result<(), Short> {
        if !status.success() {
            return Err(Short::Failed(status, running.last_words()));
        }
        if self.wanted.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = self.wanted.iter().take(NAMED).map(String::as_str).collect();
        let (count, of) = (
            self.wanted.len(),
            self.wanted.len() + self.catch.delivered.len(),
        );
        let more = if count > NAMED { ", …" } else { "" };
        Err(Short::TooFew(format!(
            "{count} of {of} pods are not there whole: {}{more}",
            named.join(", ")
        )))
    }
}
