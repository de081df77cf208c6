//! What a container has in memory.

use std::path::Path;

/// In bytes, without the page cache, which may be dropped.
pub(crate) fn in_use(cgroup: &str) -> u64 {
    let cgroup = cgroup.trim_start_matches('/');
    let files = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
    let mut files = files
        .map(|at| Path::new(at).join(cgroup).join("memory.stat"))
        .into_iter();
    let Some(stat) = files.find_map(|file| std::fs::read_to_string(file).ok()) else {
        return 0;
    };
    // Its name in the two versions of control groups.
    let is_meant = |name: &str| ["total_rss", "anon"].contains(&name);
    let lines = stat.lines().filter_map(|line| line.split_once(' '));
    let mut bytes = lines.filter(|(name, _)| is_meant(name));
    bytes
        .next()
        .and_then(|(_, bytes)| bytes.parse().ok())
        .unwrap_or(0)
}
