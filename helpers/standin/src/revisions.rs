//! The cluster's pods at each revision, as etcd keeps them until compaction.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::pod::Pod;

/// All pods at one revision, in the order of their names.
pub(crate) type Snapshot = Arc<Vec<Arc<Pod>>>;

/// The first revision: a cluster that has lived for a while.
const FIRST: i64 = 4_000_000;

/// A busy cluster's revision moves by itself: here by one a millisecond, so that a revision tells
/// its age and compaction by age needs no book-keeping.
pub(crate) struct Revisions {
    began: Instant,
    kept: Duration,
    last: i64,
    compacted: i64,
    snapshots: BTreeMap<i64, Snapshot>,
}

impl Revisions {
    /// Begins with these pods; a revision can be read for as long as `kept`.
    pub(crate) fn new(pods: Vec<Arc<Pod>>, kept: Duration) -> Self {
        Self {
            began: Instant::now(),
            kept,
            last: FIRST,
            compacted: FIRST,
            snapshots: BTreeMap::from([(FIRST, Arc::new(pods))]),
        }
    }

    /// The revision now.
    pub(crate) fn current(&self) -> i64 {
        self.last.max(FIRST + millis(self.began.elapsed()))
    }

    /// The pods now.
    pub(crate) fn pods(&self) -> &Snapshot {
        let (_, pods) = self
            .snapshots
            .last_key_value()
            .expect("there is a first one");
        pods
    }

    /// The pods at a revision, or nothing when it was compacted away.
    pub(crate) fn at(&self, revision: i64) -> Option<&Snapshot> {
        let oldest = FIRST + millis(self.began.elapsed()) - millis(self.kept);
        if revision < self.compacted.max(oldest) {
            return None;
        }
        self.snapshots
            .range(..=revision)
            .next_back()
            .map(|(_, pods)| pods)
    }

    /// Changes the pods.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Vec<Arc<Pod>>)) {
        let mut pods = self.pods().to_vec();
        change(&mut pods);
        pods.sort_by(|a, b| a.name.cmp(&b.name));
        let revision = self.write();
        self.snapshots.insert(revision, Arc::new(pods));
    }

    /// The revision of a write.
    pub(crate) fn write(&mut self) -> i64 {
        self.last = self.current() + 1;
        self.last
    }

    /// Forgets every revision up to now.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.write();
    }
}

fn millis(duration: Duration) -> i64 {
    // Half of the range, so that "kept forever" does not overflow when subtracted.
    i64::try_from(duration.as_millis())
        .unwrap_or(i64::MAX)
        .min(i64::MAX / 2)
}
