//! The way from a response's body to a blocking reader, a chunk at a time.
//!
//! The async side owns the timeout and is what gets cancelled; the reader then sees an error, and never takes
//! that for the end.

use std::io::{self, BufRead, Read};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::sync::mpsc;

use crate::errors::chain;

/// Chunks on the way: enough to keep both sides busy, few enough for memory.
const CHUNKS: usize = 4;

/// What is sent from one side to the other.
#[derive(Debug)]
enum Piece {
    Data(Bytes),
    End,
    Failed(String),
}

/// The async side, which is given a body.
#[derive(Debug)]
pub(super) struct BodySender(mpsc::Sender<Piece>);

/// The side that is read, on a thread that may block.
#[derive(Debug)]
pub(super) struct BodyReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

/// Both sides.
pub(super) fn channel() -> (BodySender, BodyReader) {
    let (sender, pieces) = mpsc::channel(CHUNKS);
    let reader = BodyReader {
        pieces,
        current: Bytes::new(),
        ended: false,
    };
    (BodySender(sender), reader)
}

impl BodySender {
    /// Sends a body on until it ends, fails, stalls for `idle`, or nobody reads any more.
    pub(super) async fn send(self, mut body: Body, idle: Duration) {
        loop {
            let piece = match tokio::time::timeout(idle, body.frame()).await {
                Err(_) => Piece::Failed(format!("nothing came for {idle:?}")),
                Ok(None) => Piece::End,
                Ok(Some(Err(error))) => Piece::Failed(chain(&error)),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Piece::Data(data),
                    Err(_trailers) => continue,
                },
            };
            let is_last = !matches!(piece, Piece::Data(_));
            if self.0.send(piece).await.is_err() || is_last {
                return;
            }
        }
    }
}

impl BufRead for BodyReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Data(data)) => self.current = data,
                Some(Piece::End) => self.ended = true,
                Some(Piece::Failed(why)) => {
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, why));
                }
                None => return Err(io::Error::other("the dump was given up")),
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, bytes: usize) {
        self.current.advance(bytes);
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
