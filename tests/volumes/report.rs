//! A run's page, on volumes that have no room for it or for what it is made of.

use std::iter::once;

use crate::disks::{Volume, move_to};
use crate::harness::{Ended, Place, RUN_ID};
use crate::made_runs::{MadeRun, meaningless_mebibyte, profile};
use serde_json::json;
use standin::{Options, Standin};

/// A file system's block, in bytes.
const BLOCK: usize = 4096;

async fn standin() -> Standin {
    let started = Standin::start(Options::default()).await;
    started.expect("a stand-in")
}

/// A run that makes a page, as one does if nothing is said.
fn paged(standin: &Standin) -> Place {
    Place::new(standin).with("PROFILER_REPORT", "")
}

fn size(place: &Place, ending: &str) -> usize {
    let file = place.out().join(format!("profile-{RUN_ID}.{ending}"));
    let size = file.metadata().expect("a file").len();
    (size as usize).next_multiple_of(BLOCK)
}

/// A run that is whole but for its page, of which there is none for a reason with these words.
fn assert_without_page(place: &Place, ended: &Ended, words: &str) {
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = place.shipped().manifest;
    assert_eq!(manifest.report, None);
    let why = manifest.no_report.unwrap_or_default();
    assert!(why.contains(words), "{why}");
    assert!(!place.out().join(format!("profile-{RUN_ID}.html")).exists());
    assert!(place.leftovers().is_empty(), "{:?}", place.leftovers());
}

#[tokio::test]
async fn a_page_takes_no_room_that_the_dump_needs() {
    let (standin, volume) = (standin().await, Volume::mount(16 << 20).await);
    let place = paged(&standin);
    move_to(&place, "tmp", &volume);
    let ended = place.run().await;
    assert_without_page(&place, &ended, "less than 32 MiB");
}

#[tokio::test]
async fn a_page_without_room_or_that_takes_the_manifests_gives_way() {
    let standin = standin().await;
    let first = paged(&standin);
    assert_eq!(first.run().await.code, 0);
    let [archive, page, manifest] = ["tar.gz", "html", "json"].map(|ending| size(&first, ending));
    assert!(manifest > 4 * BLOCK && page > manifest);
    for (bytes, words) in [
        (archive + page / 2, "No space left"),
        (archive + page + manifest / 2, "beside it"),
    ] {
        let (place, volume) = (paged(&standin), Volume::mount(bytes).await);
        move_to(&place, "out", &volume);
        let ended = place.run().await;
        assert_without_page(&place, &ended, words);
    }
}

/// A run whose archive has a pod that the manifest does not know, and one whose profile takes three mebibytes.
fn three_mebibytes() -> Place {
    let small = profile(&["main.main".to_owned()], once([1].into_iter()));
    let mut run = MadeRun::new();
    run.file("virt-operator-stranger/heap.pprof", &small);
    run.expect("virt-api-a", "virt-api", &json!({}));
    run.large_file("virt-api-a/heap.pprof", &small, &meaningless_mebibyte(), 3);
    run.finish()
}

/// What is wrong with the archive is told, too, but not in its place.
#[tokio::test]
async fn a_full_temporary_directory_is_named_with_what_to_do() {
    let (place, volume) = (three_mebibytes(), Volume::mount(1 << 20).await);
    let page = place.path("page.html").display().to_string();
    let merged = place.path("merged").display().to_string();
    let commands: [&[&str]; 3] = [
        &["report", RUN_ID, "-o", &page],
        &["top", RUN_ID, "--kind", "heap"],
        &["export", RUN_ID, "--merged", "-o", &merged],
    ];
    for command in commands {
        let ended = place.run_with(command).await;
        // A table or an export with profiles of a pod that nobody expected is a finding.
        let code = i32::from(command[0] != "report");
        assert_eq!(ended.code, code, "{command:?}: {}", ended.log);
        assert!(!ended.log.contains("full"), "{command:?}: {}", ended.log);
    }
    std::fs::remove_dir_all(&merged).expect("it is there");
    move_to(&place, "tmp", &volume);
    let full = format!(
        "the temporary directory {} is full: make room there, or set TMPDIR to",
        place.path("tmp").display()
    );
    for command in commands {
        let ended = place.run_with(command).await;
        assert_eq!(ended.code, 1, "{command:?}: {}", ended.log);
        let told = format!("profiles are left out: {full}");
        assert!(ended.log.contains(&told), "{command:?}: {}", ended.log);
    }
    let page = std::fs::read_to_string(page).expect("a page");
    for words in [&full, "virt-api-a", "virt-operator-stranger"] {
        assert!(page.contains(words), "the page does not say {words}");
    }
}
