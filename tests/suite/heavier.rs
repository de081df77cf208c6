//! Nights of the stand-in, in the last of which a function of some pods allocates more, or has another name.

use std::path::Path;
use std::time::Duration;

use cluster_profiler_job::manifest::Manifest;
use serde_json::{Value, json};
use standin::{Heavier, Options, Profiles, Standin};

use crate::harness::Place;

/// The function that allocates most objects in the golden profiles, and one that allocates six times as many bytes in the
/// window, but by chance more in one night than in another.
const FUNCTION: &str = "main.allocate";
const NOISY: &str = "main.middle.func1";

/// By how much more the noisy one allocates, night by night, in hundredths.
const NOISE: [u64; 11] = [0, 40, 10, 60, 25, 5, 30, 50, 15, 45, 55];

/// A function that is heavier in the pods of virt-handler.
fn heavier(function: &str, percent: u64) -> Heavier {
    Heavier {
        function: function.to_owned(),
        percent,
        moved_to: None,
        pods: "virt-handler-".to_owned(),
    }
}

/// Keeps a run of a night's cluster, in which these functions are heavier.
async fn keep(out: &Path, night: u32, heavier: Vec<Heavier>) {
    let options = Options {
        profiles: Profiles::Window,
        heavier,
        pods: 12,
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin)
        .with("PROFILER_DESTINATION", format!("file://{}", out.display()))
        .with("PROFILER_RUN_ID", id(night))
        .with("PROFILER_BASELINE", "true")
        .with("PROFILER_COMPARE_KEY", "nightly");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    set_window(out, night);
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

/// What `diff --functions` says of the runs at a place.
async fn document(home: Place, more: &[&str]) -> Value {
    let destination = format!("file://{}", home.out().display());
    let home = home.with("PROFILER_DESTINATION", destination);
    let ended = home
        .run_with(&[&["diff", "--functions", "--json"], more].concat())
        .await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    serde_json::from_str(&ended.log).expect("JSON")
}

/// The functions of a number that changed, in each component where any did.
fn changed<'a>(document: &'a Value, number: &str) -> Vec<(&'a str, Vec<&'a Value>)> {
    let numbers = document["functions"].as_array().expect("functions").iter();
    let of = numbers.filter(|of| of["name"] == number).map(|of| {
        let functions = of["functions"].as_array().expect("functions").iter();
        let component = of["component"].as_str().expect("a component");
        (component, functions.collect::<Vec<_>>())
    });
    of.filter(|(_, functions)| !functions.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_allocates_more_in_some_pods_is_named_and_a_noisy_one_beside_it_is_not() {
    let home = Place::empty();
    for (night, noise) in (0..).zip(NOISE) {
        let mut all = vec![heavier(NOISY, noise)];
        all.extend((night == 10).then(|| heavier(FUNCTION, 50)));
        keep(&home.out(), night, all).await;
    }
    let document = document(home, &[]).await;
    let named = changed(&document, "allocated_bytes_per_second");
    let [("virt-handler", functions)] = named.as_slice() else {
        panic!("{named:?}")
    };
    // Whatever called it has more, too, but not by itself.
    let names: Vec<_> = functions.iter().map(|of| &of["name"]).collect();
    assert_eq!(
        names,
        [
            FUNCTION,
            "main.fill.func",
            "main.fill",
            "main.fillHeap",
            "cluster-profiler-job/goldens/shapes%2ev1.Run",
            "cluster-profiler-job/goldens/shapes%2ev1.generic",
            "cluster-profiler-job/goldens/shapes%2ev1.generic.func",
        ]
    );
    let own: Vec<_> = functions.iter().map(|of| &of["self"]["changed"]).collect();
    assert_eq!(own.iter().filter(|own| ***own == true).count(), 1);
    assert_eq!(own[0], true);
    assert!(functions.iter().all(|of| of.get("moved").is_none()));
    let ratio = functions[0]["self"]["ratio"].as_f64().expect("a ratio");
    assert!((1.4..1.55).contains(&ratio), "{ratio}");
    assert!(changed(&document, "cpu_cores").is_empty(), "{document:#}");
    // What was allocated in all is known exactly, and has more of both.
    let mut numbers = document["numbers"].as_array().expect("numbers").iter();
    let all = numbers
        .find(|of| of["component"] == "virt-handler" && of["name"] == "allocated_bytes_per_second");
    let ratio = all.expect("a number")["ratio"].as_f64().expect("a ratio");
    assert!((1.05..1.15).contains(&ratio), "{ratio}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_with_another_name_moved() {
    let home = Place::empty();
    keep(&home.out(), 0, Vec::new()).await;
    let renamed = Heavier {
        moved_to: Some("main.reserve".to_owned()),
        ..heavier(FUNCTION, 0)
    };
    keep(&home.out(), 1, vec![renamed]).await;
    let document = document(home, &[&id(0), &id(1)]).await;
    let named = changed(&document, "allocated_bytes_per_second");
    let [("virt-handler", functions)] = named.as_slice() else {
        panic!("{named:?}")
    };
    let first = &functions[0];
    assert_eq!(first["name"], "main.reserve", "{functions:#?}");
    assert_eq!(first["moved"]["other"], json!([FUNCTION]));
    let moved = |of: &&Value| of.get("moved").is_some();
    assert!(functions.iter().all(moved), "{functions:#?}");
}
