//! Findings, made of the profiles of an archive.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::findings::{Findings, SnapshotTotals, Unread};
use super::group::{self, Added};
use super::path::{Of, ProfilePath, component_of, profile_path};
use super::store::{Group, ProfileStore};
use crate::manifest::{Manifest, Pod};

/// How many groups are added up at once. Each takes some megabytes.
const AT_ONCE: usize = 2;

/// Makes findings of a run's manifest and its profiles.
pub fn collect(manifest: Arc<Manifest>, store: &mut ProfileStore) -> Findings {
    let mut profiles = Vec::new();
    let mut unread = Vec::new();
    for added in all_groups(&manifest, store) {
        profiles.extend(added.profiled);
        unread.extend(added.unread);
    }
    let snapshots = snapshots(store, &mut unread);
    for Unread { path, why } in unread {
        store.note_unread(&path, why);
    }
    Findings {
        profiles,
        snapshots,
        comparison: None,
        differences: None,
        unread: all_unread(&manifest, store),
        is_redacted: false,
        manifest,
    }
}

/// Adds up all groups, the largest first: who comes last is waited for.
fn all_groups(manifest: &Manifest, store: &ProfileStore) -> Vec<Added> {
    let mut groups = store.groups();
    groups.sort_by_key(|group| Reverse(store.bytes_of(*group)));
    let next = AtomicUsize::new(0);
    let add_some = || {
        let mut added = Vec::new();
        while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
            added.push(group::add(manifest, store, *group));
        }
        added
    };
    let at_once = thread::available_parallelism().map_or(1, |cores| cores.get().min(AT_ONCE));
    let mut added = thread::scope(|scope| {
        // A thread that the system does not give costs time alone.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, add_some).ok();
        let others: Vec<_> = (1..at_once).filter_map(spawn).collect();
        let mut added = add_some();
        for other in others {
            added.extend(other.join().unwrap_or_else(|defect| resume_unwind(defect)));
        }
        added
    });
    added.sort_by_key(|added| added.group);
    added
}

/// What of a run's profiles is not there, is there against the manifest, or could not be read so far.
pub fn all_unread(manifest: &Manifest, store: &ProfileStore) -> Vec<Unread> {
    let mut all = strangers(manifest, store);
    let noted = store.unread();
    // What is not in a store that could not be written says nothing of the archive.
    if store.failure().is_none() {
        all.extend(lacking(manifest, store, &noted));
    }
    all.extend(noted);
    all
}

/// Profiles of pods that the run did not expect.
fn strangers(manifest: &Manifest, store: &ProfileStore) -> Vec<Unread> {
    let pods = manifest.pods.iter();
    let expected = pods.map(|pod| (pod.pod.name.as_str(), Some(pod.pod.component)));
    let expected: BTreeSet<_> = expected.collect();
    let strangers = store.pods();
    let strangers = strangers.filter(|pod| !expected.contains(&(*pod, component_of(pod))));
    // By name.
    let strangers: BTreeSet<_> = strangers.collect();
    let why = "the archive has its profiles, which are in the sums, and the manifest has no such pod of its component";
    named(strangers.into_iter().collect(), why, "pods")
        .into_iter()
        .collect()
}

/// Pods that have files which were looked for and no profile at all, and single files of the others.
fn lacking(manifest: &Manifest, store: &ProfileStore, noted: &[Unread]) -> Vec<Unread> {
    let known: BTreeSet<_> = store.pods().collect();
    let noted: Vec<_> = noted
        .iter()
        .filter_map(|of| profile_path(&of.path))
        .collect();
    let (mut pods, mut files) = (Vec::new(), Vec::new());
    for pod in &manifest.pods {
        let name = pod.pod.name.as_str();
        let missing = missing_of(pod, store, &noted);
        if missing.is_empty() || store.left_out.contains(name) {
            continue;
        }
        // A pod may have others than those of the one kind that is wanted.
        if known.contains(name) || store.wanted.kind.is_some() {
            files.extend(missing);
        } else {
            pods.push(name);
        }
    }
    let pods = named(
        pods,
        "the manifest says that the archive has its profiles, and it has none",
        "pods",
    );
    // Some of those that are not named may be of them.
    let files = files.into_iter().filter(|_| store.unnamed == 0);
    let files = named(
        files.collect(),
        "the manifest lists it, and the archive does not have it",
        "files",
    );
    pods.into_iter().chain(files).collect()
}

/// The files of a pod that are wanted, are not there, and of which nothing was noted.
fn missing_of<'a>(pod: &'a Pod, store: &ProfileStore, noted: &[ProfilePath<'_>]) -> Vec<&'a str> {
    let paths = pod.files.iter().map(|file| file.path.as_str());
    let wanted = paths.filter(|path| store.wants(path));
    wanted
        .filter(|path| {
            profile_path(path).is_some_and(|path| !is_in(store, &path) && !noted.contains(&path))
        })
        .collect()
}

fn is_in(store: &ProfileStore, path: &ProfilePath<'_>) -> bool {
    let (component, kind) = (path.component, path.kind);
    let profiles = match path.of {
        Of::Part(part) => store.groups.get(&Group {
            component,
            kind,
            part,
        }),
        Of::Snapshot(name) => store
            .of_snapshots()
            .get(&(name.to_owned(), component, kind)),
    };
    let pod = store.pods.get_index_of(path.pod);
    pod.is_some_and(|pod| profiles.is_some_and(|profiles| profiles.contains_key(&pod)))
}

/// The first of some pods or files, of which something is wrong, and how many more there are.
fn named(all: Vec<&str>, why: &str, what: &str) -> Option<Unread> {
    let first = all.first()?;
    Some(Unread {
        path: (*first).to_owned(),
        why: match all.len() - 1 {
            0 => why.to_owned(),
            more => format!("{why}; so it is of {more} more {what}"),
        },
    })
}

/// Adds up the values of each snapshot. What cannot be read of it is added to the list.
fn snapshots(store: &ProfileStore, unread: &mut Vec<Unread>) -> Vec<SnapshotTotals> {
    let mut all = Vec::new();
    for ((snapshot, component, kind), stored) in store.of_snapshots() {
        let mut totals = SnapshotTotals {
            snapshot: snapshot.clone(),
            component: *component,
            kind: *kind,
            pods: 0,
            types: Vec::new(),
            totals: Vec::new(),
        };
        for stored in stored.values() {
            let read = store.open(stored).and_then(|mut profile| {
                Ok((profile.header().sample_types.clone(), profile.totals()?))
            });
            match read {
                Ok((types, values)) if totals.types.is_empty() || totals.types == types => {
                    totals.types = types;
                    totals.totals.resize(values.len(), 0);
                    totals.pods += 1;
                    for (sum, value) in totals.totals.iter_mut().zip(values) {
                        *sum = sum.saturating_add(value);
                    }
                }
                Ok(_) => {}
                Err(error) => unread.push(Unread {
                    path: format!(
                        "{}/snapshots/{snapshot}/{}",
                        store.pod(stored),
                        kind.file_name()
                    ),
                    why: error.to_string(),
                }),
            }
        }
        all.push(totals);
    }
    all
}
