//! The disks' table of docs/faults.md: a real file system that fills up while a run is in each of its phases, and
//! has room again when the next attempt begins.
//!
//! `BLESS=1 cargo test --test volumes disks` writes the table anew.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Stdio;

use cluster_profiler_job::manifest::State;
use cluster_profiler_job::run::phase::Phase;
use futures::{StreamExt, stream};
use standin::{Fault, Standin};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::harness::{Place, cluster, example, file_name, listing, until};
use crate::in_phase::{SLOW, enter, has_phase, let_go};
use crate::table::{Codes, Table, assert_documented, attempts, phases};

/// Runs that are under way at once.
const AT_ONCE: usize = 6;

/// Noise in a pod's profiles with which they do not fit into memory, but into a temporary file.
const LARGE: usize = 3 << 20;

/// What fills up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    Destination,
    Temporary,
}

/// A file system of so many bytes, in the mount namespace of a process that lives as long as this does.
pub(crate) struct Volume {
    path: PathBuf,
    _mounted: (Child, TempDir),
}

impl Volume {
    pub(crate) async fn mount(bytes: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let script = format!("mount -t tmpfs -o size={bytes} none \"$1\" && echo && exec cat");
        let mut holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("unshare, from util-linux, starts");
        let mut said = holder.stdout.take().expect("a pipe");
        said.read_u8().await.expect("the file system is mounted");
        let pid = holder.id().expect("it runs");
        Self {
            path: format!("/proc/{pid}/root{}", dir.path().display()).into(),
            _mounted: (holder, dir),
        }
    }

    fn filling(&self) -> PathBuf {
        self.path.join("filling")
    }

    fn fill_up(&self) {
        let mut file = std::fs::File::create(self.filling()).expect("a file");
        let full = loop {
            if let Err(error) = file.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filling()).expect("it was full");
    }
}

/// Puts a directory of a place on a volume.
pub(crate) fn move_to(place: &Place, name: &str, volume: &Volume) {
    let there = volume.path.join(name);
    std::fs::create_dir(&there).expect("a directory");
    let _ = std::fs::remove_dir(place.path(name));
    std::os::unix::fs::symlink(there, place.path(name)).expect("a link");
}

/// Fills the disk up while a snapshot is under way, until that is given up.
async fn fill_up_under_a_snapshot(volume: &Volume, standin: &Standin, place: &Place) {
    for pod in standin.pods() {
        standin.pod_fault(&pod, Fault::Slow(SLOW));
    }
    standin
        .wait_until(|state| state.arrived("dump-cluster-profiler") > 0)
        .await;
    volume.fill_up();
    let record = place.path("tmp/cluster-profiler-snapshots-profile-test-run/001-1s/snapshot.json");
    // What it had kept is removed, which may leave room to say so.
    until("a snapshot that is given up", || {
        let said = std::fs::read_to_string(&record);
        said.map_or(true, |json| json.contains("could not be kept"))
    })
    .await;
    standin.clear_faults();
}

fn assert_complete(place: &Place, what: &str) {
    let manifest = place.shipped().manifest;
    for pod in &manifest.pods {
        assert_eq!(pod.state, State::Complete, "{what}: {:?}", pod.why);
    }
    assert_eq!(manifest.pods.len(), 4, "{what}");
}

/// The codes of a run whose disk fills up in this phase, and of its next attempt.
async fn filled_up(row: &Row, phase: Phase) -> Codes {
    let disk = row.disk;
    let cpu_padding = match disk {
        Disk::Destination => 0,
        Disk::Temporary => LARGE,
    };
    let standin = cluster(cpu_padding).await;
    let before = standin.configuration();
    let volume = Volume::mount(64 << 20).await;
    let mut place = has_phase(Place::new(&standin), phase)
        .with("PROFILER_SETTLE", "1h")
        .with("PROFILER_PREFLIGHT_RETRY", "1h")
        .with("PROFILER_CONCURRENCY", 2)
        .with("PROFILER_ENGINE", row.engine)
        .with("PROFILER_PROGRAM", example("scripted-profiler").display())
        // Upstream's program has others to write when the first is there.
        .with("PROFILER_PAGE_SIZE", 1);
    match disk {
        Disk::Destination => move_to(&place, "out", &volume),
        Disk::Temporary => move_to(&place, "tmp", &volume),
    }
    if row.has_snapshots {
        place.set("PROFILER_SNAPSHOT_EVERY", "1s");
    }
    let child = enter(phase, &standin, &place, Place::spawn).await;
    if row.has_snapshots {
        fill_up_under_a_snapshot(&volume, &standin, &place).await;
    } else {
        volume.fill_up();
    }
    let_go(phase, &standin);
    let is_over = [Phase::Stop, Phase::Dump, Phase::Restore].contains(&phase);
    if !is_over {
        place.until_ready().await;
        // As `touch` does: there is no room for an exit code in it.
        std::fs::write(place.signal("stop"), "").expect("a stop file");
    }
    let ended = place.ended(child).await;
    place.set("PROFILER_SETTLE", "50ms");
    place.set("PROFILER_PREFLIGHT_RETRY", "0s");
    let next = async || {
        let ended = place.run().await;
        u8::try_from(ended.code).expect("an exit code")
    };
    let first = u8::try_from(ended.code).expect("an exit code");
    let assert_nothing_on = |what: &str| {
        assert!(standin.profiling().is_empty(), "{what}");
        assert_eq!(standin.configuration(), before, "{what}");
        assert!(place.leftovers().is_empty(), "{what}");
    };
    assert_nothing_on(&ended.log);
    // Empty, if there is no room for what is in it.
    assert!(place.signal("done").exists(), "{}", ended.log);
    let codes = attempts(first, next, || volume.make_room()).await;
    let what = format!("{} in {phase:?}: {codes:?}\n{}", row.name, ended.log);
    assert_eq!(codes.last(), Some(&0), "{what}");
    assert_complete(&place, &what);
    assert_nothing_on(&what);
    codes
}

