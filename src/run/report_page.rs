//! The page of a run, from the profiles that it is made of to its place. They are kept as they pass into the archive,
//! which is not read again.
//!
//! Whatever goes wrong with it costs the page and nothing else: the manifest says why there is none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::task::spawn_blocking;

use crate::archive::Entry;
use crate::errors::{joined, lock};
use crate::limits::{DUMP_ROOM, RUN_REPORT_PROFILES};
use crate::manifest::{Manifest, StoredFile};
use crate::report::{ProfileStore, Wanted};

/// The page of a run. Copies of this are the same page.
#[derive(Debug, Clone)]
pub(super) struct ReportPage(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    /// None was asked for.
    Unwanted,
    /// It is to be made of these profiles, and of those that come.
    Collecting(Box<Profiles>),
    /// There is none, for this reason.
    Missing(String),
    /// It is at the destination.
    Shipped(StoredFile),
}

/// The profiles that a page is made of, so far.
#[derive(Debug)]
struct Profiles {
    store: ProfileStore,
    /// The directory of its file, which is the dump's, too.
    temporary: PathBuf,
}

impl ReportPage {
    /// A page that is not to be made, or that an earlier attempt has made.
    pub(super) fn unwanted() -> Self {
        Self(Arc::new(Mutex::new(State::Unwanted)))
    }

    /// A page that there will not be, for this reason.
    pub(super) fn missing(why: String) -> Self {
        Self(Arc::new(Mutex::new(State::missing(why))))
    }

    /// The page of a run whose dump begins.
    pub(super) fn begin(temporary: &Path) -> Self {
        match Profiles::none_yet(temporary) {
            Ok(profiles) => {
                let state = State::Collecting(Box::new(profiles));
                Self(Arc::new(Mutex::new(state)))
            }
            Err(error) => Self::missing(of_temporary(&error)),
        }
    }

    /// Keeps the profiles of a pod that go into the archive, unless the dump needs the room more.
    pub(super) async fn keep_all(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        if !matches!(*self.state(), State::Collecting(_)) {
            return entries;
        }
        let page = self.clone();
        let kept = spawn_blocking(move || {
            page.collect(|profiles| {
                profiles.leave_room()?;
                entries
                    .iter_mut()
                    .try_for_each(|entry| profiles.keep(entry))
            });
            entries
        });
        joined(kept.await)
    }

    /// Keeps a file that goes into the archive, if it is a profile.
    pub(super) fn keep(&self, entry: &mut Entry) {
        self.collect(|profiles| profiles.keep(entry));
    }

    /// Adds to what is kept, if anything is. Where that fails, all of it is freed.
    fn collect(&self, add: impl FnOnce(&mut Profiles) -> Result<(), String>) {
        let mut state = self.state();
        if let State::Collecting(profiles) = &mut *state
            && let Err(why) = add(profiles)
        {
            *state = State::missing(why);
        }
    }

    /// Takes the profiles out of which the page is made now, unless it was made or cannot be.
    pub(super) fn take_profiles(&self) -> Option<ProfileStore> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Unwanted) {
            State::Collecting(profiles) => Some(profiles.store),
            other @ (State::Unwanted | State::Missing(_) | State::Shipped(_)) => {
                *state = other;
                None
            }
        }
    }

    /// Notes what became of the page: its place, or the reason there is none.
    pub(super) fn note(&self, shipped: Result<StoredFile, String>) {
        *self.state() = shipped.map_or_else(State::missing, State::Shipped);
    }

    /// Tells a manifest what became of the page.
    pub(super) fn tell(&self, manifest: &mut Manifest) {
        match &*self.state() {
            State::Unwanted | State::Collecting(_) => {}
            State::Missing(why) => manifest.no_report = Some(why.clone()),
            State::Shipped(file) => manifest.report = Some(file.clone()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn missing(why: String) -> Self {
        tracing::warn!(
            why,
            "this run has no page; `cluster-profiler-job report` makes one of its archive"
        );
        Self::Missing(why)
    }
}

fn of_temporary(error: &io::Error) -> String {
    format!("a temporary file: {error}")
}

impl Profiles {
    fn none_yet(temporary: &Path) -> io::Result<Self> {
        Ok(Self {
            store: ProfileStore::new(temporary, Wanted::default(), RUN_REPORT_PROFILES)?,
            temporary: temporary.to_owned(),
        })
    }

    /// Sees that the volume has room beside what is kept. One that does not say has.
    fn leave_room(&self) -> Result<(), String> {
        let free = |volume: rustix::fs::StatVfs| volume.f_bavail.saturating_mul(volume.f_frsize);
        let free = rustix::fs::statvfs(&self.temporary).map_or(DUMP_ROOM, free);
        if free >= DUMP_ROOM {
            return Ok(());
        }
        Err(format!(
            "the temporary directory has less than {} MiB left, and the dump needs them more",
            DUMP_ROOM >> 20
        ))
    }

    fn keep(&mut self, entry: &mut Entry) -> Result<(), String> {
        let (store, path) = (&mut self.store, entry.file.path.clone());
        if !store.wants(&path) {
            return Ok(());
        }
        let kept = entry.read_content(|content| store.keep(&path, content));
        kept.map_err(|error| of_temporary(&error))?;
        match store.failure() {
            Some(why) => Err(why.to_owned()),
            None => Ok(()),
        }
    }
}
