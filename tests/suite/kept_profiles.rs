//! `report`, `top` and `export`, of runs that are kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Cursor;

use cluster_profiler_job::pprof::ProfileReader;
use serde_json::Value;
use standin::{Options, Profiles, Standin};

use crate::goldens::packed;
use crate::harness::{Place, RUN_ID, Shipped, listing};
use crate::made_runs::MadeRun;
use crate::s3::{bucket, into};

fn windowed() -> Options {
    Options {
        profiles: Profiles::Window,
        ..Options::default()
    }
}

async fn shipped() -> (Place, Shipped) {
    let standin = Standin::start(windowed()).await.expect("a stand-in");
    let place = Place::new(&standin).with("PROFILER_BASELINE", "true");
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    (place, shipped)
}

/// The sum of the last value of each component's profiles of a kind, by the files of the archive.
fn totals(shipped: &Shipped, kind: &str) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for pod in &shipped.manifest.pods {
        let path = format!("profile-{RUN_ID}/{}/{kind}.pprof", pod.pod.name);
        let content = shipped.files[&path].clone();
        let mut profile = ProfileReader::open(Cursor::new(content)).expect("a profile");
        let sums = profile.totals().expect("sums");
        *totals.entry(pod.pod.component.to_string()).or_default() += sums.last().expect("a value");
    }
    totals
}

