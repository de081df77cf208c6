//! `convert`: names for the profiles of a directory or an archive that others left.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cluster_profiler_job::pprof::Kind;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::goldens::{golden, packed, served};
use crate::harness::{BINARY, Place, RUN_ID, Shipped, standin};
use crate::proto_reader::decode_packed;

/// Files by relative path.
type Files = BTreeMap<String, Vec<u8>>;

/// A pod's seven files, as upstream's program leaves them.
fn upstream(pod: &str) -> Files {
    let file = |kind: Kind| {
        let file = kind.file_name();
        let name = file.strip_suffix(".pprof").expect("a suffix");
        (format!("{pod}/{file}"), served("small", name))
    };
    Kind::ALL.into_iter().map(file).collect()
}

/// Lets a pod's files have been modified when it was dumped, as an archive's have when they are unpacked.
fn set_times(root: &Path, shipped: &Shipped) {
    for pod in &shipped.manifest.pods {
        let dumped_at = pod.dumped_at.expect("a time");
        let directory = root.join(format!("profile-{RUN_ID}")).join(&pod.pod.name);
        for path in crate::harness::listing(&directory) {
            let file = fs::File::open(path).expect("a file");
            file.set_modified(dumped_at.into()).expect("its time");
        }
    }
}

fn write(root: &Path, files: &Files) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, content).expect("a file");
    }
}

fn read(root: &Path) -> Files {
    let mut files = Files::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for path in crate::harness::listing(&directory) {
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let name = path
                .strip_prefix(root)
                .expect("below")
                .display()
                .to_string();
            files.insert(name, fs::read(path).expect("a file"));
        }
    }
    files
}

fn run(arguments: &[&Path], more: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("convert").args(arguments).args(more);
    command.output().expect("an end")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// Converts, and gives what is there then.
fn convert(source: &Path, code: i32) -> (Files, String) {
    let scratch = tempfile::tempdir().expect("a directory");
    let dest = scratch.path().join("dest");
    let output = run(&[source, &dest], &[]);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    (read(&dest), stdout(&output))
}

/// A directory with these files.
fn directory(files: &Files) -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    write(root.path(), files);
    root
}

/// A .tar.gz that `fill` fills.
fn archive(fill: impl FnOnce(&mut tar::Builder<GzEncoder<Vec<u8>>>)) -> (TempDir, PathBuf) {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    fill(&mut builder);
    let packed = builder.into_inner().and_then(GzEncoder::finish);
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("source.tar.gz");
    fs::write(&path, packed.expect("memory")).expect("a file");
    (root, path)
}

fn append(builder: &mut tar::Builder<GzEncoder<Vec<u8>>>, path: &str, content: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    // Past `set_path`, which refuses what a hostile archive has.
    let name = &mut header.as_old_mut().name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    builder.append(&header, content).expect("memory");
}

/// Asserts that a pod is there with names, and with the texts.
fn assert_converted(files: &Files, pod: &str) {
    for kind in Kind::ALL {
        let profile = &files[&format!("{pod}/{}", kind.file_name())];
        assert!(!decode_packed(profile).functions.is_empty(), "{kind:?}");
        let file = kind.file_name().strip_suffix(".pprof").expect("a suffix");
        let served = served("small", file);
        match kind.original_name() {
            Some(original) => assert!(files[&format!("{pod}/{original}")] == served),
            None => assert!(*profile == served),
        }
    }
}

#[test]
fn a_directory_at_any_depth() {
    let mut files = upstream("deep/profile-1/virt-api-a");
    files.append(&mut upstream("virt-handler-b"));
    files.insert("deep/README".to_owned(), b"mine".to_vec());
    let source = directory(&files);
    let (converted, told) = convert(source.path(), 0);
    assert_converted(&converted, "deep/profile-1/virt-api-a");
    assert_converted(&converted, "virt-handler-b");
    assert_eq!(converted["deep/README"], b"mine");
    assert_eq!(converted.len(), 2 * 13 + 1);
    let pod = "virt-handler-b: 6 converted, 1 already a profile";
    assert!(told.lines().any(|line| line == pod), "{told}");
    assert!(
        told.contains("2 pods: 12 converted, 2 already a profile"),
        "{told}"
    );
}

#[test]
fn an_archive_says_the_same_as_its_directory() {
    let files = upstream("profiles/virt-api-a");
    let source = directory(&files);
    let (_root, packed) = archive(|builder| {
        builder.append_dir_all("./", source.path()).expect("memory");
    });
    let (of_archive, told) = convert(&packed, 0);
    let (of_directory, told_too) = convert(source.path(), 0);
    assert!(of_archive == of_directory);
    assert_eq!(told, told_too);
}

