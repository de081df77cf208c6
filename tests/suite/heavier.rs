//! Nights of the stand-in, in the last of which a function of some pods holds more.

use std::path::Path;
use std::time::Duration;

use cluster_profiler_job::manifest::Manifest;
use serde_json::Value;
use standin::{Heavier, Options, Profiles, Standin};

use crate::harness::Place;

/// The function that allocates most objects in the golden profiles.
const FUNCTION: &str = "main.allocate";

/// A night's cluster, with a function that is heavier in the pods of virt-api if that is wanted.
async fn cluster(is_heavier: bool) -> Standin {
    let heavier = is_heavier.then(|| Heavier {
        function: FUNCTION.to_owned(),
        percent: 2900,
        pods: "virt-api-".to_owned(),
    });
    let options = Options {
        profiles: Profiles::Window,
        heavier,
        ..Options::default()
    };
    Standin::start(options).await.expect("a stand-in")
}

fn id(night: u32) -> String {
    format!("night-{night}")
}

/// Says that a run had its window in that night, as long as all others: a slow machine makes some longer.
fn set_window(directory: &Path, night: u32) {
    let path = directory.join(format!("profile-{}.json", id(night)));
    let json = std::fs::read(&path).expect("a manifest");
    let mut manifest: Manifest = serde_json::from_slice(&json).expect("a manifest");
    let start = jiff::Timestamp::UNIX_EPOCH + Duration::from_hours(8 * u64::from(night));
    manifest.window.start = start;
    manifest.window.stop = start + Duration::from_secs(900);
    let json = serde_json::to_vec(&manifest).expect("JSON");
    std::fs::write(&path, json).expect("it is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_holds_more_in_some_pods_is_named_first_and_in_them_alone() {
    let home = Place::empty();
    let out = home.out();
    let destination = format!("file://{}", out.display());
    for night in 0..7 {
        let standin = cluster(night == 6).await;
        let place = Place::new(&standin)
            .with("PROFILER_DESTINATION", &destination)
            .with("PROFILER_RUN_ID", id(night))
            .with("PROFILER_BASELINE", "true")
            .with("PROFILER_COMPARE_KEY", "nightly");
        let ended = place.run().await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        set_window(&out, night);
    }
    let home = home.with("PROFILER_DESTINATION", destination);
    let ended = home.run_with(&["diff", "--functions", "--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let document: Value = serde_json::from_str(&ended.log).expect("JSON");
    let heap = |component: &str| {
        let mut numbers = document["numbers"].as_array().expect("numbers").iter();
        let found =
            numbers.find(|of| of["component"] == component && of["name"] == "live_heap_bytes");
        found.unwrap_or_else(|| panic!("{document}")).clone()
    };
    assert_eq!(heap("virt-api")["verdict"], "regression");
    assert_ne!(heap("virt-handler")["verdict"], "regression");
    let functions = document["functions"].as_array().expect("functions");
    let of = functions
        .iter()
        .filter(|of| of["name"] == "live_heap_bytes");
    let of: Vec<_> = of.collect();
    assert_eq!(of.len(), 1, "{functions:?}");
    assert_eq!(of[0]["component"], "virt-api");
    let first = &of[0]["functions"][0];
    assert_eq!(first["name"], FUNCTION, "{:?}", of[0]);
}
