//! Virtual machines and their instances: LIST, with tokens, and WATCH.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{StatusCode, header, request::Parts};
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    body::{Body, Broken, Piece},
    list::EXPIRED,
    reply::{self, Reply},
    selector::Selector,
    shared::Shared,
    token::{INCONSISTENT, Token},
    vm_object,
    vms::{Vm, VmKind, WatchEnd},
};

/// The most events that are sent in one piece.
const BATCH: usize = 200;

/// What is asked for.
#[derive(Default)]
struct Asked {
    namespace: Option<String>,
    selector: Selector,
    limit: usize,
    token: String,
    revision: i64,
    bookmarks: bool,
    seconds: u64,
    metadata_only: bool,
}

impl Asked {
    fn parse(namespace: Option<&str>, parts: &Parts) -> Result<Self, String> {
        let accept = parts.headers.get(header::ACCEPT);
        let accept = accept.and_then(|accept| accept.to_str().ok());
        let mut asked = Self {
            namespace: namespace.map(str::to_owned),
            seconds: 1800,
            metadata_only: accept.is_some_and(|it| it.contains("as=PartialObjectMetadata")),
            ..Self::default()
        };
        let query = parts.uri.query().unwrap_or_default();
        let number = |value: &str| value.parse().map_err(|_| format!("invalid {value:?}"));
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "labelSelector" => asked.selector = Selector::parse(&value)?,
                "limit" => asked.limit = number(&value)? as usize,
                "continue" => asked.token = value.into_owned(),
                "resourceVersion" if !value.is_empty() => asked.revision = number(&value)?,
                "allowWatchBookmarks" => asked.bookmarks = value == "true",
                "timeoutSeconds" => asked.seconds = number(&value)? as u64,
                _ => {}
            }
        }
        Ok(asked)
    }

    fn is_of(&self, vm: &Vm) -> bool {
        let here = self.namespace.as_ref();
        let label = |key: &str| (vm.label.0 == key).then_some(&vm.label.1);
        here.is_none_or(|here| *here == vm.known.namespace) && self.selector.matches_labels(label)
    }
}

/// Whether a request is a watch.
pub(crate) fn is_watch(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.any(|(key, value)| key == "watch" && (value == "true" || value == "1"))
}

/// Answers a LIST or a WATCH.
pub(crate) fn answer(
    shared: &Arc<Shared>,
    kind: VmKind,
    namespace: Option<&str>,
    parts: &Parts,
) -> Reply {
    let asked = match Asked::parse(namespace, parts) {
        Ok(asked) => asked,
        Err(message) => return reply::status(StatusCode::BAD_REQUEST, &message),
    };
    if is_watch(parts) {
        watch(shared, kind, asked)
    } else {
        list(shared, kind, &asked)
    }
}

fn list(shared: &Shared, kind: VmKind, asked: &Asked) -> Reply {
    let state = shared.state.borrow();
    let current = state.revisions.current();
    let (mut revision, mut start) = (current, String::new());
    if !asked.token.is_empty() {
        let token = match Token::decode(&asked.token) {
            Ok(token) => token,
            Err(message) => return reply::status(StatusCode::BAD_REQUEST, &message),
        };
        if token.revision != INCONSISTENT {
            revision = token.revision;
        }
        if state.revisions.at(revision).is_none() {
            let fresh = token.inconsistent().encode();
            return reply::status_with_token(StatusCode::GONE, EXPIRED, &fresh);
        }
        start = token.start;
    }
    let limit = if asked.limit == 0 {
        usize::MAX
    } else {
        asked.limit
    };
    let found = state.vms.of(kind).at(revision, &start);
    let mut found = found.filter(|(_, vm)| asked.is_of(vm)).peekable();
    let mut items = Vec::new();
    let mut last = "";
    while items.len() < limit
        && let Some((key, vm)) = found.next()
    {
        items.push(vm_object::json(kind, vm, asked.metadata_only));
        last = key;
    }
    let mut metadata = json!({ "resourceVersion": revision.to_string() });
    if found.peek().is_some() {
        if asked.selector.is_empty() {
            // The API server counts without a selector only.
            metadata["remainingItemCount"] = json!(found.by_ref().count());
        }
        let token = Token::after(last, revision, asked.selector.to_string());
        metadata["continue"] = json!(token.encode());
    }
    let (word, version) = if asked.metadata_only {
        ("PartialObjectMetadata", "meta.k8s.io/v1")
    } else {
        (kind.kind(), "kubevirt.io/v1")
    };
    let items = if items.is_empty() && asked.metadata_only {
        // The API server makes such a list anew, and Go writes a slice that nothing was added to so.
        "null".to_owned()
    } else {
        format!("[{}]", items.join(","))
    };
    let text = format!(
        r#"{{"apiVersion":"{version}","items":{items},"kind":"{word}List","metadata":{metadata}}}"#,
    );
    reply::stream(Body::lazy([Bytes::from(text)].into_iter()))
}

