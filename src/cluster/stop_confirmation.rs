//! The confirmation of a stop: virt-api reaches only pods that are Ready at that moment, and answers
//! 200 for the others too. A pod that was not reached goes on profiling.

use std::collections::BTreeSet;

use tokio::time::{Instant, timeout, timeout_at};

use super::call::{CallError, Connection};
use super::pods::{self, ComponentPod};
use super::profiler;
use super::retry::{Backoff, Outlook};
use crate::limits::LIST_BEFORE_STOP;
use crate::manifest::ExpectedPod;

/// Sends stop until every pod that was started has stopped.
#[derive(Debug)]
pub struct StopConfirmation {
    connection: Connection,
    namespace: String,
    started: Vec<Started>,
    /// The pods as they were after the last attempt that was answered well.
    last_seen: Vec<ComponentPod>,
    state: State,
}

/// A pod that was started, and whether it is known to have stopped.
#[derive(Debug)]
struct Started {
    pod: ExpectedPod,
    has_stopped: bool,
    /// Whether an earlier run started it, and this one did not.
    is_carried: bool,
}

/// The result of the attempts until now.
#[derive(Debug)]
enum State {
    /// No stop was sent.
    NotSent,
    /// No stop was answered well, the last one for this reason.
    NotAnswered(CallError),
    /// A stop was answered well, but the last attempt failed: a later stop, or the listing of the
    /// pods.
    Failed(CallError),
    /// The last attempt was answered well: what is known of each pod is true.
    Answered,
}

impl State {
    /// The state once a stop is answered well, and the pods are not listed yet.
    fn answered(self) -> Self {
        match self {
            Self::NotSent | Self::Answered => Self::Answered,
            Self::NotAnswered(error) | Self::Failed(error) => Self::Failed(error),
        }
    }

    /// The state once an attempt has failed.
    fn failed(self, error: CallError) -> Self {
        match self {
            Self::NotSent | Self::NotAnswered(_) => Self::NotAnswered(error),
            Self::Failed(_) | Self::Answered => Self::Failed(error),
        }
    }
}

impl StopConfirmation {
    /// Begins with the pods that were started. Nothing is sent yet.
    pub fn new(connection: Connection, namespace: String, started: Vec<ExpectedPod>) -> Self {
        Self {
            connection,
            namespace,
            started: started.into_iter().map(Started::new).collect(),
            last_seen: Vec::new(),
            state: State::NotSent,
        }
    }

    /// Takes note of pods that an earlier run started and nobody could stop until now: this run's stop is not
    /// confirmed before theirs is.
    pub fn carry(&mut self, pods: Vec<ExpectedPod>) {
        for pod in pods {
            if !self.started.iter().any(|own| own.pod.uid == pod.uid) {
                self.started.push(Started {
                    is_carried: true,
                    ..Started::new(pod)
                });
            }
        }
    }

    /// Takes note of pods that became Ready or restarted between their listing and the start that reached them.
    /// Called after a start; a warning says when they cannot be listed.
    pub async fn note_started(&mut self) {
        match pods::list_once(&self.connection, &self.namespace).await {
            Ok(pods) => {
                for ComponentPod { pod, .. } in pods.into_iter().filter(|pod| pod.ready) {
                    self.started.retain(|started| started.pod.uid != pod.uid);
                    self.started.push(Started::new(pod));
                }
            }
            Err(error) => tracing::warn!(%error, "pods that came since preflight are not known"),
        }
    }

    /// Takes note that start reached nobody.
    pub fn note_refused(&mut self) {
        self.started.retain(|started| started.is_carried);
    }

    /// Sends stop once, and looks which pods have stopped.
    pub async fn attempt(&mut self) {
        if let Err(error) = self.send().await {
            if self.error().is_none() {
                tracing::warn!(%error, "stop is not confirmed yet");
            }
            self.change_state(|state| state.failed(error));
        }
    }

    async fn send(&mut self) -> Result<(), CallError> {
        // A list that is answered after the stop may show a pod Ready that the stop did not reach.
        let before = self.list_before().await;
        profiler::stop(&self.connection).await?;
        self.change_state(State::answered);
        let after = pods::list_once(&self.connection, &self.namespace).await?;
        let seen_before = before.as_deref().unwrap_or_default();
        for started in &mut self.started {
            started.has_stopped |= has_stopped(&started.pod, seen_before, &after);
        }
        self.last_seen = after;
        before?;
        self.state = State::Answered;
        Ok(())
    }

    /// The pods as they are before a stop. Until a stop has reached pods it waits for this only shortly: it is
    /// worth more than to know whom it reaches, which the next one tells.
    async fn list_before(&self) -> Result<Vec<ComponentPod>, CallError> {
        let listed = pods::list_once(&self.connection, &self.namespace);
        if self.has_reached_pods() {
            return listed.await;
        }
        timeout(LIST_BEFORE_STOP, listed).await.unwrap_or_else(|_| {
            let call = format!("list pods in {}", self.namespace);
            let detail = format!("none within {LIST_BEFORE_STOP:?}");
            Err(CallError::Transport { call, detail })
        })
    }

    fn change_state(&mut self, change: impl FnOnce(State) -> State) {
        self.state = change(std::mem::replace(&mut self.state, State::NotSent));
    }

