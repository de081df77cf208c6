//! Calls to the API server: their timeout, their errors, and when one is tried again.

use std::future::Future;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Limited};
use kube::Client;
use kube::client::Body;
use tokio::time::sleep;

pub use super::call_error::CallError;
use super::hurry::Hurry;
use super::permit::WritePermit;
use super::retry::{self, Waits};
use crate::limits::Limits;

/// A connection to the API server, with the limits of each call.
#[derive(Clone)]
pub struct Connection {
    /// The client, with no retries of its own.
    client: Client,
    /// A client each of whose calls has a socket of its own, so that none waits for an answer where one before
    /// it waits in vain.
    pub(super) lone_client: Client,
    /// Whether something may be changed in the cluster now.
    pub permit: WritePermit,
    /// What is waited for now.
    pub waits: Waits,
    /// Whether the process was told to stop, so that no call may take all the time that is left.
    pub hurry: Hurry,
    /// Timeouts and tries.
    pub limits: Limits,
    /// How long a call is tried again, though it has had its tries.
    patience: Duration,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// A connection by this client, which has no retries of its own.
    pub fn new(client: Client, limits: Limits) -> Self {
        Self {
            lone_client: client.clone(),
            client,
            permit: WritePermit::new(),
            waits: Waits::default(),
            hurry: Hurry::new(),
            limits,
            patience: Duration::ZERO,
        }
    }

    /// The connection for what a run would lose data without: it waits for an API server that is away.
    pub fn patient(&self) -> Self {
        Self {
            patience: self.limits.outage,
            ..self.clone()
        }
    }

    /// The connection for calls of this length at most, each with a socket of its own. It has no patience.
    pub fn lone(&self, call: Duration) -> Self {
        Self {
            client: self.lone_client.clone(),
            limits: Limits {
                call,
                ..self.limits.clone()
            },
            patience: Duration::ZERO,
            ..self.clone()
        }
    }

    /// The client for a call that begins now. A process in a hurry has no time for sockets that may be dead.
    pub fn client(&self) -> Client {
        if self.hurry.has_begun() {
            self.lone_client.clone()
        } else {
            self.client.clone()
        }
    }

    /// Makes a call once, within its time.
    ///
    /// # Errors
    /// The server answered with an error, or not at all, or with something that makes no sense.
    pub async fn once<T>(
        &self,
        call: &str,
        attempt: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, CallError> {
        let limit = self.limits.call;
        let detail = tokio::select! {
            answer = attempt => return answer.map_err(|error| CallError::from_kube(call, error)),
            () = sleep(limit) => format!("none within {limit:?}"),
            () = self.hurry.try_is_over() => "none in the time that is left for one try".to_owned(),
        };
        let call = call.to_owned();
        Err(CallError::Transport { call, detail })
    }

    /// Makes a call, again after faults that may pass.
    ///
    /// # Errors
    /// The last try's error.
    pub async fn call<T, F>(
        &self,
        call: &str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        self.tries(|| self.once(call, attempt())).await
    }

    /// Tries again after faults that may pass: as often as one call is tried, and then for as long as the
    /// connection is patient.
    async fn tries<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let Self { limits, waits, .. } = self;
        retry::tries(limits, waits, self.patience, CallError::outlook, attempt).await
    }

    /// Makes a call that changes something in the cluster once that is permitted, and gives it up when that is
    /// over.
    ///
    /// # Errors
    /// The call's own; or it was not permitted in the time of a call, which may pass.
    pub async fn change<T>(
        &self,
        call: &str,
        attempt: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let changed = self.permit.during(self.limits.call, attempt).await;
        changed.unwrap_or_else(|error| {
            Err(CallError::Transport {
                call: call.to_owned(),
                detail: error.to_string(),
            })
        })
    }

    /// Makes a GET once, of a path that no typed API knows, with a body where the endpoint wants one.
    /// An answer with an error status is an `Err`, which tells whose answer it was.
    ///
    /// # Errors
    /// As [`Connection::once`].
    pub async fn get(&self, path: &str, body: Vec<u8>) -> Result<http::Response<Body>, CallError> {
        let call = format!("GET {path}");
        let request = Request::get(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .map_err(|error| CallError::Nonsense {
                call: call.clone(),
                detail: error.to_string(),
            })?;
        let response = self.once(&call, self.client().send(request)).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let text = self.error_text(response.into_body()).await;
        let object: Option<kube::core::Status> = serde_json::from_str(&text).ok();
        Err(CallError::Answer {
            call,
            code,
            status: object.is_some(),
            message: object.map_or(text, |status| status.message),
            continue_token: None,
        })
    }

    /// Makes a GET, again after faults that may pass.
    ///
    /// # Errors
    /// The last try's error.
    pub async fn get_with_tries(
        &self,
        path: &str,
        body: &[u8],
    ) -> Result<http::Response<Body>, CallError> {
        self.tries(|| self.get(path, body.to_vec())).await
    }

    /// The text of an error's body, as far as it is worth repeating.
    async fn error_text(&self, body: Body) -> String {
        const LIMIT: usize = 64 * 1024;
        const SHOWN: usize = 1000;
        let collect = Limited::new(body, LIMIT).collect();
        let text = match tokio::time::timeout(self.limits.call, collect).await {
            Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).trim().to_owned(),
            Ok(Err(error)) => format!("(its body could not be read: {error})"),
            Err(_) => "(its body did not come)".to_owned(),
        };
        text[..text.floor_char_boundary(SHOWN)].to_owned()
    }
}
