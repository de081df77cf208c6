//! Connections, and the faults that stand between a request and its answer.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::fault::Answer;
use crate::state::{BUCKET, Seen, Shared, State};
use crate::uploads;

/// The connection is to be closed without an answer.
type HungUp = std::io::Error;

/// Serves until it is aborted; the connections end with it.
pub(crate) async fn serve(listener: TcpListener, config: Arc<ServerConfig>, shared: Arc<Shared>) {
    let acceptor = TlsAcceptor::from(config);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(acceptor.clone(), stream, Arc::clone(&shared)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection. How it ends is the client's business.
async fn connection(acceptor: TlsAcceptor, stream: TcpStream, shared: Arc<Shared>) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let hang_up = Arc::new(Notify::new());
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, hang_up) = (Arc::clone(&shared), Arc::clone(&hang_up));
        async move {
            let reply = answer(&shared, request).await;
            if reply.is_none() {
                hang_up.notify_one();
            }
            reply.ok_or_else(|| HungUp::other("hung up on purpose"))
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    tokio::select! {
        _ = builder.serve_connection(TokioIo::new(stream), service) => {}
        () = hang_up.notified() => {}
    }
}

/// Answers a request; `None` closes the connection without an answer.
async fn answer(shared: &Shared, request: Request<Incoming>) -> Option<Response<Body>> {
    let header = request.headers().get(header::CONTENT_LENGTH);
    let length = header.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let (method, target) = (request.method().to_string(), request.uri().to_string());
    let mut strikes = None;
    shared.state.send_modify(|state| {
        let mut faults = state.faults.iter_mut();
        strikes = faults.find_map(|fault| fault.strikes(&method, &target));
        state.seen.push(Seen {
            method,
            target,
            headers: request.headers().clone(),
        });
    });
    let half = length.unwrap_or_default() / 2;
    match strikes {
        None => Some(serve_s3(shared, request).await),
        Some(Answer::Refused(status, code)) => {
            // The body is read first: a client that is still sending might not hear the answer.
            drop(request.into_body().collect().await);
            Some(error(status, code))
        }
        Some(Answer::Redirected(status, server)) => {
            let location = format!("{server}{}", request.uri());
            drop(request.into_body().collect().await);
            let mut reply = Response::new(Body::empty());
            *reply.status_mut() = http::StatusCode::from_u16(status).expect("a status");
            let location = HeaderValue::from_str(&location).expect("a header's value");
            reply.headers_mut().insert(header::LOCATION, location);
            Some(reply)
        }
        Some(Answer::Elsewhere(status, endpoint)) => {
            drop(request.into_body().collect().await);
            let mut reply = error(status, "PermanentRedirect");
            *reply.body_mut() = Body::from(format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>PermanentRedirect</Code>\
                 <Message>elsewhere</Message><Endpoint>{endpoint}</Endpoint></Error>"
            ));
            Some(reply)
        }
        Some(Answer::TooMany(seconds)) => {
            drop(request.into_body().collect().await);
            let mut reply = Response::new(Body::empty());
            *reply.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
            let seconds = seconds.map(HeaderValue::from);
            reply
                .headers_mut()
                .extend(seconds.map(|seconds| (header::RETRY_AFTER, seconds)));
            Some(reply)
        }
        Some(Answer::ErrorIn200(code)) => {
            drop(request.into_body().collect().await);
            Some(error(200, code))
        }
        Some(Answer::Reset) => {
            let (mut body, mut read) = (request.into_body(), 0);
            while read < half {
                let frame = body.frame().await?.ok()?;
                read += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            None
        }
        Some(Answer::Unheard) => {
            drop(serve_s3(shared, request).await);
            None
        }
        Some(Answer::Unmarked) => {
            let mut reply = serve_s3(shared, request).await;
            let all: Vec<_> = reply.headers().keys().cloned().collect();
            for name in all
                .iter()
                .filter(|name| name.as_str().starts_with("x-amz-meta-"))
            {
                reply.headers_mut().remove(name);
            }
            Some(reply)
        }
        Some(Answer::LastOfConnection) => {
            let mut reply = serve_s3(shared, request).await;
            let close = HeaderValue::from_static("close");
            reply.headers_mut().insert(header::CONNECTION, close);
            Some(reply)
        }
        Some(Answer::Hangs) => std::future::pending().await,
    }
}

async fn serve_s3(shared: &Shared, request: Request<Incoming>) -> Response<Body> {
    if uploads::asks(&request, &Method::GET) {
        return uploads::listed(&shared.root, &shared.state.borrow());
    }
    let begins = uploads::asks(&request, &Method::POST);
    let path = request.uri().path().to_owned();
    let (parts, body) = request.into_parts();
    // A body that breaks off is one that its checksum does not fit.
    let body = body.collect().await.map(|body| body.to_bytes());
    let request = Request::from_parts(parts, Body::from(body.unwrap_or_default()));
    let answered = shared.service.call(request).await;
    let answered = answered.unwrap_or_else(|_| error(500, "InternalError"));
    if !begins {
        return answered;
    }
    let key = path.trim_start_matches(&format!("/{BUCKET}/"));
    let (answered, begun) = uploads::note(key, answered).await;
    let note = |state: &mut State| state.begun.extend(begun);
    shared.state.send_modify(note);
    answered
}

fn error(status: u16, code: &str) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>as the test \
         has it</Message></Error>"
    );
    let mut reply = Response::new(Body::from(text));
    *reply.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    let xml = HeaderValue::from_static("application/xml");
    reply.headers_mut().insert(header::CONTENT_TYPE, xml);
    reply
}