    /// Attempts until it is confirmed or the time has come, and for one call more. Nothing is believed before, a refusal
    /// neither: pods profile, and servers refuse for some time, too.
    pub async fn until(&mut self, end: Instant) {
        let mut backoff = Backoff::new(&self.connection.limits);
        let wait = self.connection.waits.begin();
        while !self.is_confirmed() && Instant::now() < end {
            wait.tell(self.awaited());
            backoff.pause_until(end).await;
            // The calls of an attempt are tried for minutes where the API server hangs.
            let _is_late = timeout_at(end + self.connection.limits.call, self.attempt()).await;
        }
    }

    /// Attempts until a stop has reached pods, or fails in a way that no waiting changes.
    pub async fn until_it_reaches_pods(&mut self) {
        let mut backoff = Backoff::new(&self.connection.limits);
        let wait = self.connection.waits.begin();
        while !self.has_reached_pods() && self.may_reach_pods() {
            wait.tell(self.awaited());
            backoff.pause().await;
            self.attempt().await;
        }
    }

    fn may_reach_pods(&self) -> bool {
        let is_final = |error: &CallError| error.outlook() == Outlook::Final;
        !self.error().is_none_or(is_final)
    }

    /// What is waited for until the stop is confirmed.
    fn awaited(&self) -> String {
        match self.error() {
            Some(error) => format!("the stop to be answered well: {error}"),
            None => format!(
                "these pods to be Ready, so that a stop reaches them: {}",
                self.names()
            ),
        }
    }

    /// Whether every pod that was started has stopped. If no pod was started, one stop that was sent counts
    /// as confirmed, even if it failed.
    pub fn is_confirmed(&self) -> bool {
        match self.state {
            State::NotSent => false,
            State::NotAnswered(_) | State::Failed(_) => self.started.is_empty(),
            State::Answered => self.waiting().next().is_none(),
        }
    }

    /// Whether every pod that this run started has stopped, though one that it carries may not have.
    pub fn own_have_stopped(&self) -> bool {
        let mut own = self.started.iter().filter(|started| !started.is_carried);
        matches!(self.state, State::Answered) && own.all(|started| started.has_stopped)
    }

    /// Whether a stop has reached pods: virt-api answered one well, or told of a pod that failed, so that the
    /// others have stopped.
    pub fn has_reached_pods(&self) -> bool {
        match &self.state {
            State::NotSent => false,
            State::NotAnswered(error) => error.is_about_pod(),
            State::Failed(_) | State::Answered => true,
        }
    }

    /// The last attempt's error, if it failed.
    pub fn error(&self) -> Option<&CallError> {
        match &self.state {
            State::NotAnswered(error) | State::Failed(error) => Some(error),
            State::NotSent | State::Answered => None,
        }
    }

    /// The pods that may go on profiling.
    pub fn waiting(&self) -> impl Iterator<Item = &ExpectedPod> {
        let waiting = self.started.iter().filter(|started| !started.has_stopped);
        waiting.map(|started| &started.pod)
    }

    /// The names of these.
    fn names(&self) -> String {
        let names: Vec<_> = self.waiting().map(|pod| pod.name.as_str()).collect();
        names.join(" ")
    }

    /// The pods that this run started.
    pub fn started(&self) -> impl Iterator<Item = &ExpectedPod> {
        let own = self.started.iter().filter(|started| !started.is_carried);
        own.map(|started| &started.pod)
    }

    /// The names of the pods whose container has restarted since they were started, as the last
    /// attempt that was answered well saw them.
    pub fn restarted(&self) -> BTreeSet<String> {
        let pods = self.started.iter().map(|started| &started.pod);
        let restarted = pods.filter(|pod| {
            let now = self.last_seen.iter().find(|now| now.pod.uid == pod.uid);
            now.is_some_and(|now| now.pod.restarts != pod.restarts)
        });
        restarted.map(|pod| pod.name.clone()).collect()
    }

    /// What remains when the stop is given up, and what to do: for the log and for whoever reads why
    /// the run failed. `None` once it is confirmed.
    pub fn remains(&self) -> Option<String> {
        let names = self.names();
        if self.is_confirmed() || names.is_empty() {
            return None;
        }
        let error = self.error().map(|error| format!(" ({error})"));
        let (error, path) = (error.unwrap_or_default(), profiler::path("stop"));
        Some(format!(
            "these pods may still be PROFILING{error}: {names}; once they are Ready, stop them with: \
             kubectl get --raw {path} (or, if they will not be, delete them: a new container \
             profiles nothing)"
        ))
    }
}

impl Started {
    fn new(pod: ExpectedPod) -> Self {
        Self {
            pod,
            has_stopped: false,
            is_carried: false,
        }
    }
}

/// Whether a pod is gone, has restarted (a new process profiles nothing), or was Ready before and
/// after the stop.
fn has_stopped(pod: &ExpectedPod, before: &[ComponentPod], after: &[ComponentPod]) -> bool {
    let find = |pods: &[ComponentPod]| pods.iter().find(|other| other.pod.uid == pod.uid).cloned();
    find(after).is_none_or(|now| {
        let is_another_process = now.pod.restarts != pod.restarts;
        is_another_process || (now.ready && find(before).is_some_and(|then| then.ready))
    })
}
