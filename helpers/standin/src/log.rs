//! What was asked, for tests to look at.

use std::collections::BTreeMap;

use http::StatusCode;

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The credentials that came with it.
    pub authorization: Option<String>,
    /// The body as text.
    pub body: String,
    /// The status it was answered with; none yet, or none at all after a hang-up.
    pub status: Option<u16>,
}

/// Remembers the first requests one by one and counts all of them.
#[derive(Debug)]
pub(crate) struct Log {
    limit: usize,
    seen: Vec<Seen>,
    arrived: BTreeMap<String, usize>,
}

impl Log {
    /// A log of at most so many requests.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            seen: Vec::new(),
            arrived: BTreeMap::new(),
        }
    }

    /// A request arrives; its place is where the answer is noted later.
    pub(crate) fn arrive(&mut self, seen: Seen) -> Option<usize> {
        let last = seen.path.rsplit('/').next().unwrap_or_default();
        *self.arrived.entry(last.to_owned()).or_default() += 1;
        if self.seen.len() >= self.limit {
            return None;
        }
        self.seen.push(seen);
        Some(self.seen.len() - 1)
    }

    /// Notes what the request at this place was answered with.
    pub(crate) fn answer(&mut self, place: usize, status: StatusCode) {
        if let Some(seen) = self.seen.get_mut(place) {
            seen.status = Some(status.as_u16());
        }
    }

    /// The remembered requests in the order they came.
    pub(crate) fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// How many requests came whose path ends in this segment.
    pub(crate) fn arrived(&self, segment: &str) -> usize {
        self.arrived.get(segment).copied().unwrap_or_default()
    }
}
