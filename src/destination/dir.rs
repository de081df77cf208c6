//! A directory as destination: a temporary name beside the final one, then a rename.

mod temporary;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use sha2::Digest;
use tokio::io::AsyncWriteExt;

use self::temporary::Temporary;
use super::download::Download;
use super::fault::DestinationError;
use super::found::{Found, judge, untrue};
use super::listed::{Listed, gather};
use crate::config::RunId;
use crate::errors::joined;
use crate::file;
use crate::manifest::{Archive, Sha256};

/// The probe's name: written the way archives and manifests are, and deleted.
const PROBE: &str = ".cluster-profiler-job.probe";

/// A directory for runs.
#[derive(Debug, Clone)]
pub struct Dir {
    path: PathBuf,
    /// The archive that was begun and not finished, under its temporary name.
    unfinished: Arc<Mutex<Option<PathBuf>>>,
}

/// An archive being written under its temporary name.
#[derive(Debug)]
pub struct DirUpload {
    temporary: Temporary,
    file: tokio::fs::File,
    hash: sha2::Sha256,
    bytes: u64,
}

impl Dir {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            unfinished: Arc::default(),
        }
    }

    pub(super) async fn probe(&self) -> Result<(), DestinationError> {
        self.blocking(|dir| {
            fs::create_dir_all(&dir.path)
                .map_err(|error| DestinationError::io("create the directory", &dir.path, &error))?;
            temporary::sweep(&dir.path);
            let probe = dir.path.join(PROBE);
            write_durably(&probe, b"cluster-profiler-job writes here\n")?;
            if let Err(error) = fs::remove_file(&probe) {
                tracing::warn!(%error, "the probe file cannot be deleted again; going on");
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn find(&self, run: &RunId) -> Result<Found, DestinationError> {
        let (archive, manifest) = (self.archive(run), self.manifest(run));
        self.blocking(move |_| {
            let there = size(&archive)?;
            let json = match fs::read(&manifest) {
                Ok(json) => json,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(there.map_or(Found::Absent, |_| Found::Unfinished));
                }
                Err(error) => return Err(DestinationError::io("read", &manifest, &error)),
            };
            let uri = manifest.display().to_string();
            Ok(judge(&uri, &json, |bytes| there == Some(bytes)))
        })
        .await
    }

    pub(super) async fn begin(&self, run: &RunId) -> Result<DirUpload, DestinationError> {
        let target = self.archive(run);
        let (temporary, file) = self.blocking(move |_| Temporary::beside(&target)).await?;
        *self.unfinished() = Some(temporary.path().to_owned());
        Ok(DirUpload {
            temporary,
            file: tokio::fs::File::from_std(file),
            hash: sha2::Sha256::new(),
            bytes: 0,
        })
    }

    pub(super) async fn abort(&self) -> Result<(), DestinationError> {
        let Some(path) = self.unfinished().take() else {
            return Ok(());
        };
        self.remove(path).await
    }

    fn unfinished(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn put_manifest(
        &self,
        run: &RunId,
        json: Vec<u8>,
    ) -> Result<(), DestinationError> {
        let target = self.manifest(run);
        self.blocking(move |_| write_durably(&target, &json)).await
    }

    pub(super) async fn remove_manifest(&self, run: &RunId) -> Result<(), DestinationError> {
        self.remove(self.manifest(run)).await
    }

    pub(super) async fn remove_archive(&self, run: &RunId) -> Result<(), DestinationError> {
        self.remove(self.archive(run)).await
    }

    async fn remove(&self, target: PathBuf) -> Result<(), DestinationError> {
        self.blocking(move |_| {
            let removed = file::remove(&target);
            removed.map_err(|error| DestinationError::io("remove", &target, &error))
        })
        .await
        .map(drop)
    }

    pub(super) async fn open(&self, run: &RunId) -> Result<Download, DestinationError> {
        let path = self.archive(run);
        let file = tokio::fs::File::open(&path).await;
        let file = file.map_err(|error| DestinationError::io("read", &path, &error))?;
        Ok(Download::of_file(path.display().to_string(), file))
    }

    pub(super) async fn list(&self) -> Result<Vec<Listed>, DestinationError> {
        self.blocking(|dir| {
            let fault = |error: io::Error| DestinationError::io("list", &dir.path, &error);
            let mut files = Vec::new();
            for entry in fs::read_dir(&dir.path).map_err(fault)? {
                let entry = entry.map_err(fault)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                // One that is gone by now, or has no time, is no run to speak of.
                let modified = entry.metadata().and_then(|there| there.modified());
                let modified = modified
                    .ok()
                    .and_then(|time| Timestamp::try_from(time).ok());
                files.extend(modified.map(|modified| (name, modified)));
            }
            Ok(gather(files))
        })
        .await
    }

    fn archive(&self, run: &RunId) -> PathBuf {
        self.path.join(format!("{}.tar.gz", run.stem()))
    }

    fn manifest(&self, run: &RunId) -> PathBuf {
        self.path.join(format!("{}.json", run.stem()))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, DestinationError> + Send + 'static,
    ) -> Result<T, DestinationError> {
        let dir = self.clone();
        joined(tokio::task::spawn_blocking(move || work(&dir)).await)
    }
}

/// An archive's size; `None` where there is none.
fn size(archive: &Path) -> Result<Option<u64>, DestinationError> {
    match fs::metadata(archive) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
        Ok(_) => Err(untrue(&archive.display().to_string(), "it is no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DestinationError::io("look for", archive, &error)),
    }
}

/// Writes a whole file, or none.
fn write_durably(target: &Path, content: &[u8]) -> Result<(), DestinationError> {
    let (temporary, mut file) = Temporary::beside(target)?;
    match file.write_all(content) {
        Ok(()) => temporary.publish(&file),
        Err(error) => {
            let fault = DestinationError::io("write", temporary.path(), &error);
            temporary.remove();
            Err(fault)
        }
    }
}

impl DirUpload {
    pub(super) async fn write(&mut self, data: Bytes) -> Result<(), DestinationError> {
        self.hash.update(&data);
        self.bytes += data.len() as u64;
        let written = self.file.write_all(&data).await;
        written.map_err(|error| self.fault(&error))
    }

    pub(super) async fn finish(mut self) -> Result<Archive, DestinationError> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| self.fault(&error))?;
        let Self {
            temporary,
            file,
            hash,
            bytes,
        } = self;
        let file = file.into_std().await;
        let uri = format!("file://{}", temporary.target().display());
        joined(tokio::task::spawn_blocking(move || temporary.publish(&file)).await)?;
        let sha256 = Sha256(hash.finalize().into());
        Ok(Archive { uri, bytes, sha256 })
    }

    fn fault(&self, error: &io::Error) -> DestinationError {
        DestinationError::io("write", self.temporary.path(), error)
    }
}
