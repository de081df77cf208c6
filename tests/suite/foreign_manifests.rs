//! What lies at a destination under a manifest's name and is no manifest of that run.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use standin::Standin;
use tokio::process::Child;

use crate::better_archive::shipped_but_one;
use crate::harness::{Place, RUN_ID, standin};
use crate::s3::{assert_says, bucket, into};

/// What `ls` may take of memory, whatever lies at its destination, in KiB.
const MOST: u64 = 48 << 10;

/// What a run may take beyond what it takes at an empty destination.
const MORE: u64 = 6 << 10;

/// A place, and the directory that has what is at its destination.
fn in_directory(standin: &Standin) -> (Place, PathBuf) {
    let place = Place::new(standin);
    let out = place.out();
    (place, out)
}

async fn output(place: &Place, arguments: &[&str]) -> Output {
    let child = place.spawn_with(arguments);
    child.wait_with_output().await.expect("its output")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn edit(manifest: &Path, edit: impl FnOnce(&mut serde_json::Value)) {
    let json = fs::read(manifest).expect("a manifest");
    let mut json = serde_json::from_slice(&json).expect("JSON");
    edit(&mut json);
    fs::write(manifest, serde_json::to_vec(&json).expect("JSON")).expect("a file");
}

#[tokio::test]
async fn a_manifest_under_another_runs_name_is_mismatched() {
    let (standin, bucket) = (standin().await, bucket().await);
    let in_bucket = (into(&bucket, &standin), bucket.path("nightly/a"));
    for (place, out) in [in_directory(&standin), in_bucket] {
        assert_eq!(place.run().await.code, 0);
        for ending in ["json", "tar.gz"] {
            let from = out.join(format!("profile-{RUN_ID}.{ending}"));
            fs::copy(from, out.join(format!("profile-b.{ending}"))).expect("a copy");
        }
        let table = place.run_with(&["ls"]).await.log;
        let row = table.lines().find(|line| line.starts_with("b "));
        let row = row.expect("a row");
        assert_eq!(row.split_whitespace().nth(1), Some("mismatched"), "{table}");
        let got = output(&place, &["get", "b"]).await;
        assert_eq!(got.status.code(), Some(1), "{}", said(&got));
        assert!(
            said(&got).contains("another run, test-run"),
            "{}",
            said(&got)
        );
        assert_eq!(got.stdout, b"");
        let starts = standin.starts();
        let place = place.with("PROFILER_RUN_ID", "b");
        assert_says(&place.run().await, 4, &["another run, test-run"]);
        assert_eq!(standin.starts(), starts);
        let place = place
            .with("PROFILER_RUN_ID", "next")
            .with("PROFILER_KEEP", 1);
        assert_eq!(place.run().await.code, 0);
        assert!(out.join("profile-b.json").exists());
        assert!(out.join("profile-b.tar.gz").exists());
        assert!(!out.join(format!("profile-{RUN_ID}.json")).exists());
    }
}

/// Whether a terminal would show this as it is.
fn is_plain(text: &str) -> bool {
    let control = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    !text.contains(control)
}

#[tokio::test]
async fn control_characters_of_a_manifest_are_written_out() {
    const EVIL: &str = "\u{1b}[2Jgone\u{7}\r\nall is well \u{9b}1m\u{202e}";
    let standin = standin().await;
    let (place, out) = in_directory(&standin);
    let place = place
        .with("POD_NAME", "runner")
        .with("POD_NAMESPACE", "kubevirt")
        .with("POD_UID", "1")
        .with("PROFILER_LOG", "text");
    assert_eq!(place.run().await.code, 0);
    let manifest = out.join(format!("profile-{RUN_ID}.json"));
    edit(&manifest, |json| {
        json["reason"] = EVIL.into();
        json["archive"]["uri"] = EVIL.into();
    });
    let table = place.run_with(&["ls"]).await.log;
    assert!(is_plain(&table), "{table:?}");
    assert_eq!(table.lines().count(), 2, "{table}");
    let again = place.run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    assert!(is_plain(&again.log), "{:?}", again.log);
    assert!(!again.log.contains("\nall is well"), "{}", again.log);
    let message = again.termination.to_string();
    assert!(
        message.contains("gone") && !message.contains("\\u001b"),
        "{message}"
    );
    // An archive of another content has its place printed.
    let mut archive = fs::read(place.archive()).expect("an archive");
    archive[1000] ^= 1;
    fs::write(place.archive(), archive).expect("a file");
    let got = output(&place, &["get", RUN_ID]).await;
    assert_eq!(got.status.code(), Some(1));
    assert!(
        said(&got).contains("do not use") && is_plain(&said(&got)),
        "{:?}",
        said(&got)
    );
    edit(&manifest, |json| json["run_id"] = EVIL.into());
    assert!(is_plain(&said(&output(&place, &["ls"]).await)));
    edit(&manifest, |json| json["pods"][0]["state"] = EVIL.into());
    let listed = output(&place, &["ls"]).await;
    assert!(
        said(&listed).contains("gone") && is_plain(&said(&listed)),
        "{:?}",
        said(&listed)
    );
}

/// The peak of a process's memory in KiB, looked at until it is over.
async fn peak_of(mut child: Child) -> (u64, Option<i32>) {
    let status = format!("/proc/{}/status", child.id().expect("a process"));
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        peak = number.unwrap_or(peak);
        if let Some(ended) = child.try_wait().expect("its status") {
            return (peak, ended.code());
        }
        // To spin would take the time that the process and its bucket need.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn large(path: &Path, write: impl FnOnce(&mut BufWriter<File>)) {
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    write(&mut file);
    file.flush().expect("it is written");
    let old = std::time::SystemTime::UNIX_EPOCH;
    file.get_ref().set_modified(old).expect("its time is set");
}

fn repeat(file: &mut BufWriter<File>, piece: &[u8], bytes: usize) {
    for _ in 0..bytes / piece.len() {
        file.write_all(piece).expect("it is written");
    }
}

/// Manifests of 6 MB, and others that nobody would write: long, deep, of one string, and longer than any that is
/// read to its end.
#[tokio::test]
async fn what_lies_under_a_manifests_name_costs_no_memory() {
    let (standin, bucket) = (standin().await, bucket().await);
    let in_bucket = (into(&bucket, &standin), bucket.path("nightly/a"));
    for (place, out) in [in_directory(&standin), in_bucket] {
        let (usual, code) = peak_of(place.spawn()).await;
        assert_eq!(code, Some(0));
        let json = fs::read(out.join(format!("profile-{RUN_ID}.json"))).expect("a manifest");
        let mut manifest: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        let pods = manifest["pods"].as_array().expect("pods").clone();
        let pods: Vec<_> = pods.iter().cycle().take(2000).cloned().collect();
        manifest["pods"] = pods.into();
        for number in 0..3 {
            manifest["run_id"] = format!("big-{number}").into();
            let json = serde_json::to_vec_pretty(&manifest).expect("JSON");
            assert!(json.len() > 5 << 20, "{}", json.len());
            let path = out.join(format!("profile-big-{number}.json"));
            large(&path, |file| file.write_all(&json).expect("it is written"));
            let archive = out.join(format!("profile-{RUN_ID}.tar.gz"));
            fs::copy(archive, path.with_extension("tar.gz")).expect("a copy");
        }
        for (name, beginning, piece, megabytes) in [
            ("string", "{\"run_id\":\"", &b"aaaaaaaaaaaaaaaa"[..], 32),
            (
                "unread",
                "{\"x\":\"",
                &b"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\""[..],
                32,
            ),
            ("deep", "{\"x\":", &b"[[[[[[[[[[[[[[[["[..], 32),
            ("number", "{\"exit_code\":1", &b"0000000000000000"[..], 32),
            (
                "long",
                "{\"pods\":[",
                &b"{\"component\":\"virt-api\",\"state\":\"complete\"},"[..],
                8,
            ),
            ("blank", "", &b"                "[..], 65),
        ] {
            large(&out.join(format!("profile-evil-{name}.json")), |file| {
                file.write_all(beginning.as_bytes()).expect("it is written");
                repeat(file, piece, megabytes << 20);
            });
        }
        let (peak, code) = peak_of(place.spawn_with(&["ls"])).await;
        assert_eq!(code, Some(0));
        assert!(peak < MOST, "ls took {peak} KiB");
        let place = place
            .with("PROFILER_RUN_ID", "next")
            .with("PROFILER_KEEP", 1);
        let (peak, code) = peak_of(place.spawn()).await;
        assert_eq!(code, Some(0));
        assert!(
            peak < usual + MORE,
            "the run took {peak} KiB, and {usual} without"
        );
        assert!(!out.join("profile-big-2.json").exists());
        assert!(out.join("profile-evil-deep.json").exists());
    }
}

/// A manifest of the run's own that is of many more pods than the run has, and as large as any that is read. The archive
/// goes beside it, and nothing of it is in memory beside the dump.
#[tokio::test]
async fn what_lies_under_the_runs_own_name_costs_no_memory() {
    let (mut peaks, mut ended) = (Vec::new(), Vec::new());
    for is_large in [false, true] {
        let (standin, place) = shipped_but_one().await;
        let own = place.out().join(format!("profile-{RUN_ID}.json"));
        edit(&own, |manifest| {
            let pods = manifest["pods"].as_array().expect("pods").clone();
            let most = if is_large { 9000 } else { pods.len() };
            let pods = pods.into_iter().cycle().take(most).enumerate();
            let padded = pods.map(|(number, mut pod)| {
                pod["name"] = format!("pod-{number}").into();
                pod["why"] = "x".repeat(if is_large { 4096 } else { 1 }).into();
                pod
            });
            manifest["pods"] = padded.collect::<Vec<_>>().into();
        });
        let bytes = fs::metadata(&own).expect("a manifest").len();
        assert_eq!(bytes > 50 << 20, is_large, "{bytes}");
        assert!(bytes < 64 << 20, "{bytes}");
        let (peak, code) = peak_of(place.spawn()).await;
        let beside = place.out().join(format!("profile-{RUN_ID}.beside.json"));
        assert!(standin.profiling().is_empty());
        peaks.push(peak);
        ended.push((code, beside.exists()));
    }
    assert!(
        peaks[1] < peaks[0] + MORE,
        "the run took {} KiB, and {} without",
        peaks[1],
        peaks[0]
    );
    assert_eq!(ended, [(Some(0), false), (Some(0), true)]);
}
