//! The state of the server, shared by all requests.

use std::path::PathBuf;

use http::HeaderMap;
use s3s::service::S3Service;
use tokio::sync::watch;

use crate::fault::Fault;

/// The bucket that is there from the beginning.
pub const BUCKET: &str = "profiles";

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
}

/// Everything that a request needs.
pub(crate) struct Shared {
    pub(crate) service: S3Service,
    pub(crate) state: watch::Sender<State>,
    /// The directory of s3s-fs.
    pub(crate) root: PathBuf,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The requests so far, the faults to come, and the uploads that were begun.
#[derive(Debug, Default)]
pub struct State {
    /// Every request, in order.
    pub seen: Vec<Seen>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) begun: Vec<Begun>,
}

/// A multipart upload that was begun.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) key: String,
    pub(crate) id: String,
}
