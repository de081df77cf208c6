//! What Pyroscope's own client, `profilecli upload`, sends of a profile, and what a run sends of the same.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::by_rules::ByRules;
use crate::pyroscope::built;

const UUID_LENGTH: usize = 36;

/// The same call of the same service, with the same message, in which a series has one profile of the same sums by
/// stack. What differs is better: how a profile is named, what labels it has, that its own samples have none, when it
/// was, and how much a request has.
pub(crate) async fn compared(server: &ByRules) {
    let (place, _standin) = crate::place(server.target("pyroscope")).await;
    let before = server.requests().len();
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let ours = server.requests().split_off(before);
    let shipped = place.shipped();
    let pod = &shipped.manifest.pods[0].pod;
    let mut paths = Vec::new();
    for kind in ["cpu", "goroutine", "heap"] {
        let name = format!("{kind}.pprof");
        let content = &shipped.files[&format!("profile-{}/{}/{name}", crate::RUN_ID, pod.name)];
        let path = place.path(&name);
        std::fs::write(&path, content).expect("a file");
        paths.push(path);
    }
    let upload = Command::new(built("profilecli"))
        .args(["upload", "--url", &server.url()])
        .args(&paths)
        .output();
    let upload = upload.expect("the client starts");
    println!("    {}", String::from_utf8_lossy(&upload.stderr).trim());
    let theirs = server.requests().pop().expect("a request");

    for field in ["method", "procedure", "encoding"] {
        assert_eq!(ours[0][field], theirs[field], "{field}");
    }
    assert_eq!(theirs["content_type"], "application/proto");
    // The same message, as JSON.
    assert_eq!(ours[0]["content_type"], "application/json");
    let theirs = series(&theirs);
    assert_eq!(theirs.len(), paths.len(), "all paths in one request");
    let of_pod = |request: &&Value| series(request)[0]["labels"]["pod"] == pod.name;
    let ours: Vec<_> = ours.iter().filter(of_pod).flat_map(series).collect();
    // What it calls them, and what they are.
    for (theirs, name, type_of) in [
        (theirs[0], "process_cpu", "cpu:nanoseconds"),
        (theirs[1], "goroutine", "goroutine:count"),
        (theirs[2], "memory", "inuse_space:bytes"),
    ] {
        let is_same = |series: &&&Value| {
            series["labels"]["__name__"] == name && column(series, type_of).is_some()
        };
        let ours = ours.iter().find(is_same).expect("the same kind");
        assert_labels(ours, theirs, pod.component.name());
        assert_profile(ours, theirs, name, type_of);
    }
}

fn series(request: &Value) -> Vec<&Value> {
    request["series"]
        .as_array()
        .expect("series")
        .iter()
        .collect()
}

fn assert_labels(ours: &Value, theirs: &Value, component: &str) {
    let labels = |of: &Value| -> BTreeMap<String, String> {
        serde_json::from_value(of["labels"].clone()).expect("labels")
    };
    let (ours, mut theirs) = (labels(ours), labels(theirs));
    assert_eq!(
        theirs.remove("service_name").as_deref(),
        Some("profilecli-upload")
    );
    assert_eq!(ours["service_name"], component);
    // It knows two names.
    let name = theirs.remove("__name__").expect("a name");
    assert!(name == ours["__name__"] || name == "unknown", "{name}");
    assert!(theirs.is_empty(), "{theirs:?}");
    let more: Vec<_> = ours.keys().map(String::as_str).collect();
    assert_eq!(
        more,
        [
            "__delta__",
            "__name__",
            "cluster",
            "component",
            "kubevirt_version",
            "namespace",
            "node",
            "pod",
            "service_name"
        ]
    );
}

fn assert_profile(ours: &Value, theirs: &Value, name: &str, type_of: &str) {
    for of in [ours, theirs] {
        assert_eq!(of["ids"].as_array().map(Vec::len), Some(1), "{name}");
        assert_eq!(of["ids"][0].as_str().map(str::len), Some(UUID_LENGTH));
    }
    assert_eq!(sums(ours, type_of), sums(theirs, type_of), "{name}");
    let (ours, theirs) = (&ours["profiles"][0], &theirs["profiles"][0]);
    for field in ["period", "period_type"] {
        assert_eq!(ours[field], theirs[field], "{name}: {field}");
    }
    assert_eq!(ours["sample_labels"], 0, "{name}");
    let nanos = |of: &Value, field: &str| of[field].as_i64().expect("a number");
    let (time, length) = (nanos(theirs, "time_nanos"), nanos(theirs, "duration_nanos"));
    if name == "process_cpu" {
        assert_eq!(nanos(ours, "time_nanos"), time + length, "the window's end");
        assert_eq!(nanos(ours, "duration_nanos"), length);
    } else {
        assert!(nanos(ours, "time_nanos") > 0, "{name}");
        assert_eq!(nanos(ours, "duration_nanos"), 0, "{name}");
    }
}

/// The place of a type among those of a series' profile.
fn column(series: &Value, type_of: &str) -> Option<usize> {
    let types = series["profiles"][0]["sample_types"].as_array()?;
    types.iter().position(|it| *it == *type_of)
}

/// What a profile has of a type, by stack.
fn sums(series: &Value, type_of: &str) -> BTreeMap<String, i64> {
    let column = column(series, type_of).expect("the type");
    let stacks = series["profiles"][0]["stacks"].as_object();
    let stacks = stacks.expect("stacks").iter();
    let sums =
        stacks.map(|(stack, values)| (stack.clone(), values[column].as_i64().expect("a number")));
    sums.filter(|(_, sum)| *sum != 0).collect()
}
