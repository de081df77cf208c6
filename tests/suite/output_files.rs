//! Files that a person names for what a command writes.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::diff::{diff, nights, steady_and};
use crate::harness::Place;

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
