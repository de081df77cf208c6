//! Findings, made of the profiles of an archive.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::findings::{Findings, SnapshotTotals, Unread};
use super::group::{self, Added};
use super::path::component_of;
use super::store::ProfileStore;
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
        unread: contradictions(&manifest, store)
            .into_iter()
            .chain(store.unread())
            .collect(),
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

/// What the manifest says of pods and the archive does not bear out: pods that have files which were looked for and no
/// profile, and profiles of pods that the run did not expect.
fn contradictions(manifest: &Manifest, store: &ProfileStore) -> Vec<Unread> {
    let known: BTreeSet<_> = store.pods().collect();
    let pods = manifest.pods.iter();
    let wants = |pod: &Pod| pod.files.iter().any(|file| store.wants(&file.path));
    let has_files = pods.clone().filter(|pod| wants(pod));
    let names = has_files.map(|pod| pod.pod.name.as_str());
    let lacking = names.filter(|pod| !known.contains(pod));
    let expected = pods.map(|pod| (pod.pod.name.as_str(), Some(pod.pod.component)));
    let expected: BTreeSet<_> = expected.collect();
    let strangers = known.iter().copied();
    let strangers = strangers.filter(|pod| !expected.contains(&(*pod, component_of(pod))));
    // What is not in a store that could not be written says nothing of the archive.
    let lacking = lacking.filter(|_| store.failure().is_none());
    let all = [
        named(
            lacking.collect(),
            "the manifest says that the archive has its profiles, and it has none",
        ),
        named(
            strangers.collect(),
            "the archive has its profiles, which are in the sums, and the manifest has no such pod of its component",
        ),
    ];
    all.into_iter().flatten().collect()
}

/// The first of some pods, of which something is wrong, and how many more there are.
fn named(pods: Vec<&str>, why: &str) -> Option<Unread> {
    let first = pods.first()?;
    Some(Unread {
        path: (*first).to_owned(),
        why: match pods.len() - 1 {
            0 => why.to_owned(),
            more => format!("{why}; so it is of {more} more pods"),
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
