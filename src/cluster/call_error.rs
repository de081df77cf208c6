//! The errors of calls to the API server, and what each says of the next try.

use super::retry::Outlook;
use crate::errors::{chain, on_handshake, unknown_to_tls};

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
            // What is wrong with the call itself, that the profiler is off, and a list that begins anew.
            Self::Answer {
                code: 400 | 422, ..
            }
            | Self::Answer {
                code: 403,
                status: false,
                ..
            }
            | Self::Answer {
                continue_token: Some(_),
                ..
            }
            | Self::Unsupported { .. }
            | Self::Nonsense { .. } => Outlook::Final,
            Self::Answer { .. } => Outlook::Refused,
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

    /// Whether the API server has too much to do for it.
    pub fn is_overload(&self) -> bool {
        matches!(self, Self::Answer { code: 429, .. })
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
    pub(super) fn from_kube(call: &str, error: kube::Error) -> Self {
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
