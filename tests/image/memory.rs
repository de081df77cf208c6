//! What a container has in memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Looks at a control group again and again until it is dropped.
pub(crate) struct Watch {
    most: Arc<AtomicU64>,
    _end: Sender<()>,
}

impl Watch {
    pub(crate) fn begin(cgroup: &str) -> Self {
        let (most, (sender, end)) = (Arc::new(AtomicU64::new(0)), channel());
        let (seen, cgroup) = (Arc::clone(&most), cgroup.to_owned());
        std::thread::spawn(move || watch(&cgroup, &seen, &end));
        Self { most, _end: sender }
    }

    /// The most that was in use whenever it looked, in bytes.
    pub(crate) fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }
}

fn watch(cgroup: &str, most: &AtomicU64, end: &Receiver<()>) {
    while end.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
        most.fetch_max(in_use(cgroup), Ordering::Relaxed);
    }
}

/// In bytes, without the page cache, which may be dropped.
fn in_use(cgroup: &str) -> u64 {
    let cgroup = cgroup.trim_start_matches('/');
    let at = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
    let mut files = at.map(|at| Path::new(at).join(cgroup)).into_iter();
    let stat = files.find_map(|dir| std::fs::read_to_string(dir.join("memory.stat")).ok());
    // Its name in the two versions of control groups.
    let is_meant = |name: &str| ["total_rss", "anon"].contains(&name);
    let stat = stat.unwrap_or_default();
    let lines = stat.lines().filter_map(|line| line.split_once(' '));
    let mut bytes = lines.filter(|(name, _)| is_meant(name));
    bytes
        .next()
        .and_then(|(_, bytes)| bytes.parse().ok())
        .unwrap_or(0)
}
