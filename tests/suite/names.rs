//! Profiles in an archive open with names, whatever was served as text; what cannot be understood
//! is there as it came.

use cluster_profiler_job::manifest::{File, Pod, Stat, State};
use cluster_profiler_job::pprof::Kind;
use standin::{Damage, Fault, Options, Standin, Times};

use crate::goldens::{golden, packed, served};
use crate::harness::{Ended, Place, RUN_ID, Shipped, standin};
use crate::proto_reader::decode_packed;

/// The kind's name.
fn name(kind: Kind) -> &'static str {
    kind.file_name().strip_suffix(".pprof").expect("a suffix")
}

/// What the manifest says of a pod's file.
fn file<'a>(pod: &'a Pod, name: &str) -> &'a File {
    let path = format!("profile-{RUN_ID}/{}/{name}", pod.pod.name);
    let found = pod.files.iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("no {path}"))
}

/// A pod's file.
fn content<'a>(shipped: &'a Shipped, pod: &Pod, name: &str) -> &'a [u8] {
    &shipped.files[&file(pod, name).path]
}

/// A run in which one pod's file is replaced by this content.
async fn replaced(file: &str, content: Vec<u8>) -> (String, Ended, Shipped) {
    let standin = standin().await;
    let pod = standin.pods()[0].clone();
    let damage = Damage::Replaced(file.to_owned(), content);
    standin.pod_fault(&pod, Fault::Damaged(damage, Times::Always));
    let place = Place::new(&standin);
    let ended = place.run().await;
    let shipped = place.shipped();
    (pod, ended, shipped)
}

