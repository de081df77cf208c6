//! The bodies of responses: pieces in order, large ones cut into chunks without being copied.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep, sleep},
};

/// The most bytes in one frame.
const CHUNK: usize = 64 * 1024;

/// HTTP/2 throws away what a broken stream has still to send, the headers included: this long, what
/// came before the break is let go first.
const LINGER: Duration = Duration::from_millis(50);

/// The connection is to be broken here, at once or never: then it only stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Here,
    AfterALongStall,
}

/// A time that is longer than anybody waits.
const STALL: Duration = Duration::from_secs(24 * 3600);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

/// A piece of a body, or the place where the connection breaks.
pub(crate) type Piece = Result<Bytes, Broken>;

/// A response's body.
pub(crate) struct Body {
    pieces: Box<dyn Iterator<Item = Piece> + Send>,
    /// What comes after them, as it happens.
    followed: Option<mpsc::Receiver<Piece>>,
    current: Bytes,
    /// The length, known only of a body that is whole: streamed ones are chunked, as the real ones.
    length: Option<u64>,
    deadline: Option<Instant>,
    /// Runs before the connection breaks.
    linger: Option<Pin<Box<Sleep>>>,
}

impl Body {
    /// A whole body of known length.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let current = bytes.into();
        let length = Some(current.len() as u64);
        Self {
            pieces: Box::new(std::iter::empty()),
            followed: None,
            current,
            length,
            deadline: None,
            linger: None,
        }
    }

    /// A body made while it is sent.
    pub(crate) fn lazy(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self::streamed(pieces.map(Ok))
    }

    /// A body of prepared pieces, which may break.
    pub(crate) fn pieces(pieces: VecDeque<Piece>) -> Self {
        Self::streamed(pieces.into_iter())
    }

    /// A body of pieces that are still to come.
    pub(crate) fn followed(pieces: mpsc::Receiver<Piece>) -> Self {
        Self {
            followed: Some(pieces),
            ..Self::streamed(std::iter::empty())
        }
    }

    fn streamed(pieces: impl Iterator<Item = Piece> + Send + 'static) -> Self {
        Self {
            pieces: Box::new(pieces),
            followed: None,
            current: Bytes::new(),
            length: None,
            deadline: None,
            linger: None,
        }
    }

    /// The same body, but the connection breaks if it is not sent by then. A reader that is too slow finds
    /// out when it asks for more.
    pub(crate) fn until(self, deadline: Instant) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        while self.linger.is_none() && self.current.is_empty() {
            let piece = match (self.pieces.next(), &mut self.followed) {
                (None, Some(followed)) => ready!(followed.poll_recv(context)),
                (piece, _) => piece,
            };
            match piece {
                Some(Ok(piece)) => self.current = piece,
                Some(Err(Broken::Here)) => self.linger = Some(Box::pin(sleep(LINGER))),
                Some(Err(Broken::AfterALongStall)) => self.linger = Some(Box::pin(sleep(STALL))),
                None => return Poll::Ready(None),
            }
        }
        if self.linger.is_none() && self.deadline.is_some_and(|it| Instant::now() >= it) {
            self.linger = Some(Box::pin(sleep(LINGER)));
        }
        if let Some(linger) = &mut self.linger {
            ready!(linger.as_mut().poll(context));
            return Poll::Ready(Some(Err(Broken::Here)));
        }
        let length = self.current.len().min(CHUNK);
        Poll::Ready(Some(Ok(Frame::data(self.current.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.length.is_some() && self.current.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
