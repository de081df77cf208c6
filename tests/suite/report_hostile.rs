//! `report`, `top` and `export` of archives that nobody meant well with: they end, in bounded memory, with a clear word.

use std::fs;
use std::iter::once;
use std::pin::pin;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::goldens::packed;
use crate::harness::{Ended, Place, RUN_ID};
use crate::made_runs::{MadeRun, meaningless_mebibyte, profile};
use crate::report_findings::ATTACKS;
use crate::report_page::data;

/// What a command may take, in KiB, and an export, which has all stacks of a component in memory. With each comes what a
/// build for tests is larger than one that ships.
const MOST: u64 = (48 << 10) + MORE;
const MOST_OF_EXPORT: u64 = (96 << 10) + MORE;
const MORE: u64 = 24 << 10;

/// What the three commands say of a run.
struct Said {
    page: String,
    report: Ended,
    top: Ended,
    export: Ended,
}

/// Runs a command, and holds its memory to the bound.
async fn bounded(place: &Place, most: u64, arguments: &[&str]) -> Ended {
    let child = place.spawn_with(arguments);
    let status = format!("/proc/{}/status", child.id().expect("a process"));
    let mut ended = pin!(place.ended(child));
    let mut peak = 0;
    let ended = loop {
        tokio::select! {
            ended = &mut ended => break ended,
            () = sleep(Duration::from_millis(5)) => {
                let text = fs::read_to_string(&status).unwrap_or_default();
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
                peak = number.unwrap_or(peak);
            }
        }
    };
    println!("{arguments:?}: {peak} KiB");
    assert!(peak < most, "{arguments:?} took {peak} KiB");
    ended
}

/// Runs all three; `report` always succeeds, and `top` where all could be read.
async fn said(place: &Place, kind: &str) -> Said {
    let page = place.path("page.html").display().to_string();
    let merged = place.path("merged").display().to_string();
    let said = Said {
        report: bounded(place, MOST, &["report", RUN_ID, "-o", &page]).await,
        top: bounded(place, MOST, &["top", RUN_ID, "--kind", kind]).await,
        export: bounded(
            place,
            MOST_OF_EXPORT,
            &["export", RUN_ID, "--merged", "-o", &merged],
        )
        .await,
        page: fs::read_to_string(page).expect("a page"),
    };
    assert_eq!(said.report.code, 0, "{}", said.report.log);
    let finding = said.top.log.contains("not read: ");
    assert_eq!(said.top.code, i32::from(finding), "{}", said.top.log);
    assert!(!said.export.log.contains("panicked"), "{}", said.export.log);
    said
}

fn assert_has(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted}: {text:.800}");
    }
}

/// Numbers that no run has.
fn absurd() -> Value {
    json!({
        "restarts": i32::MIN,
        "container": { "limits": { "cpu": "1e400", "memory": "-9999999999999999999Ei" } },
        "in_window": {
            "seconds": 1e-300, "allocated_bytes": u64::MAX, "cpu_nanoseconds": i64::MIN,
            "live_heap_bytes_before": i64::MIN, "live_heap_bytes": i64::MAX,
            "goroutines_before": i64::MAX, "goroutines": i64::MIN,
        },
    })
}

