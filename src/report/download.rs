//! An archive that is read while it arrives.

use std::io;

use sha2::Digest;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::archive::read_archive;
use super::store::ProfileStore;
use crate::config::{RunFile, RunId};
use crate::destination::{ChunkReader, Destination, DestinationError};
use crate::errors::joined;
use crate::limits::PIECES_WAITING;
use crate::manifest::{Sha256, StoredFile};

/// Reads a run's profiles. That the archive is not what its manifest says is noted, and what it has is read
/// nevertheless.
///
/// # Errors
/// The destination cannot be read.
pub async fn download(
    place: &Destination,
    run: &RunId,
    expected: &StoredFile,
    mut store: ProfileStore,
) -> Result<ProfileStore, DestinationError> {
    let mut download = place.open(run, RunFile::Archive).await?;
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    let reading = spawn_blocking(move || {
        let mut chunks = ChunkReader::new(receiver);
        read_archive(&mut chunks, &mut store);
        // What stands behind the archive's end belongs to its hash.
        let _ = io::copy(&mut chunks, &mut io::sink());
        store
    });
    let (mut hash, mut bytes) = (sha2::Sha256::new(), 0);
    let mut downloaded = Ok(());
    loop {
        match download.next().await {
            Ok(Some(piece)) => {
                hash.update(&piece);
                bytes += piece.len() as u64;
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                downloaded = Err(error);
                break;
            }
        }
    }
    drop(sender);
    let mut store = joined(reading.await);
    downloaded?;
    let sha256 = Sha256(hash.finalize().into());
    if let Some(fault) = expected.fault_of(bytes, sha256) {
        store.note_unread("the archive", format!("it {fault}"));
    }
    Ok(store)
}
