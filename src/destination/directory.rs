//! A directory as destination. A file is written under a temporary name beside its final one, then renamed.

mod download;
mod temporary;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use jiff::Timestamp;
use sha2::Digest;
use tokio::io::AsyncWriteExt;

pub use self::download::DirectoryDownload;
use self::temporary::{Temporary, write_durably};
use super::error::DestinationError;
use super::runs::{Found, Listed, check_manifest, from_files, invalid};
use super::summary::Summary;
use crate::config::{RunFile, RunId};
use crate::errors::{joined, lock};
use crate::file;
use crate::manifest::{Sha256, StoredFile};

/// The name of the probe: a file that is written as archives and manifests are, and deleted.
const PROBE: &str = ".cluster-profiler-job.probe";

/// The size of the probe: some blocks, for the last one, or an inode, takes a smaller file on a disk that is full.
const PROBE_SIZE: usize = 16 * 1024;

/// A directory for runs.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
    /// The temporary name of the archive that was begun and is not finished.
    unfinished: Arc<Mutex<Option<PathBuf>>>,
}

/// An archive that is being written into a directory, under its temporary name.
#[derive(Debug)]
pub struct DirectoryUpload {
    temporary: Temporary,
    file: tokio::fs::File,
    hash: sha2::Sha256,
    bytes: u64,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            unfinished: Arc::default(),
        }
    }

    pub(super) async fn probe(&self) -> Result<(), DestinationError> {
        self.blocking(|directory| {
            let path = &directory.path;
            fs::create_dir_all(path)
                .map_err(|error| DestinationError::io("create the directory", path, &error))?;
            let probe = path.join(PROBE);
            write_durably(&probe, &[b'.'; PROBE_SIZE])?;
            if let Err(error) = fs::remove_file(&probe) {
                tracing::warn!(%error, "the probe file cannot be deleted again; going on");
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn find(&self, run: &RunId) -> Result<Found, DestinationError> {
        let archive = self.file(run, RunFile::Archive);
        let manifest = self.file(run, RunFile::Manifest);
        let run = run.clone();
        self.blocking(move |_| {
            let archive_size = size(&archive)?;
            if size(&manifest)?.is_none() {
                return Ok(archive_size.map_or(Found::Absent, Found::Unfinished));
            }
            let fault = |error: io::Error| DestinationError::io("read", &manifest, &error);
            let read = fs::File::open(&manifest).and_then(Summary::read);
            let read = read.map_err(fault)?;
            let path = manifest.display().to_string();
            Ok(check_manifest(&path, &run, read, |bytes| {
                archive_size == Some(bytes)
            }))
        })
        .await
    }

    pub(super) async fn manifest<T: Send + 'static>(
        &self,
        run: &RunId,
        parse: impl FnOnce(fs::File) -> io::Result<Result<T, String>> + Send + 'static,
    ) -> Result<T, DestinationError> {
        let path = self.file(run, RunFile::Manifest);
        self.blocking(move |_| {
            let read = fs::File::open(&path).and_then(parse);
            let read = read.map_err(|error| DestinationError::io("read", &path, &error))?;
            read.map_err(|why| invalid(&path.display().to_string(), &why))
        })
        .await
    }

    pub(super) async fn list(&self) -> Result<Vec<Listed>, DestinationError> {
        self.blocking(|directory| {
            let path = &directory.path;
            let fault = |error: io::Error| DestinationError::io("list", path, &error);
            let mut files = Vec::new();
            for read in fs::read_dir(path).map_err(fault)? {
                let entry = read.map_err(fault)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                // One that is not a run's, or is gone by now, or has no time, is not to be kept.
                let is_ours = RunId::from_file_name(&name).is_some();
                if let Some(modified) = modified(&entry).filter(|_| is_ours) {
                    files.push((name, modified));
                }
            }
            Ok(from_files(files))
        })
        .await
    }

    pub(super) async fn open(
        &self,
        run: &RunId,
        file: RunFile,
    ) -> Result<DirectoryDownload, DestinationError> {
        DirectoryDownload::open(self.file(run, file)).await
    }

    pub(super) async fn open_if_there(
        &self,
        run: &RunId,
        file: RunFile,
    ) -> Result<Option<DirectoryDownload>, DestinationError> {
        DirectoryDownload::open_if_there(self.file(run, file)).await
    }

    pub(super) async fn begin(&self, run: &RunId) -> Result<DirectoryUpload, DestinationError> {
        let (target, run) = (self.file(run, RunFile::Archive), run.clone());
        let create = move |directory: &Self| {
            temporary::remove_abandoned(&directory.path, &run);
            Temporary::beside(&target)
        };
        let (temporary, file) = self.blocking(create).await?;
        *self.unfinished() = Some(temporary.path().to_owned());
        Ok(DirectoryUpload {
            temporary,
            file: tokio::fs::File::from_std(file),
            hash: sha2::Sha256::new(),
            bytes: 0,
        })
    }

    /// Removes what dead attempts of a run left; one that cannot be removed is warned of.
    pub(super) async fn remove_left(&self, run: &RunId) {
        let run = run.clone();
        let remove = move |directory: &Self| {
            temporary::remove_abandoned(&directory.path, &run);
            Ok(())
        };
        let _is_warned_of: Result<(), _> = self.blocking(remove).await;
    }

    pub(super) async fn is_left_of(&self, run: &RunId) -> bool {
        let run = run.clone();
        let look = move |directory: &Self| Ok(temporary::is_left_of(&directory.path, &run));
        self.blocking(look).await.unwrap_or_default()
    }

    pub(super) async fn abort(&self) -> Result<(), DestinationError> {
        let Some(path) = self.unfinished().take() else {
            return Ok(());
        };
        self.remove_file(path).await
    }

    fn unfinished(&self) -> MutexGuard<'_, Option<PathBuf>> {
        lock(&self.unfinished)
    }

    pub(super) async fn put(
        &self,
        run: &RunId,
        file: RunFile,
        content: Vec<u8>,
    ) -> Result<String, DestinationError> {
        let target = self.file(run, file);
        let uri = uri(&target);
        let write = move |_: &Self| write_durably(&target, &content);
        self.blocking(write).await.map(|()| uri)
    }

    pub(super) async fn remove(&self, run: &RunId, file: RunFile) -> Result<(), DestinationError> {
        self.remove_file(self.file(run, file)).await
    }

    async fn remove_file(&self, path: PathBuf) -> Result<(), DestinationError> {
        self.blocking(move |_| match file::remove(&path) {
            Ok(_) => Ok(()),
            Err(error) => Err(DestinationError::io("remove", &path, &error)),
        })
        .await
    }

    /// The path of one of a run's files.
    pub fn file(&self, run: &RunId, file: RunFile) -> PathBuf {
        self.path.join(run.file_name(file))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, DestinationError> + Send + 'static,
    ) -> Result<T, DestinationError> {
        let directory = self.clone();
        joined(tokio::task::spawn_blocking(move || work(&directory)).await)
    }
}

fn uri(file: &Path) -> String {
    format!("file://{}", file.display())
}

/// The time of a file's last change, if the file is there and has one.
fn modified(entry: &fs::DirEntry) -> Option<Timestamp> {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    Timestamp::try_from(modified.ok()?).ok()
}

/// A file's size; `None` where there is no file.
fn size(file: &Path) -> Result<Option<u64>, DestinationError> {
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
        Ok(_) => Err(invalid(&file.display().to_string(), "it is no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DestinationError::io("look for", file, &error)),
    }
}

impl DirectoryUpload {
    pub(super) async fn write(&mut self, data: Bytes) -> Result<(), DestinationError> {
        self.hash.update(&data);
        self.bytes += data.len() as u64;
        let written = self.file.write_all(&data).await;
        written.map_err(|error| self.fault(&error))
    }

    pub(super) async fn store(&mut self) -> Result<(), DestinationError> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| self.fault(&error))?;
        let synced = self.file.sync_all().await;
        synced.map_err(|error| self.fault(&error))
    }

    pub(super) async fn finish(mut self) -> Result<StoredFile, DestinationError> {
        self.store().await?;
        let Self {
            temporary,
            file,
            hash,
            bytes,
        } = self;
        let blocking_file = file.into_std().await;
        let uri = uri(temporary.target());
        joined(tokio::task::spawn_blocking(move || temporary.publish(&blocking_file)).await)?;
        let sha256 = Sha256(hash.finalize().into());
        Ok(StoredFile { uri, bytes, sha256 })
    }

    fn fault(&self, error: &io::Error) -> DestinationError {
        DestinationError::io("write", self.temporary.path(), error)
    }
}