#[tokio::test]
async fn a_manifest_that_lies() {
    let mut run = MadeRun::new();
    for pod in ["virt-api-a", "virt-handler-stranger", "virt-operator-o"] {
        for kind in ["heap", "goroutine"] {
            let content = packed(&format!("small/{kind}.pb"));
            run.file(&format!("{pod}/{kind}.pprof"), &content);
        }
    }
    run.expect("virt-api-a", "virt-api", &absurd());
    // Another component's, one that is not in the archive, and one that is twice in the manifest.
    run.expect("virt-operator-o", "virt-handler", &absurd());
    run.expect("virt-controller-ghost", "virt-controller", &json!({}));
    run.expect("virt-api-a", "virt-api", &json!({ "files": [] }));
    run.manifest["window"] = json!({ "start": "9999-01-01T00:00:00Z", "stop": "0001-01-01T00:00:00Z", "ended_by": "died" });
    run.manifest["snapshots"] = json!([
        { "name": "../x", "at": "2026-11-28T21:54:00Z", "offset_seconds": -1e308, "pods": u64::MAX },
    ]);
    run.manifest["vmi_latencies"] = json!({
        "counted_from": "virtual_machine", "created": u64::MAX, "owned": 0, "running": u64::MAX, "not_running": 0,
        "failed": 0, "deleted": 0, "negative": u64::MAX, "resolution_milliseconds": u32::MAX,
        "quantiles_milliseconds": [
            { "quantileName": "VMIRunning", "count": u64::MAX, "P50": u64::MAX, "P95": 0, "P99": 0, "min": 0, "max": 0, "avg": 0 },
        ],
    });
    run.manifest["in_window"] = json!({ "virt-api": { "x": { "sum": i64::MAX, "pods": u64::MAX, "largest": 0, "largest_pod": "" } } });
    run.manifest["exit_code"] = 250.into();
    let place = run.finish();
    let of = said(&place, "heap").await;
    let words = [
        "virt-controller-ghost",
        "the manifest has no such pod of its component; so it is of 1 more pods",
    ];
    let none = "the manifest says that the archive has its profiles, and it has none";
    for said in [&of.page, &of.top.log, &of.export.log] {
        assert_has(said, &words);
    }
    assert_has(&of.page, &[none]);
    assert!(!of.top.log.contains(none), "{}", of.top.log);
    assert_eq!(of.export.code, 1, "{}", of.export.log);
    // The archive is neither as long as the manifest says nor what it hashes.
    let path = place.out().join(format!("profile-{RUN_ID}.json"));
    let json = fs::read_to_string(&path).expect("a manifest");
    let mut manifest: Value = serde_json::from_str(&json).expect("JSON");
    manifest["archive"]["bytes"] = 5.into();
    fs::write(&path, manifest.to_string()).expect("it is written");
    fs::remove_dir_all(place.path("merged")).expect("it is there");
    let of = said(&place, "heap").await;
    assert_has(
        &of.page,
        &["NOT what its manifest says", "not all of it could be read"],
    );
    assert_has(&of.export.log, &["NOT what its manifest says"]);
    // Another run's, and one of a version that nobody knows yet.
    for (field, value, word) in [
        ("run_id", json!("another"), "another run"),
        ("schema_version", json!(99), "its schema version is 99"),
    ] {
        let mut manifest = manifest.clone();
        manifest[field] = value;
        fs::write(&path, manifest.to_string()).expect("it is written");
        let ended = place.run_with(&["report", RUN_ID]).await;
        assert_eq!(ended.code, 1, "{}", ended.log);
        assert_has(&ended.log, &[word]);
    }
}

#[tokio::test]
async fn more_stacks_and_deeper_ones_than_a_tree_has_room_for() {
    let functions: Vec<_> = (0..1000).map(|at| format!("example.com/x.f{at}")).collect();
    let many = (0..100_000_u64).map(|at| [1 + at % 1000, 1 + at / 1000, 1].into_iter());
    let many = profile(&functions, many);
    let deep = (0..30_u64).map(|at| {
        (0..5000)
            .map(move |depth| 1 + depth % 999)
            .chain(once(1 + at))
    });
    let deep = profile(&functions, deep);
    let mut run = MadeRun::new();
    for pod in ["virt-api-a", "virt-api-b"] {
        run.expect(pod, "virt-api", &json!({}));
        run.file(&format!("{pod}/heap.pprof"), &many);
        run.file(&format!("{pod}/goroutine.pprof"), &deep);
    }
    // More than is merged.
    let wide = (0..50_000_u64).map(|at| (1..=28).chain([1 + at / 1000, 1 + at % 1000]));
    run.expect("virt-operator-o", "virt-operator", &json!({}));
    run.file("virt-operator-o/allocs.pprof", &profile(&functions, wide));
    let place = run.finish();
    let of = said(&place, "heap").await;
    assert_has(&of.page, &["stacks the innermost functions are left out"]);
    let data = data(&of.page);
    let graphs = data["graphs"].as_array().expect("graphs").iter();
    assert!(
        graphs
            .map(|graph| graph["cut"].as_u64())
            .any(|cut| cut > Some(0))
    );
    let names = data["names"].to_string();
    assert_has(&names, &["deeper frames)"]);
    assert_has(
        &of.top.log,
        &[
            "virt-api heap: samples 200,000, of 2 of 2 pods",
            "the innermost functions are left out",
        ],
    );
    assert_eq!(of.export.code, 1, "{}", of.export.log);
    let of_export = [
        "virt-operator, allocs, whole: there is no merged profile of it: virt-operator-o: ",
        "2 profiles in",
    ];
    assert_has(&of.export.log, &of_export);
    let merged = place.path("merged/virt-api/heap.pprof");
    assert!(merged.is_file(), "what can be merged is not there");
}

