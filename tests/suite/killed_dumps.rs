//! What a run that was killed in its dump leaves in the temporary directory.

use std::fs::File;
use std::time::{Duration, SystemTime};

use standin::{Options, Standin};

use crate::harness::Place;

const ENGINES: [&str; 2] = ["native", "cluster-profiler"];

#[tokio::test(flavor = "multi_thread")]
async fn the_directories_of_upstreams_program_are_removed() {
    for engine in ENGINES {
        let standin = Standin::start(Options::default())
            .await
            .expect("a stand-in");
        let mut place = Place::new(&standin);
        place.set("PROFILER_ENGINE", engine);
        place.set("PROFILER_PROGRAM", "/bin/false");
        let left = [
            (
                "of this run",
                "cluster-profiler-dump-profile-test-run_x1",
                0,
                false,
            ),
            (
                "of another that may live",
                "cluster-profiler-dump-profile-test-run-b_x2",
                23,
                true,
            ),
            (
                "of another, older than a day",
                "cluster-profiler-dump-profile-b_x3",
                25,
                false,
            ),
            ("of something else", "other", 25, true),
        ];
        for (_, name, hours, _) in left {
            let path = place.path("tmp").join(name);
            std::fs::create_dir_all(path.join("virt-api")).expect("a directory");
            let age = Duration::from_secs(hours * 3600);
            let directory = File::open(&path).expect("the directory");
            directory
                .set_modified(SystemTime::now() - age)
                .expect("a time");
        }
        assert_eq!(place.run().await.code, 0, "{engine}");
        for (whose, name, _, stays) in left {
            let is_there = place.path("tmp").join(name).exists();
            assert_eq!(is_there, stays, "{engine}: {whose}");
        }
    }
}
