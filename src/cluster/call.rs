//! Calls to the API server: their timeout, their errors, and when one is tried again.

use std::future::Future;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Limited};
use kube::Client;
use kube::client::Body;

use super::permit::WritePermit;
use super::retry::{self, Outlook, Waits};
use crate::errors::{chain, on_handshake, unknown_to_tls};
use crate::limits::Limits;

/// A connection to the API server, with the limits of each call.
#[derive(Clone)]
pub struct Connection {
    /// The client, with no retries of its own.
    pub client: Client,
    /// A client each of whose calls has a socket of its own, so that none waits for an answer where one before
    /// it waits in vain.
    pub lone_client: Client,
    /// Whether something may be changed in the cluster now.
    pub permit: WritePermit,
    /// What is waited for now.
    pub waits: Waits,
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

/// The reason that a call did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The server answered with an error.
    #[error("{call}: the API server answered {code}: {message}")]
    Answer {
        /// The call.
        call: String,
        /// The HTTP status.
        code: u16,
        /// The message in its body.
        message: String,
        /// Whether the answer was kube-apiserver's own Status object, not a component's text.
        status: bool,
        /// The fresh continue token that comes with a 410 to a LIST.
        continue_token: Option<String>,
    },
    /// No answer came.
    #[error("{call}: no answer from the API server: {detail}")]
    Transport {
        /// The call.
        call: String,
        /// All causes, the outermost first.
        detail: String,
    },
    /// The way to the server is of a kind that no run can take.
    #[error("{call}: {detail}")]
    Unsupported {
        /// The call.
        call: String,
        /// What is not known, and what is.
        detail: String,
    },
    /// The answer could not be understood.
    #[error("{call}: the API server's answer makes no sense: {detail}")]
    Nonsense {
        /// The call.
        call: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl CallError {
    /// What it says of the same call a little later. One whose credentials were refused may pass: they may be
    /// replaced late, and a token's file is read anew each minute.
    pub fn outlook(&self) -> Outlook {
        match self {
            Self::Transport { .. }
            | Self::Answer {
                code: 401 | 429 | 500 | 502..=504,
                ..
            } => Outlook::MayPass,
            Self::Answer {
                code: 403 | 404 | 409 | 410,
                status: true,
                continue_token: None,
                ..
            } => Outlook::Refused,
            Self::Answer { .. } | Self::Unsupported { .. } | Self::Nonsense { .. } => {
                Outlook::Final
            }
        }
    }

    /// Whether the same call may succeed a little later.
    pub fn may_pass(&self) -> bool {
        self.outlook() == Outlook::MayPass
    }

    /// Whether it is about a pod that failed: of that virt-api tells as text.
    pub fn is_about_pod(&self) -> bool {
        matches!(
            self,
            Self::Answer {
                code: 500,
                status: false,
                ..
            }
        )
    }

    /// Whether it may pass, and be the API server's, or virt-api's, and not a pod's.
    pub fn is_outage(&self) -> bool {
        self.may_pass() && !self.is_about_pod()
    }

    /// Whether kube-apiserver's authorisation refused the call.
    pub fn is_denied(&self) -> bool {
        matches!(
            self,
            Self::Answer {
                code: 403,
                status: true,
                ..
            }
        )
    }

    /// Whether somebody has to change something before the same call can succeed: credentials,
    /// rights, the profiler's switch, the way there, or the API's being there.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::Answer { code, .. } => matches!(code, 401 | 403 | 404),
            Self::Unsupported { .. } => true,
            Self::Transport { .. } | Self::Nonsense { .. } => false,
        }
    }

    /// Whether the object, or the API itself, does not exist.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Answer { code: 404, .. })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "kube has many errors")]
    fn from_kube(call: &str, error: kube::Error) -> Self {
        let (call, detail) = (call.to_owned(), chain(&error));
        match error {
            kube::Error::Api(status) => Self::Answer {
                call,
                code: status.code,
                message: status.message,
                status: status.status.is_some(),
                continue_token: status.metadata.and_then(|meta| meta.continue_),
            },
            kube::Error::SerdeError(_) => Self::Nonsense { call, detail },
            error => match unknown_to_tls(&error) {
                Some(detail) => Self::Unsupported { call, detail },
                None => Self::Transport {
                    detail: detail + on_handshake(&error),
                    call,
                },
            },
        }
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
        match tokio::time::timeout(limit, attempt).await {
            Ok(answer) => answer.map_err(|error| CallError::from_kube(call, error)),
            Err(_) => Err(CallError::Transport {
                call: call.to_owned(),
                detail: format!("none within {limit:?}"),
            }),
        }
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
        let response = self.once(&call, self.client.send(request)).await?;
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
