//! Volumes that are full, read-only or somebody else's, and the order of what is written to one.
//!
//! Tests have mounts of their own, in a namespace that `unshare` makes, or watch the system calls
//! with `strace`: they need util-linux, strace, and the right to use namespaces.

#[expect(dead_code, reason = "the suite uses the rest of it")]
#[path = "../suite/harness.rs"]
mod harness;

#[path = "../suite/in_phase.rs"]
mod in_phase;

#[path = "../suite/made_runs.rs"]
mod made_runs;

#[path = "../suite/fault_table/table.rs"]
mod table;

mod disks;
mod report;

use std::process::Stdio;

use harness::{BINARY, Place, listing};
use standin::{Options, Standin};

/// Runs the binary after a script, in a mount namespace: its exit code and what it said.
async fn run_in_namespace(place: &Place, script: &str, pre: &[&str]) -> (Option<i32>, String) {
    std::fs::create_dir_all(place.out()).expect("a directory");
    let script = format!("set -e; {script}; exec \"$@\"");
    let output = tokio::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .args(pre)
        .arg(BINARY)
        .env_clear()
        .envs(place.variables())
        .env("OUT", place.out())
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .stdin(Stdio::null())
        .output()
        .await
        .expect("unshare, from util-linux, starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said.into_owned())
}

async fn refused(script: &str, pre: &[&str], options: Options, starts: usize, words: &[&str]) {
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin);
    let (code, said) = run_in_namespace(&place, script, pre).await;
    assert_eq!(code, Some(4), "{said}");
    for word in words {
        assert!(said.contains(word), "{said:?} does not say {word:?}");
    }
    assert_eq!(standin.starts(), starts, "{said}");
    assert!(standin.profiling().is_empty());
    assert!(
        listing(&place.out()).is_empty(),
        "something was left outside the volume"
    );
}

#[tokio::test]
async fn a_volume_that_fills_up_ends_the_run_with_4_and_profiling_off() {
    let script = "mount -t tmpfs -o size=64k none \"$OUT\"";
    refused(
        script,
        &[],
        Options::default(),
        1,
        &["No space left", "make room"],
    )
    .await;
}

#[tokio::test]
async fn a_read_only_volume_is_refused_before_anything_is_changed() {
    let script = "mount -t tmpfs -o ro none \"$OUT\"";
    refused(
        script,
        &[],
        Options::default(),
        0,
        &["Read-only", "mount it writable"],
    )
    .await;
}

#[tokio::test]
async fn a_volume_of_somebody_elses_is_refused_before_anything_is_changed() {
    // Root without the capability that lets it write anywhere.
    let pre = [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search",
        "--inh-caps=-all",
    ];
    let script = "mount -t tmpfs -o mode=555 none \"$OUT\"";
    refused(
        script,
        &pre,
        Options::default(),
        0,
        &["Permission denied", "fsGroup"],
    )
    .await;
}

#[tokio::test]
async fn a_full_temporary_volume_is_told_before_anything_is_changed() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let place = Place::new(&standin);
    let script = "mount -t tmpfs -o size=8k none \"$TMPDIR\"; \
                  if head -c 65536 /dev/zero > \"$TMPDIR/full\"; then exit 9; fi";
    let (code, said) = run_in_namespace(&place, script, &[]).await;
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(standin.starts(), 0, "{said}");
}

