//! Profiles of all pods of a component, merged, for `go tool pprof`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::errors::plain;
use crate::manifest::Manifest;
use crate::pprof::Merged;
use crate::report::{Group, ProfileStore, all_unread};
use crate::run::status::log::complain;

/// What an export has written.
#[derive(Debug, Default)]
pub(super) struct Exported {
    /// How many profiles there are.
    pub(super) written: usize,
    /// How many could not be read or merged, or are not there as the manifest says.
    pub(super) left_out: usize,
}

/// Writes COMPONENT/KIND.pprof, and those of the window below `delta` and `growth`, into a new directory. What cannot
/// be read of a pod is named and left out, and so is what cannot be merged.
///
/// # Errors
/// The directory is there, or cannot be written.
pub(super) fn merged(
    manifest: &Manifest,
    store: &ProfileStore,
    directory: &Path,
) -> io::Result<Exported> {
    fs::create_dir(directory)?;
    let mut exported = Exported::default();
    for group in store.groups() {
        let merged = match merge(store, group, &mut exported.left_out) {
            Ok(merged) => merged,
            Err(why) => {
                let (component, part) = (group.component, group.part.name());
                let kind = group.kind.name();
                complain(format_args!(
                    "{component}, {kind}, {part}: there is no merged profile of it: {why}"
                ));
                exported.left_out += 1;
                continue;
            }
        };
        let path = group.part.path_of(group.kind);
        let path = directory.join(group.component.name()).join(path);
        fs::create_dir_all(path.parent().unwrap_or(directory))?;
        let mut out = BufWriter::new(File::create_new(path)?);
        merged.write(&mut out)?;
        out.flush()?;
        exported.written += 1;
    }
    for unread in all_unread(manifest, store) {
        exported.left_out += 1;
        complain(format_args!(
            "{}: {}",
            plain(&unread.path),
            plain(&unread.why)
        ));
    }
    Ok(exported)
}

/// Adds the profiles of a group up, and counts those that cannot be read. The error is why that cannot be, with the pod at
/// which it ended.
fn merge(store: &ProfileStore, group: Group, left_out: &mut usize) -> Result<Merged, String> {
    let mut merged = Merged::new();
    store.each_of(group, |pod, profile| {
        let pod = plain(pod);
        let mut profile = match profile {
            Ok(profile) => profile,
            Err(error) => {
                complain(format_args!("{pod}/{}: {error}", group.kind.file_name()));
                *left_out += 1;
                return Ok(());
            }
        };
        let added = merged.add(&mut profile);
        added.map_err(|error| format!("{pod}: {}", plain(&error.to_string())))
    })?;
    Ok(merged)
}
