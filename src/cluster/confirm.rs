//! A stop that is confirmed: virt-api reaches only pods that are Ready at that moment, and answers
//! 200 for the others too. One that it did not reach goes on profiling.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::call::{CallError, Connection};
use super::pods::{self, ComponentPod};
use super::profiler;
use super::retry::Backoff;
use crate::manifest::ExpectedPod;

/// Sends stop until every pod that was started has seen it, or is gone.
#[derive(Debug)]
pub struct Confirmation {
    connection: Connection,
    namespace: String,
    started: Vec<ExpectedPod>,
    waiting: Vec<ExpectedPod>,
    last: Vec<ComponentPod>,
    answered: bool,
    error: Option<CallError>,
}

impl Confirmation {
    /// Begins with the pods that were started. Nothing is sent yet.
    pub fn new(connection: Connection, namespace: String, started: Vec<ExpectedPod>) -> Self {
        Self {
            connection,
            namespace,
            waiting: started.clone(),
            started,
            last: Vec::new(),
            answered: false,
            error: None,
        }
    }

    /// Takes note of pods that became Ready or restarted before the start that reached them. Called
    /// after a start; what cannot be listed is warned of.
    pub async fn note_started(&mut self) {
        match pods::list_once(&self.connection, &self.namespace).await {
            Ok(pods) => pods
                .into_iter()
                .filter(|pod| pod.ready)
                .for_each(|pod| self.note(pod.pod)),
            Err(error) => tracing::warn!(%error, "pods that came since preflight are not known"),
        }
    }

    fn note(&mut self, pod: ExpectedPod) {
        for list in [&mut self.started, &mut self.waiting] {
            list.retain(|other| other.uid != pod.uid);
            list.push(pod.clone());
        }
    }

    /// Notes that start reached nobody.
    pub fn note_refused(&mut self) {
        self.started.clear();
        self.waiting.clear();
    }

    /// Sends stop once and looks who has seen it: a pod that was Ready before and after.
    pub async fn attempt(&mut self) {
        if let Err(error) = self.attempted().await {
            if self.error.is_none() {
                tracing::warn!(%error, "stop is not confirmed yet");
            }
            self.error = Some(error);
        }
    }

    async fn attempted(&mut self) -> Result<(), CallError> {
        // The stop waits for nobody: reaching some at once is what matters.
        let (before, stopped) = tokio::join!(
            pods::list_once(&self.connection, &self.namespace),
            profiler::stop(&self.connection)
        );
        stopped?;
        self.answered = true;
        let before = before?;
        let after = pods::list_once(&self.connection, &self.namespace).await?;
        // The list beside the stop may be answered after it: a pod that became Ready in between was
        // not reached. So from the second stop on, what was seen before it was sent counts, too.
        let earlier = if self.last.is_empty() {
            &before
        } else {
            &self.last
        };
        self.waiting
            .retain(|pod| !has_seen_it(pod, [earlier, &before], &after));
        self.last = after;
        self.error = None;
        Ok(())
    }

    /// Attempts until it is confirmed or the time has come.
    pub async fn until(&mut self, end: Instant) {
        let mut backoff = Backoff::new(&self.connection.limits);
        while !self.is_confirmed() && !self.is_denied() && Instant::now() < end {
            backoff.pause_until(end).await;
            self.attempt().await;
        }
    }

    /// Whether every pod that was started has seen it.
    pub fn is_confirmed(&self) -> bool {
        let seen = self.answered && self.error.is_none() && self.waiting.is_empty();
        // Where nobody was started, one stop is enough, whatever came of it.
        seen || (self.started.is_empty() && self.error.is_some())
    }

    /// Whether RBAC refuses, which no waiting changes.
    fn is_denied(&self) -> bool {
        self.error.as_ref().is_some_and(CallError::is_denied)
    }

    /// Whether virt-api answered any of the stops well.
    pub fn was_answered(&self) -> bool {
        self.answered
    }

    /// The last attempt's fault.
    pub fn error(&self) -> Option<&CallError> {
        self.error.as_ref()
    }

    /// The pods that may go on profiling.
    pub fn waiting(&self) -> &[ExpectedPod] {
        &self.waiting
    }

    /// The pods whose container has restarted since, as the last stop that was answered saw them.
    pub fn restarted(&self) -> BTreeSet<String> {
        let pods = self.started.iter().filter(|pod| {
            let now = self.last.iter().find(|now| now.pod.uid == pod.uid);
            now.is_some_and(|now| now.pod.restarts != pod.restarts)
        });
        pods.map(|pod| pod.name.clone()).collect()
    }

    /// What remains when it is given up, and what to do: for the log and for whoever reads why the
    /// run failed. `None` once it is confirmed.
    pub fn remains(&self) -> Option<String> {
        if self.is_confirmed() || self.waiting.is_empty() {
            return None;
        }
        let names: Vec<_> = self.waiting.iter().map(|pod| pod.name.as_str()).collect();
        let error = self
            .error
            .as_ref()
            .map(|error| format!(" ({error})"))
            .unwrap_or_default();
        let path = profiler::path("stop");
        Some(format!(
            "these pods may still be PROFILING{error}: {}; once they are Ready, stop them with: \
             kubectl get --raw {path} (or, if they will not be, delete them: a new container \
             profiles nothing)",
            names.join(" ")
        ))
    }
}

/// Gone, restarted (a new process profiles nothing), or Ready around the stop.
fn has_seen_it(pod: &ExpectedPod, before: [&[ComponentPod]; 2], after: &[ComponentPod]) -> bool {
    let find = |pods: &[ComponentPod]| pods.iter().find(|other| other.pod.uid == pod.uid).cloned();
    match find(after) {
        None => true,
        Some(now) if now.pod.restarts != pod.restarts => true,
        Some(now) => {
            let was_ready = |pods| find(pods).is_some_and(|then| then.ready);
            now.ready && before.into_iter().all(was_ready)
        }
    }
}
