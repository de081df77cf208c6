//! An archive and its manifest held against each other, by the system's tar.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cluster_profiler_job::manifest::{Manifest, Sha256};
use sha2::Digest;

/// The manifest, if every file is in the archive as it says, and no other.
pub(crate) fn checked(manifest: &Path, archive: &Path) -> Manifest {
    let json = std::fs::read(manifest).expect("a manifest");
    let manifest: Manifest = serde_json::from_slice(&json).expect("a manifest");
    assert_eq!(digest(archive), manifest.archive.sha256, "the archive");
    let size = archive.metadata().expect("a size").len();
    assert_eq!(size, manifest.archive.bytes);
    let dir = tempfile::tempdir().expect("a directory");
    let there = unpack(archive, dir.path());
    let files = manifest.pods.iter().flat_map(|pod| &pod.files);
    let files: Vec<_> = files.chain([&manifest.cluster_file]).collect();
    for file in &files {
        let digest = digest(&dir.path().join(&file.path));
        assert_eq!(digest, file.sha256, "{}", file.path);
    }
    let listed: BTreeSet<_> = files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(there, listed);
    manifest
}

/// Unpacks; the names of what was in it.
fn unpack(archive: &Path, into: &Path) -> BTreeSet<String> {
    let mut tar = Command::new("tar");
    tar.arg("-xzvf").arg(archive).arg("-C").arg(into);
    let output = tar.output().expect("tar starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let names = String::from_utf8(output.stdout).expect("names");
    names.lines().map(str::to_owned).collect()
}

fn digest(path: &Path) -> Sha256 {
    let content = std::fs::read(path);
    let content = content.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Sha256(sha2::Sha256::digest(content).into())
}
