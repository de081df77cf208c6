//! Subcommands that are told to stop, as PID 1 of a container too, and whose output nobody reads.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cluster_profiler_job::manifest::Manifest;
use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::harness::{BINARY, Place, RUN_ID, listing, send, standin, until};
use crate::left_behind::left;
use crate::lock::{holder, record};
use crate::s3::{bucket, into, key};

/// A server that takes connections and never answers.
async fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address.to_string())
}

/// A place where every API server and every bucket is the silent server.
fn place_at(address: &str) -> Place {
    let place = Place::empty()
        .with("PROFILER_DESTINATION", "s3://bucket/prefix")
        .with("AWS_ENDPOINT_URL", format!("http://{address}"))
        .with("AWS_REGION", "us-east-1")
        .with("AWS_ACCESS_KEY_ID", "key")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    let kubeconfig = place.path("kubeconfig");
    let cluster = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, \
         clusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}], \
         users: [{{name: c, user: {{}}}}], contexts: [{{name: c, context: {{cluster: c, user: c}}}}]}}"
    );
    fs::write(&kubeconfig, cluster).expect("a file");
    place.with("KUBECONFIG", kubeconfig.display())
}

#[tokio::test]
async fn a_command_that_waits_ends_when_it_is_told_to() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 143)] {
        for arguments in [&["ls"][..], &["get", RUN_ID], &["undo"]] {
            let (server, address) = silent().await;
            let place = place_at(&address);
            let child = place.spawn_with(arguments);
            // It is there, and waits for an answer.
            let _connection = server.accept().await.expect("a connection");
            send(&child, signal);
            let ended = place.ended(child).await;
            assert_eq!(ended.code, code, "{arguments:?}: {}", ended.log);
            assert!(ended.log.contains("told to stop before"), "{}", ended.log);
        }
    }
}