#[tokio::test]
async fn a_pod_without_files() {
    let mut run = MadeRun::new();
    let file = json!({ "files": [] });
    run.expect("virt-api-a", "virt-api", &json!({}));
    run.expect("virt-api-empty", "virt-api", &file);
    run.expect("virt-handler-empty", "virt-handler", &file);
    run.file("virt-api-a/heap.pprof", &packed("small/heap.pb"));
    run.file("virt-api-empty/heap.pprof", b"");
    let of = said(&run.finish(), "heap").await;
    assert_has(
        &of.page,
        &[
            "1 of 2 pods, without virt-api-empty",
            "virt-handler-empty",
            "it is empty",
        ],
    );
    assert_has(
        &of.top.log,
        &["of 1 of 2 pods", "virt-api-empty/heap.pprof: it is empty"],
    );
    assert_eq!(of.export.code, 1, "{}", of.export.log);
    // Nothing at all.
    let of = said(&MadeRun::new().finish(), "cpu").await;
    assert_has(&of.page, &["There is no cpu profile of the window"]);
    assert_has(&of.top.log, &["no such profile is in the archive"]);
    assert_has(&of.export.log, &["0 profiles in"]);
}

#[tokio::test]
async fn an_archive_that_unpacks_to_a_gigabyte() {
    let small = profile(&["main.main".to_owned()], once([1].into_iter()));
    let mebibyte = meaningless_mebibyte();
    let mut run = MadeRun::new();
    for at in 0..8 {
        let pod = format!("virt-handler-{at}");
        run.expect(&pod, "virt-handler", &json!({}));
        run.large_file(&format!("{pod}/original/goroutine.txt"), b"", &mebibyte, 96);
        run.large_file(&format!("{pod}/heap.pprof"), &small, &mebibyte, 31);
    }
    run.expect("virt-api-a", "virt-api", &json!({}));
    run.large_file("virt-api-a/heap.pprof", &small, &mebibyte, 33);
    let of = said(&run.finish(), "heap").await;
    let word = "virt-api-a/heap.pprof";
    assert_has(
        &of.page,
        &[
            word,
            "it is larger than 32 MiB, which no profile of a component is",
        ],
    );
    assert_has(
        &of.top.log,
        &["virt-handler heap: samples 8, of 8 of 8 pods", word],
    );
    assert_has(&of.export.log, &[word, "1 profiles in"]);
}

#[tokio::test]
async fn functions_whose_names_are_attacks() {
    let mut functions: Vec<_> = ATTACKS.map(str::to_owned).into();
    functions.push("\u{1b}[2Jgone\r\n<b>".to_owned());
    functions.push("x".repeat(100_000));
    let stacks = (1..=functions.len() as u64).map(|id| [id, 1].into_iter());
    let content = profile(&functions, stacks);
    let mut run = MadeRun::new();
    run.expect("virt-api-a", "virt-api", &json!({}));
    run.file("virt-api-a/cpu.pprof", &content);
    let of = said(&run.finish(), "cpu").await;
    for tag in ["<img", "<svg onload", "<!--", "<b>", "\u{1b}", "\u{202e}"] {
        assert!(!of.page.contains(tag), "a name became {tag:?}");
    }
    assert_eq!(of.page.matches("</script").count(), 2);
    assert_has(&of.page, &["more characters)"]);
    assert!(
        !of.top.log.contains(['\u{1b}', '\u{202e}', '\r']),
        "{:?}",
        of.top.log
    );
}

#[tokio::test]
async fn more_pods_than_a_page_has_room_for() {
    let mut run = MadeRun::new();
    let content = profile(&["main.main".to_owned()], once([1].into_iter()));
    let odd = profile(&["main.main".to_owned()], (0..9).map(|_| [1].into_iter()));
    for at in 0..20_000 {
        let pod = format!("virt-handler-{at:05}");
        let is_missing = at % 40 == 7;
        run.expect(
            &pod,
            "virt-handler",
            &json!({ "state": if is_missing { "missing" } else { "complete" } }),
        );
        run.file(
            &format!("{pod}/heap.pprof"),
            if at == 19_000 { &odd } else { &content },
        );
    }
    run.file("virt-handler-00000/heap.pprof", &content);
    let of = said(&run.finish(), "heap").await;
    assert!(of.page.len() < 2_000_000, "{} bytes", of.page.len());
    let words = [
        "Of so many pods, 1000 are shown",
        "<th scope=\"row\"><bdi>virt-handler-19000</bdi>",
        "it is in the archive twice",
    ];
    assert_has(&of.page, &words);
    assert_has(&of.top.log, &["samples 20,008, of 20000 of 20000 pods"]);
    assert_eq!(of.export.code, 1, "{}", of.export.log);
}
