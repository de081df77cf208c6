//! From a request to its answer, in the order the real ones look at things.

mod asked;
mod failure;
mod group;
mod nodes;
mod objects;
mod pods;
mod profiler;
mod review;
mod schema;
mod vms;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    fault::RouteAnswer,
    log::Seen,
    object::Key,
    profiler::Call,
    rbac, refusal,
    reply::{self, Reply},
    resource::Resource,
    router::{self, NoRoute, Route},
    shared::Shared,
};

/// The most bytes of a body that are read.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// Answers a request; `None` closes the connection without an answer.
pub(crate) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Option<Reply> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .ok()?
        .to_bytes();
    let place = shared.change(|state| state.log.arrive(seen(&parts, &body)));
    let reply = match fault(shared, &parts, &body) {
        Some(RouteAnswer::Hangup) => return None,
        Some(RouteAnswer::Hang) => return std::future::pending().await,
        Some(RouteAnswer::Unheard) => {
            dispatch(shared, &parts, &body, arrived).await;
            return None;
        }
        Some(RouteAnswer::Status(code)) => faulty_status(code),
        Some(RouteAnswer::Denied) => reply::refusal(refusal::denied(
            "validate.kubevirt.io",
            "as the test has it",
        )),
        Some(RouteAnswer::Text(code, text)) => reply::text(code_of(code), text),
        Some(RouteAnswer::BodyRemoved) => dispatch(shared, &parts, &Bytes::new(), arrived).await,
        Some(RouteAnswer::BodyRefused(code)) if !body.is_empty() => {
            reply::text(code_of(code?), "<html><body>Request refused</body></html>")
        }
        None | Some(RouteAnswer::BodyRefused(_)) => dispatch(shared, &parts, &body, arrived).await,
    };
    if let Some(place) = place {
        shared.change(|state| state.log.answer(place, reply.status()));
    }
    Some(reply)
}

async fn dispatch(shared: &Arc<Shared>, parts: &Parts, body: &Bytes, arrived: Instant) -> Reply {
    let route = match router::route(&parts.method, parts.uri.path()) {
        Ok(route) => route,
        Err(no_route) => return nowhere(&no_route),
    };
    let mut asked = route.attributes();
    if let (Route::Vms { .. }, Some(asked)) = (&route, &mut asked)
        && vms::is_watch(parts)
    {
        asked.verb = "watch";
    }
    let refusal = asked.and_then(|asked| rbac::refusal(&shared.options, &asked));
    if let Some(refusal) = refusal {
        return refusal;
    }
    if let Some(unserved) = unserved(shared, &route, parts) {
        return unserved;
    }
    match &route {
        Route::Version => version(),
        Route::ProfilerGroup => group::get("subresources.kubevirt.io", &["v1", "v1alpha3"]),
        Route::HyperConvergedGroup if !shared.options.hyperconverged => nowhere(&NoRoute::NotFound),
        Route::HyperConvergedGroup => group::get(
            Resource::HyperConvergeds.group(),
            shared.options.hyperconverged_api.served(),
        ),
        Route::KubeVirtSchema => schema::get(&shared.options),
        Route::Objects {
            resource: Resource::HyperConvergeds,
            ..
        } if !shared.options.hyperconverged => nowhere(&NoRoute::NotFound),
        Route::Objects {
            resource,
            verb,
            namespace,
            name,
        } => {
            let key = Key {
                resource: *resource,
                namespace: namespace.clone(),
                name: name.clone().unwrap_or_default(),
            };
            objects::answer(shared, *verb, key, parts, body)
        }
        Route::Nodes => nodes::list(shared, parts),
        Route::Pods { namespace } => pods::list(shared, namespace, parts),
        Route::Vms { kind, namespace } => vms::answer(shared, *kind, namespace.as_deref(), parts),
        Route::Review => review::create(&shared.options, body),
        Route::Profiler(call) => aggregated(shared, *call, body, arrived).await,
    }
}

/// The answer to a request for HyperConverged's object in a version that is not served, or that nothing converts
/// to.
fn unserved(shared: &Shared, route: &Route, parts: &Parts) -> Option<Reply> {
    let Route::Objects {
        resource: Resource::HyperConvergeds,
        ..
    } = route
    else {
        return None;
    };
    let version = parts.uri.path().split('/').nth(3).unwrap_or_default();
    let api = shared.options.hyperconverged_api;
    if !api.served().contains(&version) {
        return Some(nowhere(&NoRoute::NotFound));
    }
    let message = "conversion webhook for hco.kubevirt.io/v1, Kind=HyperConverged failed: Post \
         \"https://hco-webhook-service.kubevirt-hyperconverged.svc:4343/convert?timeout=30s\": \
         no endpoints available for service \"hco-webhook-service\"";
    (!api.converts(version)).then(|| reply::status(StatusCode::INTERNAL_SERVER_ERROR, message))
}

/// virt-api's answer as kube-apiserver passes it on: only for so long.
async fn aggregated(shared: &Shared, call: Call, body: &[u8], arrived: Instant) -> Reply {
    let deadline = arrived + shared.options.response_limit;
    let answer = profiler::answer(shared, call, body);
    match tokio::time::timeout_at(deadline, answer).await {
        Ok(reply) => reply.map(|body| body.until(deadline)),
        Err(_) => reply::status(
            StatusCode::GATEWAY_TIMEOUT,
            "Timeout: request did not complete within the allotted timeout",
        ),
    }
}

fn nowhere(why: &NoRoute) -> Reply {
    match why {
        NoRoute::NotFound => {
            let message = "the server could not find the requested resource";
            reply::status(StatusCode::NOT_FOUND, message)
        }
        NoRoute::MethodNotAllowed => {
            let message = "the server does not allow this method on the requested resource";
            reply::status(StatusCode::METHOD_NOT_ALLOWED, message)
        }
    }
}

fn version() -> Reply {
    let version = json!({
        "major": "1",
        "minor": "34",
        "gitVersion": "v1.34.2",
        "gitCommit": "8cc511e399b929453cd98ae65b419c3cc227ec79",
        "gitTreeState": "clean",
        "buildDate": "2025-11-11T19:02:11Z",
        "goVersion": "go1.24.9",
        "compiler": "gc",
        "platform": "linux/amd64",
    });
    reply::json(StatusCode::OK, &version)
}

fn fault(shared: &Shared, parts: &Parts, body: &[u8]) -> Option<RouteAnswer> {
    if shared.state.borrow().route_faults.is_empty() {
        return None;
    }
    let body = String::from_utf8_lossy(body);
    shared.change(|state| state.route_fault(&parts.method, parts.uri.path(), &body))
}

fn faulty_status(code: u16) -> Reply {
    let code = code_of(code);
    let message = match code {
        StatusCode::TOO_MANY_REQUESTS => "too many requests, please try again later.",
        StatusCode::SERVICE_UNAVAILABLE => "the server is currently unable to handle the request",
        _ => "an error on the server has prevented the request from succeeding",
    };
    reply::status(code, message)
}

fn code_of(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn seen(parts: &Parts, body: &[u8]) -> Seen {
    let authorization = parts.headers.get(http::header::AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    Seen {
        authorization: authorization.map(str::to_owned),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(body).into_owned(),
        status: None,
    }
}
