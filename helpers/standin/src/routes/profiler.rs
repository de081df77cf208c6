//! virt-api: start, stop and dump, fanned out to the pods.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::StatusCode;
use serde::Deserialize;

use super::failure;
use crate::{
    body::Body,
    damage,
    list::{self, EXPIRED, ListError, Page, Query},
    page::{self, Entry},
    pod::Pod,
    profiler::Call,
    reply::{self, Reply},
    selector::Selector,
    shared::Shared,
    state::{Answer, Outcome, State},
};

/// Pods on a page when nothing is asked for, and at most.
const DEFAULT_PAGE: usize = 10;
const MAX_PAGE: usize = 20;

/// A dump that is under way.
struct Underway<'a>(&'a AtomicUsize);

impl<'a> Underway<'a> {
    /// Begins one more, if that is not too many.
    fn begin(shared: &'a Shared) -> Option<Self> {
        let begun = Self(&shared.dumps);
        let others = shared.dumps.fetch_add(1, Ordering::SeqCst);
        if others >= shared.options.dumps_at_once {
            return None;
        }
        shared.most_dumps.fetch_max(others + 1, Ordering::SeqCst);
        Some(begun)
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers one of the three calls. The gate comes first, before the body is looked at.
pub(crate) async fn answer(shared: &Shared, call: Call, body: &[u8]) -> Reply {
    if !shared.state.borrow().gate() {
        let what = match call {
            Call::Start => "start profiler",
            Call::Stop => "stop profiler",
            Call::Dump => "dump profiler results",
        };
        let message = format!("Unable to {what}. \"ClusterProfiler\" feature gate must be enabled");
        return reply::text(StatusCode::FORBIDDEN, message);
    }
    match call {
        Call::Start | Call::Stop => start_or_stop(shared, call).await,
        Call::Dump => dump(shared, body).await,
    }
}

/// Reaches the pods that are Ready now; one failure among them is a 500, whatever the others did.
async fn start_or_stop(shared: &Shared, call: Call) -> Reply {
    let answers = shared.change(|state| {
        state.starts += usize::from(call == Call::Start);
        let pods = state.ready();
        call_all(state, pods, call)
    });
    if answers.is_empty() {
        let message = "Internal error, no component pods found";
        return reply::text(StatusCode::INTERNAL_SERVER_ERROR, message);
    }
    match gather(shared, answers, call).await {
        Ok(_) => reply::empty(StatusCode::OK),
        Err(failure) => failure,
    }
}

/// The request's body; `pageSize` may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Asked {
    label_selector: String,
    #[serde(rename = "continue")]
    token: String,
    page_size: i64,
}

async fn dump(shared: &Shared, body: &[u8]) -> Reply {
    let Some(_underway) = Underway::begin(shared) else {
        let message = "too many requests, please try again later";
        return reply::status(StatusCode::TOO_MANY_REQUESTS, message);
    };
    let asked = match parse(body) {
        Ok(asked) => asked,
        Err(why) => {
            let message = format!("failed to parse cluster profiler request: {why}");
            return reply::text(StatusCode::BAD_REQUEST, message);
        }
    };
    let page = match next_page(shared, &asked) {
        Ok(page) => page,
        Err(why) => {
            let message =
                format!("Internal error while looking up component pods for profiling: {why}");
            return reply::text(StatusCode::BAD_REQUEST, message);
        }
    };
    let pods: Vec<_> = page
        .pods
        .into_iter()
        .filter(|pod| pod.is_ready_component())
        .collect();
    if pods.is_empty() {
        // The token is lost here, as it is in the real one.
        return reply::no_content();
    }
    let answers = shared.change(|state| call_all(state, pods, Call::Dump));
    match gather(shared, answers, Call::Dump).await {
        Ok(entries) => reply::stream(Body::pieces(page::print(entries, &page.token))),
        Err(failure) => failure,
    }
}

/// Reads the first JSON value, as Go's decoder does.
fn parse(body: &[u8]) -> Result<Asked, String> {
    match serde_json::Deserializer::from_slice(body)
        .into_iter()
        .next()
    {
        None => Err("EOF".to_owned()),
        Some(Err(error)) if error.is_eof() => Err("unexpected EOF".to_owned()),
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(asked)) => Ok(asked),
    }
}

fn next_page(shared: &Shared, asked: &Asked) -> Result<Page, String> {
    let selector = Selector::parse(&asked.label_selector)?;
    let limit = match usize::try_from(asked.page_size) {
        Ok(0) | Err(_) => DEFAULT_PAGE,
        Ok(size) => size.min(MAX_PAGE),
    };
    let query = Query {
        selector: &selector,
        limit,
        token: &asked.token,
    };
    list::list(&shared.state.borrow().revisions, &query).map_err(|error| match error {
        ListError::Invalid(message) => message,
        ListError::Expired { .. } => EXPIRED.to_owned(),
    })
}

fn call_all(state: &mut State, pods: Vec<Arc<Pod>>, call: Call) -> Vec<(Arc<Pod>, Answer)> {
    let now = SystemTime::now();
    pods.into_iter()
        .map(|pod| {
            let answer = state.call(&pod, call, now);
            (pod, answer)
        })
        .collect()
}

/// Waits for all pods at once and gathers what they say; the first failure is all that is told.
async fn gather(
    shared: &Shared,
    answers: Vec<(Arc<Pod>, Answer)>,
    call: Call,
) -> Result<Vec<Entry>, Reply> {
    let mut entries = Vec::new();
    let mut failures = Vec::new();
    let mut longest = Duration::ZERO;
    for (pod, mut answer) in answers {
        if call == Call::Dump {
            answer.after = answer.after.max(shared.options.pod_latency);
        }
        let after = answer.after.min(shared.options.pod_limit);
        longest = longest.max(after);
        match outcome(shared, &pod, answer, call) {
            Ok(files) => entries.extend(files),
            Err(failure) => failures.push((after, failure)),
        }
    }
    if !longest.is_zero() {
        tokio::time::sleep(longest).await;
    }
    match failures.into_iter().min_by_key(|(after, _)| *after) {
        None => Ok(entries),
        Some((_, first)) => {
            let message = format!("Internal error encountered: {first}");
            Err(reply::text(StatusCode::INTERNAL_SERVER_ERROR, message))
        }
    }
}

/// What one pod brings to a page, or virt-api's words for its failure.
fn outcome(shared: &Shared, pod: &Pod, answer: Answer, call: Call) -> Result<Vec<Entry>, String> {
    if answer.after > shared.options.pod_limit {
        return Err(failure::too_slow(pod, call));
    }
    match answer.outcome {
        Outcome::Status(status) => Err(failure::bad_status(pod, call, status)),
        Outcome::NoRoute => Err(failure::no_route(pod, call)),
        Outcome::Done(..) if call != Call::Dump => Ok(Vec::new()),
        Outcome::Done(cpu, damages) => {
            let entry = Entry {
                pod: pod.name.clone(),
                files: shared.profiles.files(cpu, &pod.name),
                left_open: false,
            };
            Ok(damage::apply(entry, &damages))
        }
    }
}