#[tokio::test]
async fn every_profile_has_names_and_its_text_beside_it() {
    let options = Options {
        stamp_cpu: false,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin);
    let ended = place.run().await;
    // The golden cpu profile is years older than this window, and is told from one of its own.
    assert_eq!(ended.code, 5, "{}", ended.log);
    let shipped = place.shipped();
    assert!(shipped.manifest.originals_kept);
    for pod in &shipped.manifest.pods {
        assert_eq!(pod.state, State::Damaged);
        let why = pod.why.as_deref().unwrap_or_default();
        assert!(why.contains("stale"), "{why}");
        for kind in Kind::ALL {
            let profile = content(&shipped, pod, kind.file_name());
            let decoded = decode_packed(profile);
            let told = file(pod, kind.file_name());
            assert_eq!(told.samples, Some(decoded.samples.len() as u64), "{kind:?}");
            assert!(told.damage.is_none());
            let frames = decoded.samples.iter().map(|(stack, _)| stack);
            let frames: Vec<_> = frames.flat_map(|stack| decoded.frames(stack)).collect();
            assert!(frames.iter().all(|(name, ..)| !name.is_empty()), "{kind:?}");
            assert!(!frames.is_empty(), "{kind:?}");
            let served = served("small", name(kind));
            match kind.original_name() {
                None => assert!(profile == served, "{kind:?} is passed through"),
                Some(original) => {
                    assert!(content(&shipped, pod, original) == served, "{original}");
                    assert_eq!(file(pod, original).samples, None);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_go_left_out_is_a_note_and_changes_nothing_else() {
    let standin = standin().await;
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    for pod in &shipped.manifest.pods {
        let notes = &file(pod, "goroutine.pprof").notes;
        assert!(
            notes.iter().any(|note| note.contains("elided")),
            "{notes:?}"
        );
        assert_eq!(pod.state, State::Complete);
    }
}

#[tokio::test]
async fn mem_stats_are_told_once_a_pod_without_the_last_pauses() {
    let standin = standin().await;
    let place = Place::new(&standin);
    place.run().await;
    for pod in &place.shipped().manifest.pods {
        assert!(matches!(pod.mem_stats["HeapAlloc"], Stat::Whole(bytes) if bytes > 0));
        assert!(matches!(pod.mem_stats["GCCPUFraction"], Stat::Fraction(_)));
        assert!(matches!(&pod.mem_stats["Stack"], Stat::Text(two) if two.contains('/')));
        assert!(pod.mem_stats.get("PauseNs").is_none());
        assert!(pod.mem_stats.get("PauseEnd").is_none());
    }
}

#[tokio::test]
async fn dropped_originals_are_not_there_and_the_manifest_says_so() {
    let text = b"something else\n".to_vec();
    let standin = standin().await;
    let pod = standin.pods()[0].clone();
    let damage = Damage::Replaced("block.pprof".to_owned(), text.clone());
    standin.pod_fault(&pod, Fault::Damaged(damage, Times::Always));
    let place = Place::new(&standin).with("PROFILER_ORIGINALS", "drop");
    assert_eq!(place.run().await.code, 5);
    let shipped = place.shipped();
    assert!(!shipped.manifest.originals_kept);
    assert!(!shipped.files.keys().any(|path| path.contains("original")));
    assert!(shipped.manifest.pods.iter().all(|pod| pod.files.len() == 7));
    // What was not understood is not dropped.
    assert_eq!(content(&shipped, shipped.pod(&pod), "block.pprof"), text);
}

#[tokio::test]
async fn a_text_that_cannot_be_understood_is_there_as_it_came_and_named() {
    let text = b"heap profile: nothing that anybody wrote\n".to_vec();
    let (pod, ended, shipped) = replaced("heap.pprof", text.clone()).await;
    assert_eq!(ended.code, 5, "{}", ended.log);
    for other in &shipped.manifest.pods {
        if other.pod.name != pod {
            assert_eq!(other.state, State::Complete);
        }
    }
    let pod = shipped.pod(&pod);
    assert_eq!(pod.state, State::Damaged);
    let heap = file(pod, "heap.pprof");
    let damage = heap.damage.as_deref().expect("damage");
    assert!(damage.starts_with("line "), "{damage}");
    assert_eq!(pod.why.as_deref(), Some(&*format!("heap.pprof: {damage}")));
    assert!(shipped.manifest.reason.contains(damage));
    assert_eq!(heap.samples, None);
    assert!(content(&shipped, pod, "heap.pprof") == text);
    assert_eq!(pod.files.len(), 12, "all but original/heap.txt");
    assert!(shipped.manifest.unstopped.is_empty());
}

/// A text of threads with one bad record among so many.
fn one_bad_record_of(all: usize) -> Vec<u8> {
    let good = "1 @ 0x1\n#\t0x1\tmain.f+0x1\tf.go:7\n\n".repeat(all - 1);
    format!("threadcreate profile: total {all}\n1 @ 0x1\n#\tbad\n\n{good}").into_bytes()
}

#[tokio::test]
async fn a_pod_with_a_profile_that_lacks_too_much_is_damaged_and_the_rest_is_converted() {
    let mut cut = golden("small/heap.txt");
    cut.truncate(cut.len() / 2);
    let bad = one_bad_record_of(99);
    for (name, text) in [("heap.pprof", cut), ("threadcreate.pprof", bad)] {
        let (pod, ended, shipped) = replaced(name, text.clone()).await;
        assert_eq!(ended.code, 5, "{}", ended.log);
        let pod = shipped.pod(&pod);
        assert_eq!(pod.state, State::Damaged);
        let told = file(pod, name);
        assert!(told.samples.is_some_and(|samples| samples > 0));
        let partial = told.partial.as_ref().expect("it is partial");
        assert!(!partial.slight);
        let why = format!("{name} is partial: {}", partial.why);
        assert_eq!(pod.why.as_deref(), Some(&*why));
    }
}

#[tokio::test]
async fn a_pod_with_a_profile_that_lacks_little_is_complete_and_its_text_is_kept() {
    let text = one_bad_record_of(100);
    let standin = standin().await;
    let pod = standin.pods()[0].clone();
    let damage = Damage::Replaced("threadcreate.pprof".to_owned(), text.clone());
    standin.pod_fault(&pod, Fault::Damaged(damage, Times::Always));
    let place = Place::new(&standin).with("PROFILER_ORIGINALS", "drop");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    let pod = shipped.pod(&pod);
    assert_eq!(pod.state, State::Complete);
    let told = file(pod, "threadcreate.pprof");
    assert_eq!(told.samples, Some(99));
    let partial = told.partial.as_ref().expect("it is partial");
    assert_eq!((partial.left_out, partial.slight), (1, true));
    assert!(content(&shipped, pod, "original/threadcreate.txt") == text);
}

#[tokio::test]
async fn a_kind_that_is_a_profile_already_is_passed_through() {
    let profile = packed("small/heap.pb");
    let (pod, ended, shipped) = replaced("heap.pprof", profile.clone()).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let pod = shipped.pod(&pod);
    assert!(content(&shipped, pod, "heap.pprof") == profile);
    assert!(
        file(pod, "heap.pprof")
            .samples
            .is_some_and(|samples| samples > 0)
    );
}

#[tokio::test]
async fn a_cpu_file_that_is_no_profile_is_damage() {
    let mut cut = packed("small/cpu.pb");
    cut.truncate(cut.len() / 2);
    let mut flipped = packed("small/cpu.pb");
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for content in [cut, flipped, b"no profile".to_vec(), Vec::new()] {
        let (pod, ended, shipped) = replaced("cpu.pprof", content.clone()).await;
        assert_eq!(ended.code, 5, "{}", ended.log);
        let pod = shipped.pod(&pod);
        let why = pod.why.as_deref().unwrap_or_default();
        assert!(why.starts_with("cpu.pprof: it is no profile: "), "{why}");
        assert!(self::content(&shipped, pod, "cpu.pprof") == content);
    }
}