/// `stop` on a full disk: its exit code, what it said, and what the stop file holds.
async fn stopped_on_a_full_disk(code: &[&str]) -> (Option<i32>, String, Option<String>) {
    let place = Place::empty();
    let script = r#"
        mount -t tmpfs -o size=8k none "$TMPDIR"
        mkdir "$TMPDIR/cluster-profiler-job"
        if head -c 65536 /dev/zero > "$TMPDIR/full"; then exit 9; fi
        code=0
        "$@" || code=$?
        stop="$TMPDIR/cluster-profiler-job/stop"
        if [ -e "$stop" ]; then cp "$stop" "$OUT/stop"; fi
        exit $code
        "#;
    std::fs::create_dir_all(place.out()).expect("a directory");
    let output = tokio::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c"])
        .arg(format!("set -e; {script}"))
        .args(["sh", BINARY, "stop"])
        .args(code)
        .envs(place.variables())
        .env("OUT", place.out())
        .output()
        .await
        .expect("unshare, from util-linux, starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let stop = std::fs::read_to_string(place.out().join("stop")).ok();
    (output.status.code(), said.into_owned(), stop)
}

#[tokio::test]
async fn a_full_disk_does_not_keep_a_window_open() {
    for code in [&[][..], &["0"]] {
        let (ended, said, stop) = stopped_on_a_full_disk(code).await;
        assert_eq!(ended, Some(0), "{said}");
        assert_eq!(stop.as_deref(), Some(""), "{said}");
    }
    let (ended, said, stop) = stopped_on_a_full_disk(&["7"]).await;
    assert_eq!(ended, Some(1), "{said}");
    assert!(said.contains("the exit code 7 has no room"), "{said}");
    assert!(said.contains("touch"), "{said}");
    assert_eq!(stop, None, "a failure is not told as a success: {said}");
}

#[tokio::test]
async fn a_volume_with_room_for_a_block_alone_is_refused_before_anything_is_changed() {
    let script = "mount -t tmpfs -o size=64k none \"$OUT\"; \
                  head -c 61440 /dev/zero > \"$OUT/full\"";
    refused(
        script,
        &[],
        Options::default(),
        0,
        &["No space left", "make room"],
    )
    .await;
}

#[tokio::test]
async fn a_small_temporary_volume_is_enough_for_pods_that_fit_in_memory() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let place = Place::new(&standin);
    let script = "mount -t tmpfs -o size=64k none \"$TMPDIR\"";
    let (code, said) = run_in_namespace(&place, script, &[]).await;
    assert_eq!(code, Some(0), "{said}");
    place.shipped();
}

/// Where the file system knows no locks, nothing tells that a file's writer is dead but the cluster's lock.
#[tokio::test]
async fn what_a_dead_attempt_left_goes_from_a_volume_without_locks() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let place = Place::new(&standin);
    let [own, others] = ["test-run", "other"].map(|run| place.leave_unfinished(run));
    let no_locks = ["-e", "trace=flock", "-e", "inject=flock:error=EOPNOTSUPP"];
    let output = tokio::process::Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(no_locks)
        .arg(BINARY)
        .env_clear()
        .envs(place.variables())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("strace starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    place.shipped();
    assert!(!own.exists() && others.exists());
}

/// What is on the volume must survive the node: content, then the name, then the name's being there;
/// the archive before the manifest.
#[tokio::test]
async fn everything_is_on_the_disk_before_it_has_its_name_and_the_manifest_comes_last() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let place = Place::new(&standin);
    let trace = place.path("trace");
    let status = tokio::process::Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-y",
            "-e",
            "trace=fsync,rename,renameat,renameat2",
            "-o",
        ])
        .arg(&trace)
        .arg(BINARY)
        .env_clear()
        .envs(place.variables())
        .stdout(Stdio::null())
        .status()
        .await
        .expect("strace starts");
    assert!(status.success());
    let trace = std::fs::read_to_string(trace).expect("a trace");
    let out = place.out().display().to_string();
    let directory = format!("<{out}>)");
    let mut lines = trace.lines();
    for (call, what) in [
        ("fsync(", "profile-test-run.tar.gz."),
        ("rename", "profile-test-run.tar.gz\""),
        ("fsync(", directory.as_str()),
        ("fsync(", "profile-test-run.json."),
        ("rename", "profile-test-run.json\""),
        ("fsync(", directory.as_str()),
    ] {
        let found = lines.any(|line| line.contains(call) && line.contains(what));
        assert!(found, "no {call} {what} in its place:\n{trace}");
    }
}
