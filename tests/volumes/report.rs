//! A run's page, on volumes that have no room for it.

use crate::disks::{Volume, move_to};
use crate::harness::{Ended, Place, RUN_ID};
use standin::{Options, Standin};

/// A file system's block, in bytes.
const BLOCK: usize = 4096;

async fn standin() -> Standin {
    let started = Standin::start(Options::default()).await;
    started.expect("a stand-in")
}

fn paged(standin: &Standin) -> Place {
    Place::new(standin).with("PROFILER_REPORT", "true")
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
