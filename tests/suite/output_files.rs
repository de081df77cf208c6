//! Files that a person names for what a command writes.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use standin::{Options, Standin};

use crate::diff::{diff, nights, steady_and};
use crate::harness::{BINARY, Place, RUN_ID, listing};

const JUNIT: &str = "<testsuites";

async fn write(place: &Place, path: &Path) {
    let path = path.to_str().expect("a path");
    let ended = diff(place, &["--junit", path]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_is_written_and_stays_one() {
    let place = nights(&steady_and(&[100]));
    let pipe = place.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    // Opened for both, so that nobody waits for the other side; it holds what is written.
    let mut held = fs::File::options();
    let mut held = held.read(true).write(true).open(&pipe).expect("a pipe");
    write(&place, &pipe).await;
    let mut begin = [0; 256];
    let read = std::io::Read::read(&mut held, &mut begin).expect("it is read");
    let begin = String::from_utf8_lossy(&begin[..read]);
    assert!(begin.contains(JUNIT), "{begin}");
    let kind = fs::symlink_metadata(&pipe)
        .expect("it is there")
        .file_type();
    assert!(kind.is_fifo());
}

#[tokio::test]
async fn a_link_stays_and_a_file_keeps_its_mode() {
    let place = nights(&steady_and(&[100]));
    let (link, file) = (place.path("link"), place.path("file"));
    fs::write(&file, "before").expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a mode");
    symlink(&file, &link).expect("a link");
    write(&place, &link).await;
    let kind = fs::symlink_metadata(&link)
        .expect("it is there")
        .file_type();
    assert!(kind.is_symlink());
    assert!(fs::read_to_string(&file).expect("a file").contains(JUNIT));
    let mode = fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let new = place.path("new");
    write(&place, &new).await;
    let mode = fs::metadata(&new)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[tokio::test]
async fn a_dash_is_the_standard_output() {
    let place = nights(&steady_and(&[100]));
    let ended = diff(&place, &["--junit", "-"]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains(JUNIT), "{}", ended.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_takes_the_place_of_no_file_of_its_run() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let place = Place::new(&standin).with("PROFILER_REPORT", "true");
    assert_eq!(place.run().await.code, 0);
    let link = place.path("link");
    symlink(place.out(), &link).expect("a link");
    let name = |extension| format!("profile-{RUN_ID}.{extension}");
    let before = contents(&place.out());
    let report: &[&str] = &["report", RUN_ID, "-o"];
    let fetch: &[&str] = &["get", RUN_ID, "-o"];
    let fetch_page: &[&str] = &["get", RUN_ID, "--report", "-o"];
    for (file, what) in [
        (place.out().join(name("html")), "the page"),
        (link.join(name("json")), "the manifest"),
        (
            place.out().join("../out").join(name("tar.gz")),
            "the archive",
        ),
    ] {
        for command in [report, fetch, fetch_page] {
            let file = file.to_str().expect("a path");
            let ended = place.run_with(&[command, &[file]].concat()).await;
            assert_eq!(ended.code, 2, "{command:?} {file}: {}", ended.log);
            let wanted = format!("{what} of run {RUN_ID}");
            assert!(ended.log.contains(&wanted), "{}", ended.log);
            assert_eq!(ended.log.lines().count(), 1, "{}", ended.log);
        }
    }
    assert!(contents(&place.out()) == before);
    let other = place.out().join("other.html");
    let other = other.to_str().expect("a path");
    let ended = place.run_with(&[report, &[other]].concat()).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_in_its_runs_directory_leaves_a_page_that_is_listed() {
    for (wanted, code) in [("true", 2), ("false", 0)] {
        let standin = Standin::start(Options::default())
            .await
            .expect("a stand-in");
        let place = Place::new(&standin).with("PROFILER_REPORT", wanted);
        assert_eq!(place.run().await.code, 0);
        let ended = Command::new(BINARY)
            .args(["report", RUN_ID])
            .env_clear()
            .envs(place.variables())
            .current_dir(place.out())
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{wanted}: {said}");
    }
}

/// The files of a directory.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = listing(directory).into_iter();
    files
        .map(|file| (file.clone(), fs::read(file).expect("a file")))
        .collect()
}

#[tokio::test]
async fn an_argument_is_told_without_its_control_characters() {
    let place = nights(&steady_and(&[100]));
    for arguments in [
        &["top", "x\x1b[31m"][..],
        &["top", "/nodir/\x1b[31m.tar.gz"],
        &["diff", "--junit", "/nodir/\x1b[31m"],
    ] {
        let ended = place.run_with(arguments).await;
        assert_ne!(ended.code, 0, "{}", ended.log);
        assert!(!ended.log.contains('\x1b'), "{:?}", ended.log);
    }
}
