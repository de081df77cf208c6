//! The faults a test can ask for: of one pod, of its data, or of a path of the API.

use std::time::{Duration, Instant};

use http::Method;

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The first so many calls.
    First(usize),
    /// Every call.
    Always,
    /// The call of this number, counted from 1, and no other.
    Only(usize),
    /// The call of this number, and every one for so long after it.
    From(usize, Duration),
    /// Every call before this time.
    Until(Instant),
}

impl Times {
    /// Whether the fault strikes this time; a limited one is used up by it.
    pub(crate) fn strike(&mut self) -> bool {
        match self {
            Self::Always => true,
            Self::First(0) => false,
            Self::First(left) => {
                *left -= 1;
                true
            }
            Self::Only(0) => false,
            Self::Only(number) => {
                *number -= 1;
                *number == 0
            }
            Self::From(number @ 2.., _) => {
                *number -= 1;
                false
            }
            Self::From(0 | 1, lasts) => {
                *self = Self::Until(Instant::now() + *lasts);
                true
            }
            Self::Until(end) => Instant::now() < *end,
        }
    }
}

/// What is wrong with one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It takes this long to answer start, stop and dump; longer than virt-api waits is a 500.
    Slow(Duration),
    /// It answers dump with 500.
    DumpFails(Times),
    /// It answers start with 500 and does not start; the other pods do.
    StartFails(Times),
    /// It answers stop with 500 and goes on profiling.
    StopFails(Times),
    /// It has not seen the gate yet: 403 to virt-api, which makes it a 500 for the caller.
    GateUnseen(Times),
    /// It answers dump with 200, but what the page then carries of it is damaged.
    Damaged(Damage, Times),
}

/// How a dump's page is damaged at one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The connection (HTTP/2: the stream) breaks inside the heap's base64,
    /// after a number of characters that is no multiple of four.
    BrokenInString,
    /// Nothing more comes at that same place, and the connection stays.
    StallsInString,
    /// The body ends cleanly at that same place.
    EndsInString,
    /// The body ends cleanly between two files, so that the JSON is not closed.
    EndsInStructure,
    /// Characters that are not base64 stand in the middle of the heap.
    InvalidBase64,
    /// The page also names these pods, whatever characters the names have.
    ExtraPods(Vec<String>),
    /// The pod's `pprofData` also has files of these names.
    ExtraFiles(Vec<String>),
    /// The file (`heap.pprof`) is not there.
    MissingFile(String),
    /// The file is a number where a string belongs.
    WrongType(String),
    /// The file has this content.
    Replaced(String, Vec<u8>),
}

/// What is wrong with a path of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteFault {
    /// The request's path ends with this (`/pods`, `/dump-cluster-profiler`).
    pub path: String,
    /// The request's body has this text somewhere.
    pub body: String,
    /// What is answered instead.
    pub answer: RouteAnswer,
    /// How often.
    pub times: Times,
}

impl RouteFault {
    /// A fault of the paths that end so.
    pub fn new(path: impl Into<String>, answer: RouteAnswer, times: Times) -> Self {
        Self {
            path: path.into(),
            body: String::new(),
            answer,
            times,
        }
    }

    /// The fault, but only of requests whose body has this text.
    pub fn of_body(self, text: impl Into<String>) -> Self {
        Self {
            body: text.into(),
            ..self
        }
    }
}

/// What a faulty path answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteAnswer {
    /// A Status of this code, as kube-apiserver makes them (503, 429 with Retry-After, 500, …).
    Status(u16),
    /// This code with plain text, as virt-api makes them; no pod is reached.
    Text(u16, String),
    /// The connection is closed without an answer.
    Hangup,
    /// No answer ever comes, and the connection stays.
    Hang,
    /// What the request asks for is done, then the connection is closed without an answer. It strikes
    /// only what changes something: no GET but those of start and stop.
    Unheard,
    /// An admission webhook says no to a write; it strikes nothing else.
    Denied,
    /// A gateway takes the body away, and what is left is answered.
    BodyRemoved,
    /// A gateway answers this code where the request has a body, or closes the connection; without one the
    /// request is answered.
    BodyRefused(Option<u16>),
}

impl RouteAnswer {
    /// Whether a request of this kind can meet it.
    pub fn strikes(&self, method: &Method, path: &str) -> bool {
        let profiler = ["/start-cluster-profiler", "/stop-cluster-profiler"];
        match self {
            Self::Status(_) | Self::Text(..) | Self::Hangup | Self::Hang => true,
            Self::BodyRemoved | Self::BodyRefused(_) => true,
            Self::Unheard => !method.is_safe() || profiler.iter().any(|call| path.ends_with(call)),
            Self::Denied => !method.is_safe() && !path.ends_with("accessreviews"),
        }
    }
}
