//! The profiles of a store pod by pod.

use std::io;

use super::section::Section;
use super::store::{Group, ProfileStore, Profiles, Stored};
use crate::pprof::ProfileReader;

/// The profiles of one pod.
#[derive(Debug)]
pub struct PodProfiles<'a> {
    store: &'a ProfileStore,
    /// The pod's name.
    pub name: &'a str,
    profiles: Vec<(Group, Stored)>,
}

impl<'a> PodProfiles<'a> {
    /// How many pods have profiles in a store.
    pub fn count(store: &ProfileStore) -> usize {
        store.pods.len()
    }

    /// The profiles of a pod but those of the snapshots; `None` if there are no more pods. The first pod's number is 0.
    pub fn of(store: &'a ProfileStore, pod: usize) -> Option<Self> {
        let name = store.pods.get_index(pod)?;
        let of_pod = |(group, of): (&Group, &Profiles)| Some((*group, *of.get(&pod)?));
        Some(Self {
            store,
            name,
            profiles: store.groups.iter().filter_map(of_pod).collect(),
        })
    }

    /// What there is of the pod, in order.
    pub fn groups(&self) -> impl Iterator<Item = Group> {
        self.profiles.iter().map(|(group, _)| *group)
    }

    /// Opens the profile of a group; `None` if the pod has none.
    pub fn open(&self, group: Group) -> Option<io::Result<ProfileReader<Section<'a>>>> {
        let (_, stored) = self.profiles.iter().find(|(of, _)| *of == group)?;
        Some(self.store.open(stored))
    }
}
