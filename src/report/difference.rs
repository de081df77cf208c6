//! What a run's profiles have more, or less, than those of an earlier run.

use std::io;

use super::compared_name::compared;
use super::findings::{Difference, Differences, Findings, Part, Unread};
use super::merged_tree::{MergedTree, OTHER_VALUES};
use super::profile::shown_first;
use super::store::{Group, ProfileStore};
use super::tree::Tree;
use crate::manifest::{Manifest, Window};
use crate::pprof::Kind;

/// The profiles that are held against each other. Of those that count since a process began, a difference says nothing.
const COMPARED: [(Kind, Part); 4] = [
    (Kind::Cpu, Part::Whole),
    (Kind::Allocs, Part::Delta),
    (Kind::Heap, Part::Whole),
    (Kind::Goroutine, Part::Whole),
];

/// How many functions a table has.
const TOP: usize = 50;

/// The most nodes that are kept of a difference.
const NODES: usize = 4000;

/// All pods of a group together.
struct Sum {
    tree: Tree,
    shown: usize,
    pods: usize,
}

/// Holds a run's profiles, which its findings were made of, against those of an earlier run.
pub fn differences(
    findings: &Findings,
    store: &ProfileStore,
    earlier: &Manifest,
    earlier_store: &ProfileStore,
) -> Differences {
    let [new_seconds, seconds] = [&findings.manifest.window, &earlier.window].map(seconds);
    let mut unread = earlier_store.unread();
    let groups = store.groups();
    let groups = groups
        .into_iter()
        .filter(|of| COMPARED.contains(&(of.kind, of.part)));
    let mut profiles = Vec::new();
    for group in groups {
        // What could not be read of this run is in its findings already.
        let new = sum_of(store, group, &mut Vec::new());
        let old = sum_of(earlier_store, group, &mut unread);
        if let (Some(new), Some(old)) = (new, old) {
            let grows_with_window = matches!(group.kind, Kind::Cpu | Kind::Allocs);
            let factor = if grows_with_window && seconds > 0.0 && new_seconds > 0.0 {
                new_seconds / seconds
            } else {
                1.0
            };
            profiles.extend(difference(group, &new, &old, factor));
        }
    }
    Differences {
        run_id: earlier.run_id.clone(),
        profiles,
        unread,
    }
}

/// What is said of an earlier run whose archive cannot be read at all.
pub fn no_differences(run_id: String) -> Differences {
    Differences {
        run_id,
        profiles: Vec::new(),
        unread: vec![Unread {
            path: "the archive".to_owned(),
            why: "it cannot be read, so it is not told which functions differ".to_owned(),
        }],
    }
}

fn seconds(window: &Window) -> f64 {
    window.stop.duration_since(window.start).as_secs_f64()
}

/// Adds up what a group has; `None` if nothing of it can be read.
fn sum_of(store: &ProfileStore, group: Group, unread: &mut Vec<Unread>) -> Option<Sum> {
    let mut sum: Option<(MergedTree, usize)> = None;
    let mut pods = 0;
    for stored in store.of_group(group) {
        let added = store.open(stored).and_then(|mut profile| {
            let header = profile.header();
            let (merged, _) = sum.get_or_insert_with(|| {
                let types = header.sample_types.clone();
                (MergedTree::new(types), shown_first(header))
            });
            if merged.tree().types() != header.sample_types {
                return Err(io::Error::other(OTHER_VALUES));
            }
            merged.add(&mut profile)?;
            pods += 1;
            Ok(())
        });
        if let Err(error) = added {
            unread.push(Unread {
                path: format!(
                    "{}/{}",
                    store.pod(stored),
                    group.part.path_of(group.kind).display()
                ),
                why: error.to_string(),
            });
        }
    }
    let (merged, shown) = sum.filter(|_| pods > 0)?;
    Some(Sum {
        tree: merged.into_tree(),
        shown,
        pods,
    })
}

/// What is new less what was there, times a factor; `None` if their values do not mean the same.
fn difference(group: Group, new: &Sum, old: &Sum, factor: f64) -> Option<Difference> {
    let value = new.tree.types().get(new.shown)?;
    if old.tree.types().get(old.shown)? != value {
        return None;
    }
    let mut tree = Tree::new(vec![value.clone()]);
    for (sum, factor) in [(new, 1.0), (old, -factor)] {
        tree.absorb_with(&sum.tree, compared, |tree, node, values| {
            let value = values.get(sum.shown).copied().unwrap_or_default();
            tree.add_own(node, &[(value as f64 * factor).round() as i64]);
        });
    }
    let total = |sum: &Sum| {
        sum.tree
            .totals()
            .get(sum.shown)
            .copied()
            .unwrap_or_default()
    };
    Some(Difference {
        component: group.component,
        kind: group.kind,
        part: group.part,
        unit: value.unit.clone(),
        pods: [old.pods, new.pods],
        totals: [total(old), total(new)],
        factor,
        top: tree.top(0, TOP),
        merged: tree.folded(NODES),
    })
}
