//! Accepts connections and speaks HTTP/1.1 or HTTP/2 on them, whichever the client chose.

use std::{fmt, sync::Arc};

use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{routes, shared::Shared};

/// The streams kube-apiserver allows on a connection.
const STREAMS: u32 = 250;

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct HungUp;

impl fmt::Display for HungUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hung up on purpose")
    }
}

impl std::error::Error for HungUp {}

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

/// Serves one connection. How it ends is the client's business: there is nobody to tell.
async fn connection(acceptor: TlsAcceptor, stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).ok();
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let hang_up = Arc::new(Notify::new());
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, hang_up) = (Arc::clone(&shared), Arc::clone(&hang_up));
        async move {
            let reply = routes::answer(&shared, request).await;
            if reply.is_none() {
                hang_up.notify_one();
            }
            reply.ok_or(HungUp)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(STREAMS);
    tokio::select! {
        _ = builder.serve_connection(TokioIo::new(stream), service) => {}
        () = hang_up.notified() => {}
    }
}
