//! What a container uses: memory, and room in its /tmp.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The most that was seen, in bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// In memory, without the page cache, which may be dropped.
    pub(crate) memory: u64,
    /// In files.
    pub(crate) scratch: u64,
}

/// Looks again and again until it is dropped.
pub(crate) struct Watch {
    most: Arc<Mutex<Usage>>,
    _end: Sender<()>,
}

impl Watch {
    /// Looks at a control group and at a directory.
    pub(crate) fn begin(cgroup: String, scratch: PathBuf) -> Self {
        let (most, (sender, end)) = (Arc::<Mutex<Usage>>::default(), channel());
        let seen = Arc::clone(&most);
        std::thread::spawn(move || watch(&cgroup, &scratch, &seen, &end));
        Self { most, _end: sender }
    }

    /// What was seen so far.
    pub(crate) fn most(&self) -> Usage {
        *self.most.lock().expect("nobody panics with it")
    }
}

fn watch(cgroup: &str, scratch: &Path, most: &Mutex<Usage>, end: &Receiver<()>) {
    while end.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
        let (memory, scratch) = (in_memory(cgroup), in_files(scratch));
        let mut most = most.lock().expect("nobody panics with it");
        most.memory = most.memory.max(memory);
        most.scratch = most.scratch.max(scratch);
    }
}

fn in_memory(cgroup: &str) -> u64 {
    let cgroup = cgroup.trim_start_matches('/');
    let at = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
    let mut files = at.map(|at| Path::new(at).join(cgroup)).into_iter();
    let stat = files.find_map(|dir| std::fs::read_to_string(dir.join("memory.stat")).ok());
    // Its name in the two versions of control groups.
    let is_meant = |name: &str| ["total_rss", "anon"].contains(&name);
    let stat = stat.unwrap_or_default();
    let lines = stat.lines().filter_map(|line| line.split_once(' '));
    let mut bytes = lines.filter(|(name, _)| is_meant(name));
    let bytes = bytes.next().and_then(|(_, bytes)| bytes.parse().ok());
    bytes.unwrap_or(0)
}

/// Of a directory that changes meanwhile.
fn in_files(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => in_files(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