async fn top(place: &Place, arguments: &[&str]) -> Value {
    let place_and = [&["top"], arguments, &["--json"]].concat();
    let ended = place.run_with(&place_and).await;
    let json = ended
        .log
        .find("\n}\n")
        .map_or("", |end| &ended.log[..end + 2]);
    let said: Value = serde_json::from_str(json).expect("JSON");
    let finding = said["unread"] != serde_json::json!([]);
    assert_eq!(ended.code, i32::from(finding), "{}", ended.log);
    let complaint = &ended.log[json.len()..];
    assert_eq!(
        complaint.contains("not all of the archive could be read"),
        finding,
        "{complaint}"
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn top_adds_all_pods_of_a_component_up() {
    let (place, shipped) = shipped().await;
    for kind in ["cpu", "goroutine", "heap"] {
        let said = top(&place, &[RUN_ID, "--kind", kind]).await;
        assert_eq!(said["unread"], serde_json::json!([]), "{kind}");
        let profiles = said["profiles"].as_array().expect("profiles");
        let whole = profiles.iter().filter(|profile| profile["part"] == "whole");
        let of = |profile: &Value| {
            let component = profile["component"].as_str().expect("a component");
            (
                component.to_owned(),
                profile["total"].as_i64().expect("a number"),
            )
        };
        assert_eq!(
            whole.map(of).collect::<BTreeMap<_, _>>(),
            totals(&shipped, kind),
            "{kind}"
        );
    }
    let pod = &shipped.manifest.pods[0].pod.name;
    let said = top(&place, &[RUN_ID, "--pod", pod]).await;
    assert_eq!(said["profiles"][0]["pods"], serde_json::json!([pod]));
    assert_eq!(said["profiles"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        said["unread"],
        serde_json::json!([]),
        "others were not asked for"
    );
    let shown = place
        .run_with(&["top", RUN_ID, "--component", "virt-api"])
        .await;
    assert!(shown.log.starts_with("virt-api cpu: cpu "), "{}", shown.log);
    assert!(!shown.log.contains("virt-handler"), "{}", shown.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_one_page_of_a_run_by_its_id_or_its_path() {
    let (place, shipped) = shipped().await;
    let archive = place.archive().display().to_string();
    let mut pages = Vec::new();
    for run in [RUN_ID, &archive] {
        let page = place.path("page.html");
        let ended = place
            .run_with(&["report", run, "-o", &page.display().to_string()])
            .await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        pages.push(std::fs::read_to_string(&page).expect("a page"));
    }
    assert!(pages[0] == pages[1]);
    for pod in &shipped.manifest.pods {
        assert!(pages[0].contains(&pod.pod.name));
    }
    assert!(!pages[0].contains("could not be read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_damaged_is_named_and_the_rest_is_told() {
    let (place, _) = shipped().await;
    let mut archive = std::fs::read(place.archive()).expect("an archive");
    let from = archive.len() * 2 / 3;
    archive[from..from + 1000].fill(0);
    std::fs::write(place.archive(), archive).expect("a damaged one");
    let said = top(&place, &[RUN_ID]).await;
    let unread = said["unread"].to_string();
    for wanted in [
        "read to its end",
        "NOT what its manifest says",
        "the archive does not have it",
    ] {
        assert!(unread.contains(wanted), "{wanted}: {unread}");
    }
    assert_ne!(said["profiles"], serde_json::json!([]));
    // One that ends too early: its size is not what the manifest says, either.
    let archive = std::fs::read(place.archive()).expect("an archive");
    std::fs::write(place.archive(), &archive[..from]).expect("a cut one");
    let page = place.path("page.html");
    let ended = place
        .run_with(&["report", RUN_ID, "-o", &page.display().to_string()])
        .await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("not all of the archive could be read"),
        "{}",
        ended.log
    );
    let page = std::fs::read_to_string(page).expect("a page");
    let head = &page[..page.find("<main>").expect("a head")];
    assert!(head.contains("not all of it could be read"), "{head:.500}");
    for wanted in [
        "read to its end",
        "NOT what its manifest says",
        "it has none",
    ] {
        assert!(page.contains(wanted), "{wanted}: it is not in the page");
    }
    let manifest = place.out().join(format!("profile-{RUN_ID}.json"));
    std::fs::remove_file(manifest).expect("a manifest");
    let archive = place.archive().display().to_string();
    for (run, code, word) in [
        (archive.as_str(), 1, "no manifest"),
        ("none", 1, "there is no run none"),
        ("/tmp/other.tar.gz", 2, "profile-RUN_ID.tar.gz"),
        ("a b", 2, "a b"),
    ] {
        let ended = place.run_with(&["top", run]).await;
        assert_eq!(ended.code, code, "{run}: {}", ended.log);
        assert!(ended.log.contains(word), "{run}: {}", ended.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_a_profile_of_each_component_and_kind() {
    let standin = Standin::start(windowed()).await.expect("a stand-in");
    let bucket = bucket().await;
    let place = into(&bucket, &standin).with("PROFILER_BASELINE", "true");
    assert_eq!(place.run().await.code, 0);
    let directory = place.path("merged");
    let arguments = [
        "export",
        RUN_ID,
        "--merged",
        "-o",
        &directory.display().to_string(),
    ]
    .map(str::to_owned);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ended = place.run_with(&arguments).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    for component in [
        "virt-api",
        "virt-controller",
        "virt-handler",
        "virt-operator",
    ] {
        let files = listing(&directory.join(component));
        assert!(files.len() >= 7, "{component}: {files:?}");
        let profile = File::open(directory.join(component).join("heap.pprof")).expect("a file");
        assert!(ProfileReader::open(profile).is_ok(), "{component}");
        assert!(
            directory
                .join(component)
                .join("delta/allocs.pprof")
                .is_file(),
            "{component}"
        );
    }
    let again = place.run_with(&arguments).await;
    assert_eq!(again.code, 1, "{}", again.log);
    let wanted = "it exists, and an export makes a directory that must not be there yet";
    assert!(again.log.contains(wanted), "{}", again.log);
    let dash = place
        .run_with(&["export", RUN_ID, "--merged", "-o", "-"])
        .await;
    assert_eq!(dash.code, 2, "{}", dash.log);
}

#[tokio::test]
async fn files_that_the_manifest_lists_and_the_archive_lacks_are_named() {
    let mut run = MadeRun::new();
    for pod in ["virt-api-a", "virt-api-b"] {
        run.file(&format!("{pod}/heap.pprof"), &packed("small/heap.pb"));
        let file = |kind: &str| {
            let path = format!("profile-{RUN_ID}/{pod}/{kind}.pprof");
            serde_json::json!({ "path": path, "bytes": 1, "sha256": "00".repeat(32) })
        };
        let files = ["cpu", "heap"].map(file);
        run.expect(pod, "virt-api", &serde_json::json!({ "files": files }));
    }
    let place = run.finish();
    let why = "virt-api-a/cpu.pprof: the manifest lists it, and the archive does not have it; so it is of 1 more files";
    let (page, merged) = (place.path("page.html"), place.path("merged"));
    let (page, merged) = (
        page.to_str().expect("a path"),
        merged.to_str().expect("a path"),
    );
    for (arguments, code) in [
        (&["top", RUN_ID][..], 1),
        (&["report", RUN_ID, "-o", page], 0),
        (&["export", RUN_ID, "--merged", "-o", merged], 1),
    ] {
        let ended = place.run_with(arguments).await;
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.log);
        assert!(ended.log.contains(why), "{arguments:?}: {}", ended.log);
        assert!(!ended.log.contains("it has none"), "{}", ended.log);
    }
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("so it is of 1 more files"));
    assert_eq!(
        top(&place, &[RUN_ID, "--kind", "heap"]).await["unread"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn a_pod_or_component_that_a_run_does_not_have_is_a_finding() {
    let mut run = MadeRun::new();
    for pod in ["virt-api-a", "virt-api-b"] {
        run.file(&format!("{pod}/heap.pprof"), &packed("small/heap.pb"));
        run.expect(pod, "virt-api", &serde_json::json!({}));
    }
    let place = run.finish();
    for (arguments, wanted) in [
        (
            ["--pod", "virt-api-x"],
            "has no pod virt-api-x; it has virt-api-a, virt-api-b",
        ),
        (
            ["--component", "virt-handler"],
            "has no pod of virt-handler; it has virt-api",
        ),
    ] {
        let arguments = [&["top", RUN_ID], &arguments[..]].concat();
        let ended = place.run_with(&arguments).await;
        assert_eq!(ended.code, 1, "{}", ended.log);
        assert!(ended.log.contains(wanted), "{}", ended.log);
    }
}
