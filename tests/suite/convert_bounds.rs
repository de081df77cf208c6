//! The bounds of `convert`: what unpacks to too much ends early, in bounded memory, and says which bound it met.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use cluster_profiler_job::pprof::{Kind, Served, read};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::EntryType;
use tempfile::TempDir;

use crate::goldens::served;
use crate::harness::{Place, limit_memory};

const MIB: usize = 1 << 20;

/// Bytes as a gzip member.
fn member(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(content).expect("memory");
    gzip.finish().expect("memory")
}

/// Mebibytes of zeros as gzip members, of which each is written once only.
fn zeros(mebibytes: usize) -> Vec<u8> {
    member(&vec![0; MIB]).repeat(mebibytes)
}

fn header(kind: EntryType, name: &str, bytes: usize) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(name).expect("a path");
    header.set_size(bytes as u64);
    header.set_cksum();
    header
}

/// A file's entry, with its padding.
fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut entry = header(EntryType::Regular, name, content.len())
        .as_bytes()
        .to_vec();
    entry.extend_from_slice(content);
    entry.resize(entry.len().next_multiple_of(512), 0);
    member(&entry)
}

/// Files in an archive, followed by something.
struct Source {
    directory: TempDir,
    path: PathBuf,
}

impl Source {
    fn archive(members: &[Vec<u8>]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("source.tar.gz");
        fs::write(&path, members.concat()).expect("a file");
        Self { directory, path }
    }

    fn directory(files: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("source");
        for name in files {
            let file = path.join(name);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            fs::write(file, served("small", "heap")).expect("a file");
        }
        Self { directory, path }
    }

    fn dest(&self) -> PathBuf {
        self.directory.path().join("dest")
    }
}

/// Converts in 64 MiB of memory.
async fn convert(source: &Source, more: &[&str]) -> Output {
    let text = |path: &Path| path.display().to_string();
    let (from, to) = (text(&source.path), text(&source.dest()));
    let arguments = [&["convert", &from, &to], more].concat();
    let child = Place::empty().spawn_with(&arguments);
    limit_memory(&child, 64 * MIB as u64);
    child.wait_with_output().await.expect("an end")
}

/// Asserts that a conversion met a bound at some file, and what was converted before is there.
fn assert_met(output: &Output, source: &Source, bound: &str, at: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(told.contains(bound), "{told}");
    assert!(told.contains(at), "{told}");
    assert!(told.len() < 1000, "{}", told.len());
    assert!(source.dest().join("one/heap.pprof").is_file());
}

#[tokio::test]
async fn a_small_archive_that_unpacks_to_more_than_is_taken() {
    let heap = file("one/heap.pprof", &served("small", "heap"));
    for name in ["two/README", "two/heap.pprof", "two/cpu.pprof"] {
        let bomb = header(EntryType::Regular, name, 4096 * MIB);
        let bomb = member(bomb.as_bytes());
        let source = Source::archive(&[heap.clone(), bomb, zeros(4096)]);
        let output = convert(&source, &["--max-bytes", "100MiB"]).await;
        assert_met(&output, &source, "--max-bytes", name);
        assert!(!source.dest().join(name).exists(), "no half of a file");
    }
    // What is taken is unpacked bytes, and no more are refused.
    let source = Source::archive(&[heap, file("two/README", &[7; MIB]), member(&[0; 1024])]);
    assert_eq!(
        convert(&source, &["--max-bytes", "2MiB"])
            .await
            .status
            .code(),
        Some(0)
    );
}

#[tokio::test]
async fn more_entries_than_are_taken() {
    let heap = file("one/heap.pprof", &served("small", "heap"));
    let empty = (0..1000).map(|number| file(&format!("empty-{number}"), &[]));
    let links = (0..1000).map(|number| {
        let link = header(EntryType::Symlink, &format!("link-{number}"), 0);
        member(link.as_bytes())
    });
    for many in [empty.collect::<Vec<_>>(), links.collect()] {
        let source = Source::archive(&[vec![heap.clone()], many].concat());
        let output = convert(&source, &["--max-entries", "10"]).await;
        assert_met(&output, &source, "--max-entries", "-9");
    }
}

#[tokio::test]
async fn the_headers_of_an_entry_are_not_read_without_end() {
    let heap = file("one/heap.pprof", &served("small", "heap"));
    for kind in [
        EntryType::XHeader,
        EntryType::GNULongName,
        EntryType::GNULongLink,
    ] {
        let long = header(kind, "headers", 1024 * MIB);
        let long = member(long.as_bytes());
        let source = Source::archive(&[heap.clone(), long, zeros(1024), heap.clone()]);
        let output = convert(&source, &[]).await;
        assert_met(
            &output,
            &source,
            "the headers of what comes next",
            "one/heap.pprof",
        );
    }
    // Headers that nobody asked for, one after another, are entries.
    let global = member(header(EntryType::XGlobalHeader, "global", 0).as_bytes());
    let source = Source::archive(&[vec![heap], vec![global; 1000]].concat());
    let output = convert(&source, &["--max-entries", "10"]).await;
    assert_met(&output, &source, "--max-entries", "global");
}

#[tokio::test]
async fn an_entry_that_is_passed_over_may_be_large_and_a_long_path_is_refused() {
    let heap = file("one/heap.pprof", &served("small", "heap"));
    let link = member(header(EntryType::Symlink, "link", 16 * MIB).as_bytes());
    let name = "n".repeat(2000);
    let long = member(header(EntryType::GNULongName, "headers", 2048).as_bytes());
    let mut long_name = name.clone().into_bytes();
    long_name.resize(2048, 0);
    let source = Source::archive(&[
        link,
        zeros(16),
        long,
        member(&long_name),
        file("short", b"content"),
        heap,
        member(&[0; 1024]),
    ]);
    let output = convert(&source, &[]).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        told.contains("its path is longer than 1024 bytes"),
        "{told}"
    );
    assert!(!told.contains(&name), "{told}");
    assert!(told.contains("REFUSED link"), "{told}");
    assert!(source.dest().join("one/heap.pprof").is_file());
}

#[tokio::test]
async fn a_directory_has_the_same_bounds() {
    let source = Source::directory(&["one/heap.pprof", "two/heap.pprof"]);
    let bytes = (served("small", "heap").len() + 1).to_string();
    let output = convert(&source, &["--max-bytes", &bytes]).await;
    assert_met(&output, &source, "--max-bytes", "two/heap.pprof");
    let source = Source::directory(&["one/heap.pprof", "two/heap.pprof"]);
    // Before anything is written.
    let output = convert(&source, &["--max-entries", "3"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--max-entries"));
    assert!(!source.dest().exists());
    assert_eq!(
        convert(&source, &["--max-entries", "4"])
            .await
            .status
            .code(),
        Some(0)
    );
}

#[test]
fn a_packed_profile_is_not_unpacked_without_end() {
    // A field of 1 GiB that no reader knows.
    let mut content = vec![0x7a];
    let mut length = 1024 * MIB;
    while length >= 0x80 {
        content.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    content.push(length as u8);
    let profile = [member(&content), zeros(1024)].concat();
    let served = read(Kind::Cpu, profile.as_slice(), std::io::sink()).expect("memory");
    let Served::Damaged(why) = served else {
        panic!("{served:?}");
    };
    assert!(why.contains("more than 256 MiB"), "{why}");
}
