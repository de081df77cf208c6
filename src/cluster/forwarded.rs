//! Requests that a proxy forwards (RFC 9112, 3.2.2), as Go's clients have those to `http://`: a CONNECT is what
//! proxies let pass to few ports, most of them to 443 alone.

use std::io::{Error, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower::{Service, ServiceExt};

/// A connection to a proxy. As it says that it is one, the client writes whole URLs into what it sends.
pub(super) struct Forwarded<T>(T);

/// A connector that connects to the proxy, whatever is to be reached.
pub(super) fn forwarded<C>(
    proxy: Uri,
    connector: C,
) -> impl Service<Uri, Response = Forwarded<C::Response>, Error = C::Error, Future: Send + 'static>
+ Clone
+ Send
+ Sync
+ 'static
where
    C: Service<Uri, Future: Send + 'static> + Clone + Send + Sync + 'static,
{
    connector
        .map_request(move |_: Uri| proxy.clone())
        .map_response(Forwarded)
}

impl<T: Connection> Connection for Forwarded<T> {
    fn connected(&self) -> Connected {
        self.0.connected().proxy(true)
    }
}

impl<T: Read + Unpin> Read for Forwarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<T: Write + Unpin> Write for Forwarded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        content: &[u8],
    ) -> Poll<Result<usize, Error>> {
        Pin::new(&mut self.0).poll_write(context, content)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        contents: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        Pin::new(&mut self.0).poll_write_vectored(context, contents)
    }
}
