//! Profiles of all pods of a component, merged, for `go tool pprof`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::pprof::Merged;
use crate::report::{Part, ProfileStore};
use crate::run::status::log::complain;

/// Writes COMPONENT/KIND.pprof, and those of the window below `delta` and `growth`, into a new directory; gives how
/// many there are. What cannot be read of a pod is named and left out.
///
/// # Errors
/// The directory is there, or cannot be written.
pub(super) fn merged(store: &ProfileStore, directory: &Path) -> io::Result<usize> {
    fs::create_dir(directory)?;
    let mut written = 0;
    for group in store.groups() {
        let mut merged = Merged::new();
        store.each_of(group, |pod, profile| {
            let mut profile = match profile {
                Ok(profile) => profile,
                Err(error) => {
                    complain(format_args!("{pod}/{}: {error}", group.kind.file_name()));
                    return Ok(());
                }
            };
            merged.add(&mut profile)
        })?;
        let folder = match group.part {
            Part::Whole => directory.join(group.component.name()),
            Part::Delta | Part::Growth => directory
                .join(group.component.name())
                .join(group.part.name()),
        };
        fs::create_dir_all(&folder)?;
        let mut out = BufWriter::new(File::create_new(folder.join(group.kind.file_name()))?);
        merged.write(&mut out)?;
        out.flush()?;
        written += 1;
    }
    for unread in store.unread() {
        complain(format_args!("{}: {}", unread.path, unread.why));
    }
    Ok(written)
}
