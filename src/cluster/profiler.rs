//! KubeVirt's own profiler: the aggregated API that starts, stops and dumps it in every pod.

use http::StatusCode;
use kube::client::Body;
use serde::Serialize;

use super::call::{CallError, Connection};

const API: &str = "/apis/subresources.kubevirt.io/v1";

/// The path of one of the three operations: start, stop or dump.
pub fn path(operation: &str) -> String {
    format!("{API}/{operation}-cluster-profiler")
}

/// The state of the profiler: whether virt-api lets anybody use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfilerState {
    /// virt-api answers.
    On,
    /// virt-api answers 403 to everything.
    Off,
}

impl ProfilerState {
    /// The state in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// The body of the probe: JSON, and no request for a dump.
const NO_REQUEST: &[u8] = br#""no request""#;

/// What virt-api says to a request that it cannot read, and how it ends where there was no body.
const UNREADABLE: &str = "cluster profiler request";
const NO_BODY: &str = ": EOF";

/// What virt-api's own refusal names, and no gateway's.
const FEATURE_GATE: &str = "ClusterProfiler";

/// Why nothing can be dumped where a GET arrives without its body.
const BODY_LOST: &str = "a proxy or gateway on the way to the API server does not let the body of a GET through, \
    and KubeVirt's dump is a GET with a body: run in the cluster, or with a kubeconfig that leads to the API server \
    itself";

/// Asks for the profiler's state, with a dump whose body is no request and so disturbs nothing: virt-api
/// looks at the switch first and at the body next. So it is known, too, that bodies arrive.
///
/// # Errors
/// The API server or virt-api failed, or bodies do not arrive.
pub async fn probe(connection: &Connection) -> Result<ProfilerState, CallError> {
    let dump_path = path("dump");
    let answer = connection.get_with_tries(&dump_path, NO_REQUEST).await;
    let Err(error) = answer.map_err(without_body) else {
        return Ok(ProfilerState::On);
    };
    if let Some(state) = state_told_by(&error) {
        return Ok(state);
    }
    if let CallError::Unsupported { .. } = error {
        return Err(error);
    }
    // Whoever answered it was not virt-api, or was virt-api with another fault: the same without a body tells.
    match connection.get(&dump_path, Vec::new()).await {
        Err(bare) if is_unreadable(&bare) => {}
        Err(bare) if is_off(&bare) => return Ok(ProfilerState::Off),
        Ok(_) | Err(_) => return Err(error),
    }
    // Once is no proof: any server refuses for a moment.
    match connection.get(&dump_path, NO_REQUEST.to_vec()).await {
        Ok(_) => Ok(ProfilerState::On),
        Err(again) => state_told_by(&again).ok_or_else(|| body_refused(error)),
    }
}

/// The state of the profiler, where this is virt-api's answer to the probe.
fn state_told_by(error: &CallError) -> Option<ProfilerState> {
    match error {
        CallError::Answer { .. } if is_unreadable(error) => Some(ProfilerState::On),
        CallError::Answer { message, .. } if is_off(error) && message.contains(FEATURE_GATE) => {
            Some(ProfilerState::Off)
        }
        CallError::Answer { .. }
        | CallError::Transport { .. }
        | CallError::Unsupported { .. }
        | CallError::Nonsense { .. } => None,
    }
}

/// Whether virt-api could not read the request, and so looked at it.
fn is_unreadable(error: &CallError) -> bool {
    matches!(error, CallError::Answer { code: 400, message, .. } if message.contains(UNREADABLE))
}

/// The error of a GET with a body that failed where the same without one did not. What may pass may be another
/// fault, and is tried again.
fn body_refused(error: CallError) -> CallError {
    let (call, detail) = (
        format!("GET {}", path("dump")),
        format!("{BODY_LOST} ({error})"),
    );
    if error.may_pass() {
        CallError::Transport { call, detail }
    } else {
        CallError::Unsupported { call, detail }
    }
}

/// The same error, or what it means that virt-api found no body.
fn without_body(error: CallError) -> CallError {
    match &error {
        CallError::Answer { message, .. }
            if is_unreadable(&error) && message.ends_with(NO_BODY) =>
        {
            body_refused(error)
        }
        CallError::Answer { .. }
        | CallError::Transport { .. }
        | CallError::Unsupported { .. }
        | CallError::Nonsense { .. } => error,
    }
}

/// Looks whether virt-api lets anybody use the profiler, without a body.
///
/// # Errors
/// The profiler is off, or the API server or virt-api failed.
pub async fn look(connection: &Connection) -> Result<(), CallError> {
    match connection.get_with_tries(&path("dump"), &[]).await {
        Ok(_) | Err(CallError::Answer { code: 400, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Starts CPU profiling in every component pod, clearing what they have. Not tried again: it may
/// have started some of them.
///
/// # Errors
/// The API server or a component failed.
pub async fn start(connection: &Connection) -> Result<(), CallError> {
    change(connection, &path("start")).await
}

/// Stops CPU profiling in every component pod that is Ready. A second stop does no harm.
///
/// # Errors
/// The API server or a component failed.
pub async fn stop(connection: &Connection) -> Result<(), CallError> {
    change(connection, &path("stop")).await
}

/// Sends a request that changes something in every pod, once that is permitted.
async fn change(connection: &Connection, path: &str) -> Result<(), CallError> {
    let send = connection.get(path, Vec::new());
    let sent = connection.change(&format!("GET {path}"), send).await;
    sent.map(|_| ())
}

/// Whether the profiler was turned on and that is not known everywhere yet: to a component that
/// virt-api asks or, if this run turned it on, to virt-api itself.
pub fn is_spreading(error: &CallError, turned_on: bool) -> bool {
    let component_is_off = matches!(error, CallError::Answer { code: 500, message, .. }
        if message.contains("[403] status code"));
    component_is_off || (turned_on && is_off(error))
}

/// Whether this error is virt-api saying that the profiler is off.
pub fn is_off(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Answer {
            code: 403,
            status: false,
            ..
        }
    )
}

/// A request for a dump of one page of a pod LIST.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DumpRequest {
    /// The pods' label selector.
    pub label_selector: String,
    /// The LIST's continue token: where the page begins. Empty for the first page.
    #[serde(rename = "continue")]
    pub continue_token: String,
    /// Pods a page; virt-api takes no more than 20.
    pub page_size: u32,
}

/// The answer of virt-api to a request for a dump.
#[derive(Debug)]
pub enum DumpAnswer {
    /// A page of profiles, as it streams in.
    Page(Body),
    /// No pod of the page is a component pod that is Ready.
    Empty,
    /// The continue token is too old.
    Expired,
}

/// Asks for one page of profiles, by one try.
///
/// # Errors
/// The API server or a component failed.
pub async fn dump(connection: &Connection, request: &DumpRequest) -> Result<DumpAnswer, CallError> {
    let dump_path = path("dump");
    let body = serde_json::to_vec(request).map_err(|error| CallError::Nonsense {
        call: dump_path.clone(),
        detail: error.to_string(),
    })?;
    match connection.get(&dump_path, body).await {
        Ok(response) if response.status() == StatusCode::NO_CONTENT => Ok(DumpAnswer::Empty),
        Ok(response) => Ok(DumpAnswer::Page(response.into_body())),
        Err(CallError::Answer {
            code: 400, message, ..
        }) if message.contains("too old") => Ok(DumpAnswer::Expired),
        Err(error) => Err(without_body(error)),
    }
}
