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

/// Asks for the profiler's state, with a dump that has no body and so disturbs nothing: virt-api
/// looks at the switch first and at the body next.
///
/// # Errors
/// The API server or virt-api failed.
pub async fn probe(connection: &Connection) -> Result<ProfilerState, CallError> {
    match look(connection).await {
        Ok(()) => Ok(ProfilerState::On),
        Err(error) if is_off(&error) => Ok(ProfilerState::Off),
        Err(error) => Err(error),
    }
}

/// Looks, in the same way, whether virt-api lets anybody use the profiler.
///
/// # Errors
/// The profiler is off, or the API server or virt-api failed.
pub async fn look(connection: &Connection) -> Result<(), CallError> {
    match connection.get_with_tries(&path("dump")).await {
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
        Err(error) => Err(error),
    }
}
