//! The time that a profile bears: its dump's in a run, its text's in `convert`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use cluster_profiler_job::pprof::Kind;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use standin::{Fault, Times};

use crate::goldens::served;
use crate::harness::{BINARY, Place, RUN_ID, example, standin};
use crate::proto_reader::decode_packed;

const SECOND: u64 = 1_000_000_000;

/// The modification times of an archive's entries, by path.
fn entry_times(archive: &Path) -> BTreeMap<String, u64> {
    let file = fs::File::open(archive).expect("an archive");
    let mut tar = tar::Archive::new(MultiGzDecoder::new(file));
    let entries = tar.entries().expect("a tar");
    let time = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        (path, entry.header().mtime().expect("a time"))
    };
    entries.map(time).collect()
}

/// Asserts that everything that a run has of a pod bears the one time of its dump, and that the pod's dump
/// began after the window.
async fn assert_dump_times(place: &Place) {
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    let entries = entry_times(&place.archive());
    let window = shipped.manifest.window;
    for pod in &shipped.manifest.pods {
        let dumped_at = pod.dumped_at.expect("a time");
        // A file system's clock may be a tick behind.
        let after = dumped_at + SignedDuration::from_millis(20) >= window.stop;
        assert!(after && dumped_at <= Timestamp::now(), "{dumped_at}");
        let seconds = dumped_at.as_second().unsigned_abs();
        for kind in Kind::ALL {
            let path = format!("profile-{RUN_ID}/{}/{}", pod.pod.name, kind.file_name());
            let profile = decode_packed(&shipped.files[&path]);
            if kind == Kind::Cpu {
                let begin = window.start.as_second().unsigned_abs();
                assert!(profile.time_nanos / SECOND <= begin, "it keeps its own");
                assert_ne!(profile.duration_nanos, 0);
            } else {
                assert_eq!(profile.time_nanos, seconds * SECOND, "{path}");
                assert_eq!(profile.duration_nanos, 0, "it is of a moment");
            }
        }
        for file in &pod.files {
            assert_eq!(entries[&file.path], seconds, "{}", file.path);
        }
    }
    let cluster_file = entries[&shipped.manifest.cluster_file.path];
    assert_eq!(cluster_file, window.start.as_second().unsigned_abs());
}

#[tokio::test]
async fn the_profiles_of_a_pod_bear_the_time_of_its_dump() {
    let standin = standin().await;
    assert_dump_times(&Place::new(&standin)).await;
}

#[tokio::test]
async fn so_do_those_that_upstreams_program_brought() {
    let standin = standin().await;
    let place = Place::new(&standin)
        .with("PROFILER_ENGINE", "cluster-profiler")
        .with("PROFILER_PROGRAM", example("scripted-profiler").display());
    fs::write(place.path("script"), "").expect("a script");
    assert_dump_times(&place).await;
}

#[tokio::test]
async fn a_pod_without_files_has_no_time() {
    let standin = standin().await;
    let pod = standin.pods().remove(0);
    let place = Place::new(&standin);
    standin.pod_fault(&pod, Fault::DumpFails(Times::Always));
    assert_eq!(place.run().await.code, 5);
    assert_eq!(place.shipped().pod(&pod).dumped_at, None);
}

/// Converts, and gives the time that the profile bears and the times of it and of its text.
fn converted(source: &Path) -> (u64, Vec<SystemTime>) {
    let scratch = tempfile::tempdir().expect("a directory");
    let dest = scratch.path().join("dest");
    let mut command = Command::new(BINARY);
    command.arg("convert").arg(source).arg(&dest);
    let output = command.output().expect("an end");
    assert!(output.status.success(), "{output:?}");
    let profile = dest.join("pod/heap.pprof");
    let time = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified());
    let files = [profile.clone(), dest.join("pod/original/heap.txt")];
    let times = files.iter().map(|path| time(path).expect("a time"));
    let packed = fs::read(&profile).expect("a profile");
    (decode_packed(&packed).time_nanos, times.collect())
}

#[test]
fn a_converted_profile_bears_the_time_of_its_text() {
    let source = tempfile::tempdir().expect("a directory");
    let text = source.path().join("pod/heap.pprof");
    fs::create_dir(source.path().join("pod")).expect("a directory");
    fs::write(&text, served("small", "heap")).expect("a text");
    for (time, nanos) in [
        ("2024-02-29T12:00:00.75Z", 1_709_208_000 * SECOND),
        ("2001-09-09T01:46:40Z", SECOND * SECOND),
    ] {
        let time: Timestamp = time.parse().expect("a time");
        let file = fs::File::open(&text).expect("a text");
        file.set_modified(time.into()).expect("its time");
        assert_eq!(converted(source.path()), (nanos, vec![time.into(); 2]));
    }
}

#[test]
fn a_converted_profile_of_an_archive_bears_the_time_of_its_entry() {
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("source.tar.gz");
    let text = served("small", "heap");
    // An entry without a time says 1970, and so the profile says nothing.
    for seconds in [1_709_208_000, 0] {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mtime(seconds);
        let appended = builder.append_data(&mut header, "pod/heap.pprof", text.as_slice());
        appended.expect("memory");
        let packed = builder.into_inner().and_then(GzEncoder::finish);
        fs::write(&path, packed.expect("memory")).expect("a file");
        assert_eq!(converted(&path).0, seconds * SECOND);
    }
}