fn watch(shared: &Arc<Shared>, kind: VmKind, asked: Asked) -> Reply {
    let end = shared.change(|state| {
        let ends = &mut state.vms.watch_ends;
        (kind == VmKind::Instance && !ends.is_empty()).then(|| ends.remove(0))
    });
    if matches!(end, Some((_, WatchEnd::GoneAtOnce))) {
        return reply::status(StatusCode::GONE, &too_old(asked.revision));
    }
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(follow(Arc::clone(shared), kind, asked, end, sender));
    reply::stream(Body::followed(receiver))
}

fn too_old(revision: i64) -> String {
    format!("too old resource version: {revision} ({})", revision + 1000)
}

fn gone(revision: i64) -> String {
    let status = json!({
        "type": "ERROR",
        "object": {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": too_old(revision),
            "reason": "Expired",
            "code": 410,
        },
    });
    format!("{status}\n")
}

fn bookmark(kind: VmKind, revision: i64, metadata_only: bool) -> String {
    let (word, version) = if metadata_only {
        ("PartialObjectMetadata", "meta.k8s.io/v1")
    } else {
        (kind.kind(), "kubevirt.io/v1")
    };
    let event = json!({
        "type": "BOOKMARK",
        "object": {
            "kind": word,
            "apiVersion": version,
            "metadata": { "resourceVersion": revision.to_string(), "creationTimestamp": null },
        },
    });
    format!("{event}\n")
}

/// Sends what happens after a revision, until nobody listens, the time is over, or a fault ends it.
async fn follow(
    shared: Arc<Shared>,
    kind: VmKind,
    asked: Asked,
    end: Option<(usize, WatchEnd)>,
    sender: mpsc::Sender<Piece>,
) {
    let deadline = Instant::now() + Duration::from_secs(asked.seconds);
    let mut changes = shared.state.subscribe();
    let mut at = None;
    let mut sent = 0;
    loop {
        let mut text = String::new();
        let mut is_over = false;
        let mut has_more = false;
        {
            let state = changes.borrow_and_update();
            let versions = state.vms.of(kind);
            let from = *at.get_or_insert_with(|| versions.events_until(asked.revision));
            if state.revisions.at(asked.revision).is_none() && sent == 0 {
                text = gone(asked.revision);
                is_over = true;
            }
            let mut next = from;
            while !is_over && next < versions.events.len() && next < from + BATCH {
                if end.is_some_and(|(after, _)| sent >= after) {
                    is_over = true;
                    break;
                }
                let event = &versions.events[next];
                next += 1;
                if asked.is_of(&event.vm) {
                    let object = vm_object::json(kind, &event.vm, asked.metadata_only);
                    text += &format!("{{\"type\":\"{}\",\"object\":{object}}}\n", event.kind);
                    sent += 1;
                }
            }
            is_over |= end.is_some_and(|(after, _)| sent >= after);
            has_more |= next < versions.events.len();
            at = Some(next);
        }
        let mut pieces = Vec::new();
        let is_cut = is_over && matches!(end, Some((_, WatchEnd::Cut)));
        if is_over && matches!(end, Some((_, WatchEnd::Gone))) {
            text += &gone(asked.revision);
        }
        if is_over && matches!(end, Some((_, WatchEnd::Bookmark))) {
            let revision = shared.change(|state| state.revisions.write());
            text += &bookmark(kind, revision, asked.metadata_only);
        }
        if !text.is_empty() {
            pieces.push(Ok(Bytes::from(text)));
        }
        if is_cut {
            pieces.push(Err(Broken::Here));
        }
        for piece in pieces {
            if sender.send(piece).await.is_err() {
                return;
            }
        }
        if is_over {
            return;
        }
        if has_more {
            continue;
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = sender.closed() => return,
            () = sleep_until(deadline) => {
                if asked.bookmarks {
                    let revision = shared.state.borrow().revisions.current();
                    let text = bookmark(kind, revision, asked.metadata_only);
                    let _ = sender.send(Ok(Bytes::from(text))).await;
                }
                return;
            }
        }
    }
}