#[tokio::test]
async fn a_run_says_the_same_as_convert() {
    let standin = standin().await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    // What an older run left: the texts under the profiles' names.
    let mut older = Files::new();
    for (path, content) in &shipped.files {
        match path.split_once("/original/") {
            Some((pod, text)) => {
                let path = format!("{pod}/{}", text.replace(".txt", ".pprof"));
                older.insert(path, content.clone());
            }
            None => {
                older.entry(path.clone()).or_insert_with(|| content.clone());
            }
        }
    }
    let source = directory(&older);
    set_times(source.path(), &shipped);
    let (converted, _) = convert(source.path(), 0);
    assert!(converted == shipped.files);
    // And converting its archive changes nothing.
    let (again, told) = convert(&place.archive(), 0);
    assert!(again == shipped.files);
    assert!(
        told.contains("8 pods: 0 converted, 56 already a profile"),
        "{told}"
    );
    assert!(again.contains_key(&format!("profile-{RUN_ID}/cluster.json")));
}

#[test]
fn originals_can_be_left_out() {
    let source = directory(&upstream("pod"));
    let scratch = tempfile::tempdir().expect("a directory");
    let dest = scratch.path().join("dest");
    let output = run(&[source.path(), &dest], &["--drop-originals"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(read(&dest).len(), 7);
}

#[test]
fn a_damaged_text_stays_as_it_was_and_the_rest_is_converted() {
    let mut files = upstream("pod");
    let text = b"heap profile: nothing\n".to_vec();
    files.insert("pod/heap.pprof".to_owned(), text.clone());
    files.insert("pod/cpu.pprof".to_owned(), text.clone());
    let source = directory(&files);
    let (converted, told) = convert(source.path(), 1);
    assert!(converted["pod/heap.pprof"] == text);
    assert!(converted["pod/cpu.pprof"] == text);
    assert!(!converted.contains_key("pod/original/heap.txt"));
    assert!(converted.contains_key("pod/original/mutex.txt"));
    assert!(
        told.contains("pod: 5 converted, 0 already a profile, 2 DAMAGED"),
        "{told}"
    );
    assert!(told.contains("DAMAGED heap.pprof: line 1: "), "{told}");
    assert!(
        told.contains("DAMAGED cpu.pprof: it is no profile"),
        "{told}"
    );
}

#[test]
fn paths_that_lead_out_and_links_are_refused_and_the_rest_is_converted() {
    let heap = golden("small/heap.txt");
    let (root, packed) = archive(|builder| {
        append(builder, "../heap.pprof", &heap);
        append(builder, "/heap.pprof", &heap);
        append(builder, "pod/../../block.pprof", &heap);
        let mut link = tar::Header::new_ustar();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        builder
            .append_link(&mut link, "pod/mutex.pprof", "/etc/passwd")
            .expect("memory");
        let mut link = tar::Header::new_ustar();
        link.set_entry_type(tar::EntryType::Link);
        link.set_size(0);
        builder
            .append_link(&mut link, "pod/allocs.pprof", "heap.pprof")
            .expect("memory");
        append(builder, "pod/heap.pprof", &heap);
        append(builder, "pod/heap.pprof", b"again");
        append(builder, "pod/heap.pprof/cpu.pprof", b"below a file");
        append(builder, "pod/\x1b[2Jx", b"copied");
    });
    let (converted, told) = convert(&packed, 1);
    let names: Vec<_> = converted.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["pod/\x1b[2Jx", "pod/heap.pprof", "pod/original/heap.txt"]
    );
    assert!(converted["pod/original/heap.txt"] == heap);
    let refused = told.lines().filter(|line| line.starts_with("REFUSED"));
    assert_eq!(refused.count(), 7, "{told}");
    assert!(!told.contains('\x1b'));
    let beside = crate::harness::listing(root.path());
    assert_eq!(beside.len(), 1, "{beside:?}");
}

#[test]
fn links_in_a_directory_are_refused() {
    let source = directory(&upstream("pod"));
    let link = source.path().join("pod/other.pprof");
    std::os::unix::fs::symlink("/etc/passwd", link).expect("a link");
    std::os::unix::fs::symlink("/", source.path().join("root")).expect("a link");
    let (converted, told) = convert(source.path(), 1);
    assert_converted(&converted, "pod");
    assert_eq!(converted.len(), 13);
    assert!(told.contains("REFUSED pod/other.pprof"), "{told}");
    assert!(told.contains("REFUSED root"), "{told}");
}

#[test]
fn a_cut_archive_gives_what_is_whole() {
    let (root, path) = archive(|builder| {
        append(builder, "one/heap.pprof", &golden("small/heap.txt"));
        // Noise, so that the cut is within it.
        let noise: Vec<u8> = (0..200_000).map(|_| fastrand::u8(..)).collect();
        append(builder, "two/heap.pprof", &noise);
    });
    let mut packed = fs::read(&path).expect("the archive");
    packed.truncate(packed.len() - 100_000);
    fs::write(&path, packed).expect("a file");
    let (converted, told) = convert(&path, 1);
    assert_eq!(converted.len(), 2);
    assert!(told.contains("UNREADABLE two/heap.pprof"), "{told}");
    drop(root);
}

#[test]
fn what_cannot_be_begun_is_a_usage_error_and_changes_nothing() {
    let source = directory(&upstream("pod"));
    let empty = tempfile::tempdir().expect("a directory");
    let text = empty.path().join("text");
    let there = directory(&upstream("there"));
    let nowhere = empty.path().join("dest");
    for (source, dest, why) in [
        (source.path(), there.path(), "it is there already"),
        (&empty.path().join("none"), &nowhere, "No such file"),
        (empty.path(), &nowhere, "there is no profile in it"),
        (&text, &nowhere, "neither a directory nor a .tar.gz"),
    ] {
        fs::write(&text, "text").expect("a file");
        let output = run(&[source, dest], &[]);
        assert_eq!(output.status.code(), Some(2), "{why}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(why), "{told}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    assert!(!nowhere.exists());
    assert!(read(there.path()) == upstream("there"));
}

#[test]
fn a_destination_within_the_source_is_not_converted_itself() {
    let source = directory(&upstream("pod"));
    let dest = source.path().join("dest");
    let output = run(&[source.path(), &dest], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(read(&dest).len(), 13);
}

#[test]
fn a_profile_that_go_wrote_is_left_alone() {
    let files = Files::from([("pod/heap.pprof".to_owned(), packed("small/heap.pb"))]);
    let source = directory(&files);
    assert!(convert(source.path(), 0).0 == files);
}

#[test]
fn profiles_are_converted_at_once_up_to_the_cores() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Whose conversion takes a while.
    let text = golden("large/heap.txt");
    let pods = (0..4).map(|pod| (format!("pod-{pod}/heap.pprof"), text.clone()));
    let source = directory(&pods.collect());
    let scratch = tempfile::tempdir().expect("a directory");
    let mut child = Command::new(BINARY)
        .arg("convert")
        .args([source.path(), &scratch.path().join("dest")])
        .spawn()
        .expect("the binary starts");
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        let tasks = fs::read_dir(format!("/proc/{}/task", child.id()));
        let names = tasks.into_iter().flatten().flatten();
        let names = names.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        most = most.max(names.filter(|name| name == "conversion\n").count());
    }
    assert!(most >= cores.min(2) && most <= cores, "{most} of {cores}");
}

#[test]
fn a_name_that_is_there_twice_is_the_first_however_long_it_takes() {
    let text = golden("large/heap.txt");
    let taken = |again: &str| {
        let (_root, path) = archive(|builder| {
            append(builder, "pod/heap.pprof", &text);
            append(builder, again, b"again");
            append(builder, "pod/mutex.pprof", &golden("small/mutex.txt"));
        });
        convert(&path, 1)
    };
    for again in [
        "pod/heap.pprof",
        "pod/original/heap.txt",
        "pod/heap.pprof/below",
    ] {
        let (files, told) = taken(again);
        assert!(
            told.contains(&format!("REFUSED {again}")),
            "{again}: {told}"
        );
        assert!(told.contains("1 pod: 2 converted"), "{again}: {told}");
        assert!(!decode_packed(&files["pod/heap.pprof"]).functions.is_empty());
        assert!(files["pod/original/heap.txt"] == text);
        assert_eq!(files.len(), 4, "{again}");
    }
    let (_, told) = taken("pod/original");
    assert!(told.contains("REFUSED pod/original:"), "{told}");
}

#[test]
fn what_cannot_be_written_is_told_of_the_first_file() {
    let source = directory(&upstream("pod"));
    for _ in 0..3 {
        let scratch = tempfile::tempdir().expect("a directory");
        let dest = scratch.path().join("dest");
        let mut command = Command::new("bash");
        command
            .args([
                "-c",
                "ulimit -f 4; trap '' XFSZ; exec \"$@\"",
                "bash",
                BINARY,
            ])
            .arg("convert")
            .args([source.path(), &dest]);
        let output = command.output().expect("an end");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains("pod/allocs.pprof: "), "{told}");
    }
}

#[test]
fn it_says_how_fast_it_was() {
    let source = directory(&upstream("pod"));
    let scratch = tempfile::tempdir().expect("a directory");
    let output = run(&[source.path(), &scratch.path().join("dest")], &[]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(" of text in "), "{told}");
    assert!(told.trim_end().ends_with("B/s"), "{told}");
}
