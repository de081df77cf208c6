//! Findings, made of the profiles of an archive.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::findings::{
    Chosen, Findings, Part, PodStacks, PodTop, Profiled, SnapshotTotals, Unread,
};
use super::lead::Lead;
use super::outliers::outliers;
use super::path::component_of;
use super::profile::{shown_first, tree};
use super::store::{Group, ProfileStore, Stored};
use super::tree::Tree;
use crate::component::Component;
use crate::manifest::{Manifest, Pod};
use crate::pprof::Kind;

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

/// Makes findings of a run's manifest and its profiles. One group of profiles is in memory at a time.
pub fn collect(manifest: Arc<Manifest>, mut store: ProfileStore) -> Findings {
    let mut collecting = Collecting {
        manifest: &manifest,
        unread: Vec::new(),
    };
    let groups = store.groups().into_iter();
    let profiles = groups
        .filter_map(|group| collecting.profiled(&store, group))
        .collect();
    let snapshots = collecting.snapshots(&store);
    for Unread { path, why } in collecting.unread {
        store.note_unread(&path, why);
    }
    Findings {
        profiles,
        snapshots,
        unread: contradictions(&manifest, &store)
            .into_iter()
            .chain(store.unread())
            .collect(),
        is_redacted: false,
        manifest,
    }
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

struct Collecting<'a> {
    manifest: &'a Manifest,
    unread: Vec<Unread>,
}

/// One pod of a group, as far as it is known before all of them are.
struct PodOfGroup {
    stored: Stored,
    name: String,
    totals: Vec<i64>,
    top: PodTop,
}

impl Collecting<'_> {
    fn profiled(&mut self, store: &ProfileStore, group: Group) -> Option<Profiled> {
        let mut merged: Option<Tree> = None;
        let mut shown = 0;
        let mut pods = Vec::new();
        for stored in store.of_group(group) {
            let name = store.pod(stored);
            let read = store.open(stored).and_then(|mut profile| {
                let shown = shown_first(profile.header());
                Ok((tree(&mut profile)?, shown))
            });
            let (tree, shown_here) = match read {
                Ok(read) => read,
                Err(error) => {
                    self.note_unread(name, group, &error);
                    continue;
                }
            };
            let whole = merged.get_or_insert_with(|| {
                shown = shown_here;
                Tree::new(tree.types().to_vec())
            });
            if whole.types() != tree.types() {
                let error =
                    io::Error::other("its values mean something else than those of other pods");
                self.note_unread(name, group, &error);
                continue;
            }
            whole.absorb(&tree);
            pods.push(PodOfGroup {
                stored: *stored,
                name: name.to_owned(),
                totals: tree.totals(),
                top: PodTop {
                    pod: name.to_owned(),
                    rows: if told_of_each_pod(group) && pods.len() < MOST_TOLD {
                        tree.top(shown, TOP_OF_POD)
                    } else {
                        Vec::new()
                    },
                },
            });
        }
        let merged = merged?;
        let of_pods = self.stacks(store, group.component, &pods, shown);
        let has_stacks: BTreeSet<_> = of_pods.iter().map(|of| of.pod.as_str()).collect();
        let tops = pods
            .iter_mut()
            .filter(|pod| !has_stacks.contains(pod.name.as_str()));
        let tops = tops.map(|pod| {
            std::mem::replace(
                &mut pod.top,
                PodTop {
                    pod: String::new(),
                    rows: Vec::new(),
                },
            )
        });
        Some(Profiled {
            component: group.component,
            kind: group.kind,
            part: group.part,
            expected: self.expected(group.component),
            shown,
            top: (0..merged.types().len())
                .map(|value| merged.top(value, TOP))
                .collect(),
            merged: merged.folded(NODES),
            tops: tops.filter(|top| !top.rows.is_empty()).collect(),
            of_pods,
            totals: pods.iter().map(|pod| pod.totals.clone()).collect(),
            pods: pods.into_iter().map(|pod| pod.name).collect(),
        })
    }

    fn snapshots(&mut self, store: &ProfileStore) -> Vec<SnapshotTotals> {
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
                    Err(error) => self.unread.push(Unread {
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

    /// The stacks of the pods that are worth a look: leaders, outliers and the largest.
    fn stacks(
        &self,
        store: &ProfileStore,
        component: Component,
        pods: &[PodOfGroup],
        shown: usize,
    ) -> Vec<PodStacks> {
        let value = |pod: &PodOfGroup| pod.totals.get(shown).copied().unwrap_or_default();
        let values: Vec<_> = pods.iter().map(value).collect();
        let far = outliers(&values);
        let leads = |pod: &PodOfGroup| Lead::of(self.manifest, component, &pod.name).is_some();
        let leads: Vec<_> = pods.iter().map(leads).collect();
        let mut order: Vec<_> = (0..pods.len()).collect();
        order.sort_by_key(|at| (!leads[*at], !far[*at], std::cmp::Reverse(values[*at])));
        let chosen = order.into_iter().take(LARGEST);
        let stacks = chosen.filter_map(|index| {
            let pod = pods.get(index)?;
            let tree = store
                .open(&pod.stored)
                .and_then(|mut profile| tree(&mut profile))
                .ok()?;
            Some(PodStacks {
                pod: pod.name.clone(),
                why: if far[index] {
                    Chosen::Outlier
                } else if leads[index] {
                    Chosen::Leader
                } else {
                    Chosen::Largest
                },
                top: tree.top(shown, TOP),
                tree: tree.folded(NODES_OF_POD),
            })
        });
        stacks.collect()
    }

    /// How many pods of a component the run expected.
    fn expected(&self, component: Component) -> usize {
        let pods = self.manifest.pods.iter();
        pods.filter(|pod| pod.pod.component == component).count()
    }

    fn note_unread(&mut self, pod: &str, group: Group, error: &io::Error) {
        let folder = match group.part {
            Part::Whole => "",
            Part::Delta => "delta/",
            Part::Growth => "growth/",
        };
        self.unread.push(Unread {
            path: format!("{pod}/{folder}{}", group.kind.file_name()),
            why: error.to_string(),
        });
    }
}

/// Whether the functions of each pod are told, and not only those of some.
fn told_of_each_pod(group: Group) -> bool {
    group.part == Part::Whole && matches!(group.kind, Kind::Cpu | Kind::Heap | Kind::Goroutine)
}