/// What fills up under a run whose pods are dumped so.
struct Row {
    name: &'static str,
    disk: Disk,
    engine: &'static str,
    /// Whether the pods are dumped within the window, too.
    has_snapshots: bool,
    /// In which phases: the engine has a part in one alone, and snapshots in another.
    phases: &'static [Phase],
}

/// What is written in the last phase is the manifest, and the disk that filled up before has no room for it.
const BUT_REPORT: &[Phase] = Phase::ALL.split_at(Phase::ALL.len() - 1).0;

const ROWS: [Row; 5] = [
    Row {
        name: "the destination has no space left",
        disk: Disk::Destination,
        engine: "native",
        has_snapshots: false,
        phases: BUT_REPORT,
    },
    Row {
        name: "the temporary directory has no space left",
        disk: Disk::Temporary,
        engine: "native",
        has_snapshots: false,
        phases: BUT_REPORT,
    },
    Row {
        name: "the temporary directory, while snapshots are taken",
        disk: Disk::Temporary,
        engine: "native",
        has_snapshots: true,
        phases: &[Phase::Window],
    },
    Row {
        name: "the destination, while upstream's program dumps",
        disk: Disk::Destination,
        engine: "cluster-profiler",
        has_snapshots: false,
        phases: &[Phase::Dump],
    },
    Row {
        name: "the temporary directory, while upstream's program dumps",
        disk: Disk::Temporary,
        engine: "cluster-profiler",
        has_snapshots: false,
        phases: &[Phase::Dump],
    },
];

#[tokio::test]
async fn a_disk_that_fills_up_in_each_phase() {
    let each = ROWS.iter().enumerate().flat_map(|(number, row)| {
        let struck = row.phases.iter();
        struck.map(move |phase| async move { (number, *phase, filled_up(row, *phase).await) })
    });
    let mut ended = stream::iter(each).buffer_unordered(AT_ONCE);
    let mut table = Table::default();
    while let Some((row, phase, codes)) = ended.next().await {
        let column = Phase::ALL.iter().position(|other| *other == phase);
        table.note(row, column.expect("a phase"), codes);
    }
    let names = ROWS.map(|row| row.name);
    assert_documented("disks", &table.markdown(&names, &phases()));
}

/// In the dump the archive has no room, and after restore the manifest.
#[tokio::test]
async fn a_destination_that_fills_up_goes_to_the_fallback_at_once() {
    for phase in [Phase::Dump, Phase::Restore] {
        let standin = cluster(0).await;
        let before = standin.configuration();
        let volume = Volume::mount(64 << 20).await;
        let place = Place::new(&standin);
        let (first, fallback) = (place.path("first"), place.out());
        let place = has_phase(place, phase)
            .with("PROFILER_SETTLE", "1h")
            .with(
                "PROFILER_DESTINATION",
                format!("file://{}", first.display()),
            )
            .with(
                "PROFILER_FALLBACK",
                format!("file://{}", fallback.display()),
            );
        move_to(&place, "first", &volume);
        let child = enter(phase, &standin, &place, Place::spawn).await;
        volume.fill_up();
        let_go(phase, &standin);
        let ended = place.ended(child).await;
        let what = format!("{phase:?}: {}", ended.log);
        assert_eq!(ended.code, 0, "{what}");
        assert_complete(&place, &what);
        let why = place.shipped().manifest.fallback_reason;
        let why = why.unwrap_or_default();
        assert!(why.contains("No space left"), "{phase:?}: {why}");
        assert!(standin.profiling().is_empty(), "{what}");
        assert_eq!(standin.configuration(), before, "{what}");
        let is_hidden = |path: &PathBuf| file_name(path).starts_with('.');
        assert!(!listing(&first).iter().any(is_hidden), "{what}");
    }
}
