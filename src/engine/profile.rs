//! One profile on its way into a bundle: hashed, compressed, and converted as it passes.

use std::io::{self, Read};

use crate::archive::{Entry, EntryError, PodBundle, Spool};
use crate::pprof::{self, Kind, Profile, Served};

/// A profile that could not be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProfileError {
    /// There is no room for it, or its path does not fit the archive.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// It could not be read or kept.
    #[error("{file}: {source}")]
    Content {
        /// The profile's file name.
        file: &'static str,
        /// The stream's fault, the base64's or the temporary file's.
        source: io::Error,
    },
    /// The pod has it already.
    #[error("{0} is there twice")]
    Twice(&'static str),
}

/// Takes a profile's whole content. What cannot be understood is kept as it came.
///
/// # Errors
/// The bundle is not to be used any more.
pub(super) fn take(
    content: impl Read,
    pod: &str,
    kind: Kind,
    spool: &Spool,
    bundle: &mut PodBundle,
) -> Result<(), ProfileError> {
    let file = kind.file_name();
    let path = format!("{pod}/{file}");
    if bundle.entries.contains_key(&kind) {
        return Err(ProfileError::Twice(file));
    }
    let mut served = spool.begin().map_err(EntryError::from)?;
    let read = pprof::read(kind, content, &mut served);
    let entry = match read.map_err(|source| ProfileError::Content { file, source })? {
        Served::Profile(summary) => {
            if kind == Kind::Cpu {
                bundle.cpu = Some(summary);
            }
            let mut entry = spool.finish(served, &path)?;
            entry.file.samples = Some(summary.samples);
            entry
        }
        Served::Damaged(why) => {
            let mut entry = spool.finish(served, &path)?;
            entry.file.damage = Some(why);
            entry
        }
        Served::Text {
            profile,
            notes,
            mem_stats,
        } => {
            if let Some(original) = kind.original_name().filter(|_| spool.keep_originals()) {
                let original = spool.finish(served, &format!("{pod}/{original}"))?;
                bundle.originals.push(original);
            }
            if kind == Kind::Heap {
                bundle.mem_stats = mem_stats;
            }
            converted(&profile, notes, (spool, &path))?
        }
    };
    bundle.entries.insert(kind, entry);
    Ok(())
}

fn converted(
    profile: &Profile,
    notes: Vec<String>,
    (spool, path): (&Spool, &str),
) -> Result<Entry, EntryError> {
    let mut writer = spool.begin()?;
    profile.write(&mut writer)?;
    let mut entry = spool.finish(writer, path)?;
    entry.file.samples = Some(profile.samples());
    entry.file.notes = notes;
    Ok(entry)
}
