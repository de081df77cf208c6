//! The directory destination: names that exist are whole, whatever happened to their writers.

use std::time::Duration;

use standin::{Options, Standin};

use crate::harness::{Place, RUN_ID, entries, listing};

async fn standin() -> Standin {
    Standin::start(Options::default())
        .await
        .expect("a stand-in")
}

#[tokio::test]
async fn a_run_that_is_there_already_is_left_alone() {
    let standin = standin().await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let before = std::fs::read(place.archive()).expect("an archive");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("already there"), "{}", ended.log);
    assert_eq!(standin.starts(), 1);
    assert_eq!(std::fs::read(place.archive()).expect("an archive"), before);
    assert!(
        ended.termination["uri"]
            .as_str()
            .is_some_and(|uri| uri.ends_with(".tar.gz"))
    );
}

#[tokio::test]
async fn an_incomplete_run_that_is_there_keeps_its_exit_code() {
    let standin = standin().await;
    let fault = standin::Damage::MissingFile("heap.pprof".to_owned());
    standin.pod_fault(
        &standin.pods()[0],
        standin::Fault::Damaged(fault, standin::Times::Always),
    );
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 5);
    assert_eq!(place.run().await.code, 5);
    assert_eq!(standin.starts(), 1);
}

#[tokio::test]
async fn an_archive_without_a_manifest_is_replaced_with_a_warning() {
    let standin = standin().await;
    let place = Place::new(&standin);
    std::fs::create_dir(place.out()).expect("a directory");
    std::fs::write(place.archive(), "half of something").expect("a file");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("without a manifest is replaced"),
        "{}",
        ended.log
    );
    place.shipped();
}

#[tokio::test]
async fn a_manifest_that_makes_no_sense_is_not_overwritten() {
    let standin = standin().await;
    let place = Place::new(&standin);
    std::fs::create_dir(place.out()).expect("a directory");
    let manifest = place.out().join(format!("profile-{RUN_ID}.json"));
    std::fs::write(&manifest, "{}").expect("a file");
    let ended = place.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    assert!(ended.log.contains("PROFILER_RUN_ID"), "{}", ended.log);
    assert_eq!(std::fs::read_to_string(manifest).expect("a file"), "{}");
    assert_eq!(standin.starts(), 0);
}

#[tokio::test]
async fn a_directory_that_is_a_file_is_refused() {
    let standin = standin().await;
    let place = Place::new(&standin);
    std::fs::write(place.out(), "a file").expect("a file");
    let ended = place.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    assert_eq!(standin.starts(), 0);
}

/// Kills the run after one more dump each time; in between, every name that exists must be whole.
#[tokio::test]
async fn a_run_killed_at_any_moment_leaves_no_half_name_and_the_next_cleans_up() {
    let standin = standin().await;
    for dumps in 1..=9 {
        let place = Place::new(&standin);
        let base = standin.arrived("dump-cluster-profiler");
        let mut child = place.spawn_short_lease();
        // Eight pods and the probe make nine; the last kill comes as the archive is finished.
        standin
            .wait_until(|state| state.arrived("dump-cluster-profiler") >= base + dumps)
            .await;
        child.start_kill().expect("the kill is sent");
        child.wait().await.expect("it ends");
        if place.archive().exists() {
            let archive = std::fs::read(place.archive()).expect("an archive");
            assert_eq!(entries(&archive).len(), 8 * 13 + 1);
        }
        if place.manifest().is_some() {
            place.shipped();
        }
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert_eq!(place.shipped().manifest.pods.len(), 8);
        assert_eq!(place.leftovers(), Vec::<std::path::PathBuf>::new());
        assert_eq!(listing(&place.out()).len(), 2);
    }
}

#[tokio::test]
async fn what_a_living_run_writes_is_not_cleaned_up_by_another() {
    let options = Options {
        pod_latency: Duration::from_millis(500),
        ..Options::default()
    };
    let slow = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&slow);
    let child = place.spawn();
    slow.wait_until(|state| state.arrived("dump-cluster-profiler") >= 2)
        .await;
    assert_eq!(place.leftovers().len(), 1);
    let quick = standin().await;
    let mut other = Place::new(&quick);
    other.set(
        "PROFILER_DESTINATION",
        format!("file://{}", place.out().display()),
    );
    other.set("PROFILER_RUN_ID", "another");
    assert_eq!(other.run().await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    place.shipped();
}

#[tokio::test]
async fn a_manifest_whose_archive_is_gone_is_told_and_not_believed() {
    let standin = standin().await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    std::fs::remove_file(place.archive()).expect("it was there");
    let ended = place.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    assert!(
        ended.log.contains("its archive is not there"),
        "{}",
        ended.log
    );
}

#[tokio::test]
async fn a_directory_under_the_archives_name_is_refused_before_anything_is_changed() {
    let standin = standin().await;
    let place = Place::new(&standin);
    std::fs::create_dir_all(place.archive()).expect("a directory");
    let ended = place.run().await;
    assert_eq!(ended.code, 4, "{}", ended.log);
    assert_eq!(standin.starts(), 0);
}

/// Which files under temporary names the next run removes. None of them is locked: on a shared file system
/// that means nothing.
#[tokio::test]
async fn only_this_runs_unfinished_files_and_old_ones_are_removed() {
    let standin = standin().await;
    let place = Place::new(&standin);
    std::fs::create_dir(place.out()).expect("a directory");
    let (young, old) = (Duration::from_secs(3600), Duration::from_secs(25 * 3600));
    for (name, age, stays) in [
        ("profile-test-run.tar.gz", young, false),
        ("profile-test-run.json", young, false),
        ("profile-test-run.2.tar.gz", young, true),
        ("profile-other.tar.gz", young, true),
        (".cluster-profiler-job.probe", young, true),
        ("profile-other.json", old, false),
        (".cluster-profiler-job.probe", old, false),
    ] {
        let path = place
            .out()
            .join(format!(".cluster-profiler-job.{name}.0a1b2c3d.partial"));
        let file = std::fs::File::create(&path).expect("a file");
        let then = std::time::SystemTime::now() - age;
        file.set_modified(then).expect("its time is set");
        drop(file);
        // Without the lock of the cluster nothing is removed.
        let dry = Place::new(&standin)
            .with(
                "PROFILER_DESTINATION",
                format!("file://{}", place.out().display()),
            )
            .with("PROFILER_DRY_RUN", "true");
        assert_eq!(dry.run().await.code, 0);
        assert!(path.exists(), "{name} {age:?}");
        assert_eq!(place.run().await.code, 0);
        assert_eq!(path.exists(), stays, "{name} {age:?}");
        for file in listing(&place.out()) {
            std::fs::remove_file(file).expect("it is there");
        }
    }
}
