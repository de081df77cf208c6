//! Paging through the pods, as kube-apiserver LISTs them for the client and for virt-api alike.

use std::sync::Arc;

use crate::{
    pod::Pod,
    revisions::Revisions,
    selector::Selector,
    token::{INCONSISTENT, Token},
};

/// What is asked for.
pub(crate) struct Query<'a> {
    pub(crate) selector: &'a Selector,
    /// Zero is no limit.
    pub(crate) limit: usize,
    /// Empty is the first page.
    pub(crate) token: &'a str,
}

/// One page of pods.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) revision: i64,
    pub(crate) pods: Vec<Arc<Pod>>,
    /// Empty on the last page.
    pub(crate) token: String,
    /// Only known without a selector.
    pub(crate) remaining: Option<usize>,
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum ListError {
    /// The token makes no sense; the API server's words.
    Invalid(String),
    /// The token's revision was compacted away; the fresh one goes on at the same key.
    Expired {
        /// A token for what is there now.
        fresh: String,
    },
}

/// What the API server says of a token that is too old.
pub(crate) const EXPIRED: &str = "The provided continue parameter is too old to display a \
    consistent list result. You can start a new list without the continue parameter, or use the \
    continue token in this response to retrieve the remainder of the results. Continuing with the \
    provided token results in an inconsistent list - objects that were created, modified, or \
    deleted between the time the first chunk was returned and now may show up in the list.";

/// Reads one page.
pub(crate) fn list(revisions: &Revisions, query: &Query<'_>) -> Result<Page, ListError> {
    let selector = query.selector.to_string();
    if query.token.is_empty() {
        return Ok(page(revisions.pods(), revisions.current(), "", query));
    }
    let token = Token::decode(query.token).map_err(ListError::Invalid)?;
    let revision = if token.revision == INCONSISTENT {
        revisions.current()
    } else {
        token.revision
    };
    let Some(pods) = revisions.at(revision) else {
        return Err(ListError::Expired {
            fresh: token.inconsistent().encode(),
        });
    };
    if token.selector != selector {
        return Ok(Page {
            revision,
            pods: Vec::new(),
            token: String::new(),
            remaining: None,
        });
    }
    Ok(page(pods, revision, &token.start, query))
}

/// Fills a page from the first key not before `start`. As in etcd's store there is a token whenever
/// any key follows, so the page after the last match may be empty.
fn page(pods: &[Arc<Pod>], revision: i64, start: &str, query: &Query<'_>) -> Page {
    let limit = if query.limit == 0 {
        usize::MAX
    } else {
        query.limit
    };
    let rest = &pods[pods.partition_point(|pod| pod.name.as_str() < start)..];
    let matching = rest
        .iter()
        .enumerate()
        .filter(|(_, pod)| query.selector.matches(pod));
    let taken: Vec<_> = matching.take(limit).collect();
    let read = match taken.last() {
        Some((index, _)) if taken.len() == limit => index + 1,
        _ => rest.len(),
    };
    let more = read < rest.len();
    let token = match taken.last() {
        Some((_, pod)) if more => {
            Token::after(&pod.name, revision, query.selector.to_string()).encode()
        }
        _ => String::new(),
    };
    Page {
        revision,
        token,
        remaining: (more && query.selector.is_empty()).then_some(rest.len() - read),
        pods: taken.into_iter().map(|(_, pod)| Arc::clone(pod)).collect(),
    }
}
