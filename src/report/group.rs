//! One group of profiles, those of a component and a kind, added up.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io;

use super::findings::{Chosen, Part, PodStacks, PodTop, Profiled, Unread};
use super::merged_tree::{MergedTree, OTHER_VALUES};
use super::profile::{shown_first, tree};
use super::store::{Group, ProfileStore, Stored};
use super::top::TopRow;
use crate::manifest::Manifest;
use crate::pprof::Kind;
use crate::verdict::outliers;

/// How many functions a table has.
const TOP: usize = 50;

/// How many functions are told of a pod that has no stacks of its own.
const TOP_OF_POD: usize = 10;

/// Of how many pods of a component they are told.
const MOST_TOLD: usize = 1000;

/// How many of the largest pods of a component have stacks of their own.
const LARGEST: usize = 20;

/// The most nodes that are kept of all pods of a component together.
const NODES: usize = 4000;

/// The most nodes that are kept of one pod.
const NODES_OF_POD: usize = 400;

/// One pod of a group, as far as it is known before all of them are.
struct PodOfGroup {
    stored: Stored,
    name: String,
    totals: Vec<i64>,
    /// Its functions, where they are told.
    top: Option<Vec<TopRow>>,
}

/// A group while its profiles are added up.
pub(super) struct Adding<'a> {
    manifest: &'a Manifest,
    store: &'a ProfileStore,
    group: Group,
    /// All pods together, once one was read, and the index of the value that is shown first.
    merged: Option<MergedTree>,
    shown: usize,
    pods: Vec<PodOfGroup>,
    unread: Vec<Unread>,
}

/// What became of a group.
pub(super) struct Added {
    pub(super) group: Group,
    /// Nothing if none of its profiles can be read.
    pub(super) profiled: Option<Profiled>,
    /// What could not be read of it.
    pub(super) unread: Vec<Unread>,
}

/// Adds up the profiles of a group.
pub(super) fn add(manifest: &Manifest, store: &ProfileStore, group: Group) -> Added {
    let mut adding = Adding {
        manifest,
        store,
        group,
        merged: None,
        shown: 0,
        pods: Vec::new(),
        unread: Vec::new(),
    };
    for stored in store.of_group(group) {
        if let Err(error) = adding.add(stored) {
            adding.note_unread(store.pod(stored), &error);
        }
    }
    Added {
        group,
        unread: std::mem::take(&mut adding.unread),
        profiled: adding.finish(),
    }
}

impl Adding<'_> {
    fn add(&mut self, stored: &Stored) -> io::Result<()> {
        let mut profile = self.store.open(stored)?;
        let types = &profile.header().sample_types;
        if self.pods.is_empty() {
            self.shown = shown_first(profile.header());
            self.merged = Some(MergedTree::new(types.clone()));
        }
        let merged = self.merged.as_mut();
        let Some(merged) = merged.filter(|merged| merged.tree().types() == types) else {
            return Err(io::Error::other(OTHER_VALUES));
        };
        merged.add(&mut profile)?;
        let is_told = told_of_each_pod(self.group) && self.pods.len() < MOST_TOLD;
        let top = || {
            let shared = merged.top_of_last(self.shown, TOP_OF_POD);
            shared.or_else(|| Some(tree(&mut profile).ok()?.top(self.shown, TOP_OF_POD)))
        };
        self.pods.push(PodOfGroup {
            stored: *stored,
            name: self.store.pod(stored).to_owned(),
            totals: merged.totals_of_last(),
            top: is_told.then(top).flatten(),
        });
        Ok(())
    }

    fn finish(mut self) -> Option<Profiled> {
        let merged = self.merged.take().filter(|_| !self.pods.is_empty())?;
        let whole = merged.tree();
        let values = 0..whole.types().len();
        let top = values.map(|value| whole.top(value, TOP)).collect();
        let folded = whole.folded(NODES);
        // The pods' own trees are made in its room.
        drop(merged);
        let of_pods = self.stacks();
        let has_stacks: BTreeSet<_> = of_pods.iter().map(|of| of.pod.as_str()).collect();
        let mut tops = Vec::new();
        let (mut pods, mut totals) = (Vec::new(), Vec::new());
        for pod in self.pods {
            let rows = pod.top.unwrap_or_default();
            if !rows.is_empty() && !has_stacks.contains(pod.name.as_str()) {
                tops.push(PodTop {
                    pod: pod.name.clone(),
                    rows,
                });
            }
            pods.push(pod.name);
            totals.push(pod.totals);
        }
        let expected = self.manifest.pods.iter();
        let expected = expected.filter(|pod| pod.pod.component == self.group.component);
        Some(Profiled {
            component: self.group.component,
            kind: self.group.kind,
            part: self.group.part,
            expected: expected.count(),
            shown: self.shown,
            top,
            merged: folded,
            tops,
            of_pods,
            totals,
            pods,
        })
    }

    /// The stacks of the pods that are worth a look: leaders, outliers and the largest.
    fn stacks(&self) -> Vec<PodStacks> {
        let value = |pod: &PodOfGroup| pod.totals.get(self.shown).copied().unwrap_or_default();
        let values: Vec<_> = self.pods.iter().map(value).collect();
        let far = outliers(&values);
        let component = self.group.component;
        let leads = |pod: &PodOfGroup| self.manifest.lead(component, &pod.name).is_some();
        let leads: Vec<_> = self.pods.iter().map(leads).collect();
        let mut order: Vec<_> = (0..self.pods.len()).collect();
        order.sort_by_key(|at| (!leads[*at], !far[*at], Reverse(values[*at])));
        let chosen = order.into_iter().take(LARGEST);
        let stacks = chosen.filter_map(|index| {
            let pod = self.pods.get(index)?;
            let profile = self.store.open(&pod.stored);
            let tree = profile.and_then(|mut profile| tree(&mut profile)).ok()?;
            Some(PodStacks {
                pod: pod.name.clone(),
                why: if far[index] {
                    Chosen::Outlier
                } else if leads[index] {
                    Chosen::Leader
                } else {
                    Chosen::Largest
                },
                top: tree.top(self.shown, TOP),
                tree: tree.folded(NODES_OF_POD),
            })
        });
        stacks.collect()
    }

    fn note_unread(&mut self, pod: &str, error: &io::Error) {
        let path = self.group.part.path_of(self.group.kind);
        self.unread.push(Unread {
            path: format!("{pod}/{}", path.display()),
            why: error.to_string(),
        });
    }
}

/// Whether the functions of each pod are told, and not only those of some.
fn told_of_each_pod(group: Group) -> bool {
    group.part == Part::Whole && matches!(group.kind, Kind::Cpu | Kind::Heap | Kind::Goroutine)
}
