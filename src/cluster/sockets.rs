//! The sockets of a client, whatever way they take: one type, for each would have a client of its own in the program.
//!
//! Requests that a proxy forwards (RFC 9112, 3.2.2) are among them, as Go's clients have those to `http://`: a CONNECT is
//! what proxies let pass to few ports, most of them to 443 alone.

use std::io::{Error, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt};

/// What makes sockets.
pub(super) type Sockets = BoxCloneSyncService<Uri, Socket, BoxError>;

/// What a socket can do.
trait Io: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Io for T {}

/// A socket. To one that is of a proxy which forwards, the client writes whole URLs.
pub(super) struct Socket {
    io: Box<dyn Io>,
    is_forwarded: bool,
}

/// Sockets of a connector.
pub(super) fn direct<C>(connector: C) -> Sockets
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send + 'static> + Clone + Send + Sync + 'static,
    C::Response: Read + Write + Connection + Send + Unpin + 'static,
{
    of(connector, false)
}

/// Sockets to the proxy, whatever is to be reached.
pub(super) fn forwarded<C>(proxy: Uri, connector: C) -> Sockets
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send + 'static> + Clone + Send + Sync + 'static,
    C::Response: Read + Write + Connection + Send + Unpin + 'static,
{
    of(connector.map_request(move |_: Uri| proxy.clone()), true)
}

fn of<C>(connector: C, is_forwarded: bool) -> Sockets
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send + 'static> + Clone + Send + Sync + 'static,
    C::Response: Read + Write + Connection + Send + Unpin + 'static,
{
    let socket = move |io: C::Response| Socket {
        io: Box::new(io),
        is_forwarded,
    };
    Sockets::new(connector.map_response(socket).map_err(Into::into))
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        let connected = self.io.connected();
        if self.is_forwarded {
            return connected.proxy(true);
        }
        connected
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut *self.io).poll_read(context, buffer)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        content: &[u8],
    ) -> Poll<Result<usize, Error>> {
        Pin::new(&mut *self.io).poll_write(context, content)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut *self.io).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut *self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        contents: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        Pin::new(&mut *self.io).poll_write_vectored(context, contents)
    }
}
