//! The way from a response's body to a blocking reader, some of its pieces at a time.
//!
//! The async side owns the timeout and is what gets cancelled; the reader then sees an error, and never takes
//! that for the end.

use std::io::{self, BufRead, Read};
use std::time::Duration;
use std::vec;

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::sync::mpsc;

use crate::errors::chain;

/// Bytes that are sent at once. A body comes in pieces of some KiB, and each that is sent wakes a thread.
const BATCH: usize = 128 * 1024;

/// The most pieces that are sent at once, however small they are.
const PIECES: usize = 64;

/// Batches on the way, beside the one that is gathered and the one that is read.
const BATCHES: usize = 1;

/// The pieces that are sent from one side to the other at once.
#[derive(Debug, Default)]
struct Batch {
    pieces: Vec<Bytes>,
    /// What comes after them, if it is not another batch.
    last: Option<Last>,
}

/// How a body ends.
#[derive(Debug)]
enum Last {
    End,
    Failed(String),
}

/// The async side, which is given a body.
#[derive(Debug)]
pub(super) struct BodySender(mpsc::Sender<Batch>);

/// The side that is read, on a thread that may block.
#[derive(Debug)]
pub(super) struct BodyReader {
    batches: mpsc::Receiver<Batch>,
    pieces: vec::IntoIter<Bytes>,
    current: Bytes,
    last: Option<Last>,
}

/// Both sides.
pub(super) fn channel() -> (BodySender, BodyReader) {
    let (sender, batches) = mpsc::channel(BATCHES);
    let reader = BodyReader {
        batches,
        pieces: Vec::new().into_iter(),
        current: Bytes::new(),
        last: None,
    };
    (BodySender(sender), reader)
}

impl BodySender {
    /// Sends a body on until it ends, fails, stalls for `idle`, or nobody reads any more.
    pub(super) async fn send(self, mut body: Body, idle: Duration) {
        loop {
            let batch = Batch::gather(&mut body, idle).await;
            let is_last = batch.last.is_some();
            if self.0.send(batch).await.is_err() || is_last {
                return;
            }
        }
    }
}

impl Batch {
    async fn gather(body: &mut Body, idle: Duration) -> Self {
        let mut batch = Self::default();
        let mut bytes = 0;
        while bytes < BATCH && batch.pieces.len() < PIECES && batch.last.is_none() {
            match tokio::time::timeout(idle, body.frame()).await {
                Err(_) => batch.last = Some(Last::Failed(format!("nothing came for {idle:?}"))),
                Ok(None) => batch.last = Some(Last::End),
                Ok(Some(Err(error))) => batch.last = Some(Last::Failed(chain(&error))),
                Ok(Some(Ok(frame))) => {
                    // Trailers are no data.
                    let data = frame.into_data().unwrap_or_default();
                    bytes += data.len();
                    batch.pieces.push(data);
                }
            }
        }
        batch
    }
}

impl BodyReader {
    /// The next piece; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.pieces.next() {
                return Ok(Some(piece));
            }
            match &self.last {
                None => {}
                Some(Last::End) => return Ok(None),
                Some(Last::Failed(why)) => {
                    let why = why.clone();
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, why));
                }
            }
            let given_up = || io::Error::other("the dump was given up");
            let batch = self.batches.blocking_recv().ok_or_else(given_up)?;
            self.pieces = batch.pieces.into_iter();
            self.last = batch.last;
        }
    }
}

impl BufRead for BodyReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty()
            && let Some(piece) = self.next()?
        {
            self.current = piece;
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
