//! `diff` as a gate: what is not judged is said first, and is no test that passed.

use serde_json::json;

use crate::diff::{diff, document, id, keep, manifest, nights};

#[tokio::test]
async fn a_newest_run_that_cannot_be_judged_is_said_first() {
    let mut incomplete = manifest(12, 100);
    incomplete["pods"][0]["state"] = json!("missing");
    let mut newer = manifest(12, 100);
    newer["schema_version"] = json!(99);
    let foreign = manifest(3, 100);
    for (newest, why) in [
        (incomplete.to_string(), "1 of 2 pods are complete"),
        (newer.to_string(), "its schema version is 99"),
        (foreign.to_string(), "another run"),
        ("{".to_owned(), "EOF"),
    ] {
        let place = nights(&[100; 12]);
        keep(&place, 12, &newest);
        let file = place.path("junit.xml");
        let path = file.to_string_lossy().into_owned();
        let ended = diff(&place, &["--junit", &path]).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let first = ended.log.lines().next().expect("a line");
        let begin = "the newest run, night-012, is not judged: ";
        assert!(first.starts_with(begin) && first.contains(why), "{first}");
        assert!(first.ends_with("; night-011: no change seen"), "{first}");
        let said = document(&place, &[]).await;
        assert_eq!(said["not_judged"][0]["run_id"], id(12), "{said}");
        let junit = std::fs::read_to_string(&file).expect("it is written");
        assert!(
            junit.contains("tests=\"3\" failures=\"0\" errors=\"0\" skipped=\"1\""),
            "{junit}"
        );
        let case =
            "name=\"night-012\" time=\"0\">\n      <skipped>the run, night-012, is not judged: ";
        assert!(junit.contains(case), "{junit}");
    }
}

#[tokio::test]
async fn what_is_not_judged_is_not_said_of_the_run_before_it() {
    let place = nights(&[100]);
    keep(&place, 1, "{");
    let log = diff(&place, &[]).await.log;
    let first = log.lines().next().expect("a line");
    assert!(
        first.starts_with("the newest run, night-001, is not judged: ")
            && first.ends_with("; night-000: not-comparable: there is no complete run before"),
        "{first}"
    );
}

#[tokio::test]
async fn a_manifest_of_a_newer_version_needs_that_version() {
    let place = nights(&[100; 12]);
    let mut newer = manifest(12, 100);
    newer["schema_version"] = json!(99);
    keep(&place, 12, &newer.to_string());
    for command in [
        &["diff"][..],
        &["get", "night-012"],
        &["top", "night-012"],
        &["report", "night-012"],
    ] {
        let log = place.run_with(command).await.log;
        assert!(
            log.contains("written by a newer version of this program: use that one"),
            "{command:?}: {log}"
        );
        assert!(!log.contains("PROFILER_RUN_ID"), "{command:?}: {log}");
    }
}

#[tokio::test]
async fn a_run_is_not_compared_with_itself() {
    let place = nights(&[100; 2]);
    let ended = diff(&place, &["night-001", "night-001"]).await;
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(
        ended
            .log
            .contains("night-001: a run is not compared with itself"),
        "{}",
        ended.log
    );
}

#[tokio::test]
async fn the_standard_output_is_for_one_document() {
    let place = nights(&[100; 2]);
    for both in [
        &["--junit", "-", "--json"][..],
        &["--orion", "-", "--json"],
        &["--junit", "-", "--orion", "-"],
    ] {
        let ended = diff(&place, both).await;
        assert_eq!(ended.code, 2, "{both:?}: {}", ended.log);
        assert!(
            ended.log.contains("the standard output is for one of"),
            "{both:?}: {}",
            ended.log
        );
    }
    let alone = diff(&place, &["--junit", "-"]).await;
    let is_xml = alone.log.starts_with("<?xml") && alone.log.ends_with("</testsuites>\n");
    assert!(is_xml, "{}", alone.log);
}

#[tokio::test]
async fn a_number_that_the_newest_run_lacks_is_told() {
    let place = nights(&[100; 12]);
    let mut newest = manifest(12, 100);
    let measured = newest["in_window"]["virt-api"].as_object_mut();
    measured.expect("numbers").remove("cpu_nanoseconds");
    keep(&place, 12, &newest.to_string());
    let file = place.path("junit.xml");
    let path = file.to_string_lossy().into_owned();
    let ended = diff(&place, &["--junit", &path]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let begin = "virt-api cpu cores not measured in the newest run; else: no change seen\n";
    assert!(ended.log.starts_with(begin), "{}", ended.log);
    let line = "\nvirt-api cpu cores: not measured in the newest run\n";
    assert!(ended.log.contains(line), "{}", ended.log);
    let said = document(&place, &[]).await;
    let cpu = json!([{ "component": "virt-api", "name": "cpu_cores" }]);
    assert_eq!(said["not_measured"], cpu, "{said}");
    let junit = std::fs::read_to_string(&file).expect("it is written");
    let case = "<testcase classname=\"virt-api\" name=\"cpu_cores\" time=\"0\">\n      \
        <skipped>not measured in the newest run</skipped>";
    assert!(junit.contains(case), "{junit}");
    // Nothing at all is measured, or not in all of several.
    newest["in_window"] = json!({});
    keep(&place, 12, &newest.to_string());
    let ended = diff(&place, &[]).await;
    let begin = "virt-api live heap and 1 more not measured in the newest run; else: no verdict: ";
    assert!(ended.log.starts_with(begin), "{}", ended.log);
    let ended = diff(&place, &["--last", "2"]).await;
    assert!(
        ended.log.contains("not measured in all new runs"),
        "{}",
        ended.log
    );
}