/// Sends the child of `unshare`, which is PID 1 of its own namespace, SIGTERM until it has ended: before it asks for
/// the signal, PID 1 gets none. One that never asks for it is killed, and has no exit code.
fn terminate_pid_1(unshare: &mut Child) -> Option<i32> {
    let id = unshare.id();
    let children = format!("/proc/{id}/task/{id}/children");
    for _ in 0..3000 {
        if let Some(status) = unshare.try_wait().expect("a child") {
            return status.code();
        }
        let child = fs::read_to_string(&children).unwrap_or_default();
        let child = child.trim().parse().ok().and_then(Pid::from_raw);
        if let Some(child) = child {
            let _ = kill_process(child, Signal::TERM);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    unshare.kill().expect("it is killed");
    None
}

#[test]
fn as_pid_1_too() {
    for arguments in [
        &["ready", "--wait", "1h"][..],
        &["ls"],
        &["get", RUN_ID],
        &["undo"],
    ] {
        let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("an address");
        let place = place_at(&address.to_string());
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-current-user", "--pid", "--fork"])
            .args(["--kill-child", BINARY])
            .args(arguments)
            .env_clear()
            .envs(place.variables())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut unshare = command.spawn().expect("unshare, from util-linux, starts");
        assert_eq!(terminate_pid_1(&mut unshare), Some(143), "{arguments:?}");
    }
}

#[tokio::test]
async fn get_ends_though_nobody_reads_what_it_writes() {
    let standin = standin().await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    // An archive is larger than what a pipe takes.
    let mut child = Command::new(BINARY)
        .args(["get", RUN_ID])
        .env_clear()
        .envs(place.variables())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut output = child.stdout.take().expect("a pipe");
    output.read_exact(&mut [0; 1]).expect("the first byte");
    let pid = Pid::from_raw(child.id() as i32).expect("a pid");
    kill_process(pid, Signal::TERM).expect("the signal is sent");
    assert_eq!(child.wait().expect("an end").code(), Some(143));
}

#[tokio::test]
async fn undo_gives_the_lease_up_and_leaves_the_journal() {
    let (standin, pod) = left().await;
    let place = Place::new(&standin).with("PROFILER_STOP_WAIT", "1h");
    let stops = standin.arrived("stop-cluster-profiler");
    let child = place.spawn_with(&["undo"]);
    let stopped = |state: &standin::State| {
        state.profiling().len() == 1 && state.arrived("stop-cluster-profiler") > stops
    };
    standin.wait_until(stopped).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert!(ended.log.contains("undo again"), "{}", ended.log);
    assert_eq!(holder(&standin), Value::Null);
    assert!(record(&standin).is_some());
    assert!(standin.profiling().contains(&pod));

    standin.set_ready(&pod, true);
    let undone = place.run_with(&["undo"]).await;
    assert_eq!(undone.code, 0, "{}", undone.log);
    assert!(standin.profiling().is_empty());
    assert_eq!(record(&standin), None);
}

#[tokio::test]
async fn convert_leaves_no_half_of_a_file() {
    let place = Place::empty();
    // An archive that never ends.
    let pipe = place.path("pipe.tar.gz");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = tar::Header::new_ustar();
    header.set_path("pod/heap.pprof").expect("a path");
    header.set_size(1 << 40);
    header.set_cksum();
    gzip.write_all(header.as_bytes()).expect("memory");
    gzip.write_all(&[b'\n'; 1 << 20]).expect("memory");
    let first = gzip.finish().expect("memory");
    let lines = {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&[b'\n'; 1 << 20]).expect("memory");
        gzip.finish().expect("memory")
    };
    fs::write(&pipe, [first, lines.repeat(1 << 16)].concat()).expect("a file");
    let dest = place.path("dest");
    let arguments = [
        "convert",
        &pipe.display().to_string(),
        &dest.display().to_string(),
        "--max-bytes",
        "1TiB",
    ];
    let child = place.spawn_with(&arguments);
    until("a converted file", || dest.join("pod/heap.pprof").exists()).await;
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    assert!(ended.log.contains("told to stop"), "{}", ended.log);
    assert!(listing(&dest.join("pod")).is_empty());
}

/// Runs a shell's line in which `$0` is the binary. Gives its code and what it said.
async fn shell(place: &Place, line: &str) -> (Option<i32>, String) {
    let output = tokio::process::Command::new("bash")
        .args(["-c", line, BINARY])
        .env_clear()
        .envs(place.variables())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .await
        .expect("bash starts");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test]
async fn an_output_that_is_closed_is_no_panic() {
    let standin = standin().await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let closed = "exec 3> >(exec true); wait $!;";
    for (command, code) in [
        ("ls", 0),
        ("--help", 0),
        ("-h", 0),
        ("--version", 0),
        ("undo", 0),
        ("hold --for 1ms", 0),
        ("stop", 1),
        ("ready", 1),
        ("nonsense", 2),
        ("get nothing", 1),
    ] {
        for line in [
            format!("$0 {command} >&-"),
            format!("$0 {command} >&- 2>&-"),
            format!("{closed} $0 {command} >&3"),
            format!("{closed} $0 {command} >&3 2>&3"),
        ] {
            let (ended, said) = shell(&place, &line).await;
            assert_eq!(ended, Some(code), "{line}: {said}");
            assert!(!said.contains("panic"), "{line}: {said}");
            assert!(!said.contains("cannot be written"), "{line}: {said}");
        }
    }
    // What is not written is not whole, and that is said.
    let (ended, said) = shell(&place, &format!("{closed} $0 get {RUN_ID} >&3")).await;
    assert_eq!(ended, Some(1), "{said}");
    assert!(said.contains("the archive cannot be written"), "{said}");
}

#[tokio::test]
async fn a_pod_that_cannot_be_stopped_takes_no_time_of_the_manifest() {
    let standin = standin().await;
    let bucket = bucket().await;
    let place = into(&bucket, &standin)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_STOP_WAIT", "2m")
        .with("PROFILER_GRACE", "22s");
    let child = place.spawn();
    place.until_ready().await;
    let pod = standin.pods()[0].clone();
    standin.set_ready(&pod, false);
    send(&child, Signal::TERM);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 143, "{}", ended.log);
    let manifest = fs::read(bucket.path(&key("json")));
    let manifest: Manifest = serde_json::from_slice(&manifest.expect("a manifest")).expect("JSON");
    assert_eq!(manifest.exit_code, 143);
    assert_eq!(manifest.unstopped, [pod]);
}

#[tokio::test]
async fn a_run_that_waits_for_a_pod_to_be_ready_ends_when_it_is_told() {
    for dry_run in ["true", "false"] {
        let standin = standin().await;
        standin.set_gate(false);
        for pod in standin.pods() {
            standin.set_ready(&pod, false);
        }
        let place = Place::new(&standin)
            .with("PROFILER_DRY_RUN", dry_run)
            .with("PROFILER_PREFLIGHT_RETRY", "1h")
            .with("PROFILER_FEATURE_GATE", "enable-and-restore");
        let child = place.spawn();
        let listed = standin.wait_until(|state| state.arrived("pods") >= 6);
        listed.await;
        send(&child, Signal::TERM);
        let ended = place.ended(child).await;
        assert_eq!(ended.code, 143, "{}", ended.log);
        let gate = &standin.configuration()["developerConfiguration"]["clusterProfiler"];
        assert_ne!(gate, true, "{}", ended.log);
    }
}
