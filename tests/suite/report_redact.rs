//! A report that others get: it has no name of the cluster, and the same numbers.

use std::process::Command;

use cluster_profiler_job::report::redact;
use serde_json::{Value, json};

use crate::goldens::packed;
use crate::harness::{BINARY, Place, RUN_ID};
use crate::made_runs::MadeRun;
use crate::report_findings::{Scene, findings};
use crate::report_page::{data, text};

/// What every name of the cluster has in it.
const MARK: &str = "zebra";

/// Pods, by component; the manifest does not have the last one.
const PODS: [(&str, &str); 6] = [
    ("virt-controller", "virt-controller-zebra-1"),
    ("virt-api", "virt-api-7d9-zebra"),
    ("virt-handler", "virt-handler-zebra1"),
    ("virt-handler", "virt-handler-zebra2"),
    ("virt-handler", "virt-handler-zebra3"),
    ("virt-handler", "virt-handler-zebra4"),
];

/// A run in which everything that can have a name has one.
fn named() -> Place {
    let mut run = MadeRun::new();
    for (at, (component, pod)) in PODS.into_iter().enumerate() {
        if at + 1 < PODS.len() {
            run.expect(
                pod,
                component,
                &json!({
                    "node": format!("node{at}.zebra.example"), "uid": "zebra-uid", "image": "zebra.example/virt:v1.8.4",
                    "container": { "limits": { "cpu": "2", "memory": "1Gi" } },
                    "in_window": { "seconds": 900.5, "allocated_bytes": 1_000_000 * (at + 1), "not_compared": [pod] },
                }),
            );
        }
        for kind in ["cpu", "heap", "goroutine"] {
            let set = if at == 4 { "large" } else { "small" };
            let profile = packed(&format!("{set}/{kind}.pb"));
            run.file(&format!("{pod}/{kind}.pprof"), &profile);
        }
    }
    run.file("virt-handler-zebra2/delta/heap.pprof", b"no profile");
    run.expect(
        "virt-handler-zebra9",
        "virt-handler",
        &json!({ "node": "zebra", "state": "missing", "files": [], "why": WHY }),
    );
    let manifest = &mut run.manifest;
    manifest["labels"] = json!({
        "cluster": "zebra-east", "team": "Zebra crossing, Ltd.", "zebra.example/build": "zebra-4.20.1", "empty": "",
    });
    manifest["kubevirt"] = json!({
        "namespace": "zebra-virt", "name": "zebra-kubevirt", "uid": "0f7c7a34-0a51-4c0e-9d57-zebra3c1f0aa",
        "version": "v1.8.4",
    });
    manifest["unstopped"] = json!(["virt-handler-zebra8", "virt-handler-zebra2"]);
    manifest["uncounted"] = json!([{ "name": "virt-api-zebra7", "why": "virt-api-zebra7 is not on node1.zebra.example" }]);
    manifest["refused"] = json!([
        { "name": "zebra-crossing", "page_of": "virt-handler-zebra1", "why": "nobody asked for zebra-crossing" },
        { "name": "../zebra", "page_of": "virt-api", "why": "it is no name" },
    ]);
    manifest["archive"]["uri"] =
        format!("s3://zebra-bucket/nightly/zebra/profile-{RUN_ID}.tar.gz").into();
    manifest["fallback_reason"] =
        "s3://zebra-bucket/nightly cannot be written: 403 from zebra.example:9000".into();
    manifest["warnings"] = json!([
        "the API server at https://api.zebra.example:6443 was away for 3.5 s",
        r#"pods "virt-handler-zebra2" is forbidden: User "system:serviceaccount:zebra-virt:zebra-sa" cannot get"#,
        "dial tcp 203.0.113.77:8443: connect: connection refused; [2001:db8::77]:443 is no better",
        "/mnt/zebra-volume/archive has 3 MiB left, of which Zebra crossing, Ltd. knows",
        "virt-launcher-zebra-vm-x1 is none of ours, and neither is ip-203-0-113-78 nor 0f7c7a34-0a51-4c0e-9d57-5be3f3c1f0ab",
    ]);
    manifest["reason"] = format!("profile-{RUN_ID} of zebra-virt lacks virt-handler-zebra9").into();
    manifest["vmi_latencies"] = json!({
        "namespace": "zebra-vms", "selector": "app=zebra", "counted_from": "virtual_machine", "created": 10, "owned": 10,
        "running": 9, "not_running": 1, "failed": 0, "deleted": 0, "negative": 0, "resolution_milliseconds": 1000,
        "quantiles_milliseconds": [], "missed": ["zebra-vms/vm-7 was not seen"],
    });
    manifest["surroundings"] = json!({
        "at_start": { "leaders": { "virt-controller": "virt-controller-zebra-1" } },
        "at_stop": { "leaders": { "virt-controller": "virt-controller-zebra-0" } },
        "nodes": { "node0.zebra.example": { "allocatable": { "cpu": "4", "memory": "8Gi" } } },
        "unknown": ["which virt-operator leads: leases \"virt-operator\" in \"zebra-virt\" is forbidden"],
    });
    manifest["snapshots"] = json!([
        { "name": "001-180s", "at": "2026-11-28T21:54:00Z", "offset_seconds": 180.0, "pods": 5, "why": "virt-handler-zebra9 is away" },
    ]);
    manifest["in_window"] = json!({
        "virt-handler": { "allocated_bytes": { "sum": 9, "pods": 3, "largest": 5, "largest_pod": "virt-handler-zebra3" } },
    });
    run.finish()
}

const WHY: &str = "virt-api does not reach virt-handler-zebra9 on zebra: Get \"https://10.128.2.77:8186/x\": dial tcp \
     10.128.2.77:8186: i/o timeout, in 4 tries";

async fn page_of(place: &Place, more: &[&str]) -> String {
    let path = place.path("page.html").display().to_string();
    let arguments = [&["report", RUN_ID, "-o", path.as_str()], more].concat();
    let ended = place.run_with(&arguments).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let is_redacted = !more.is_empty();
    assert!(
        !(is_redacted && ended.log.to_lowercase().contains(MARK)),
        "{}",
        ended.log
    );
    std::fs::read_to_string(path).expect("a page")
}

/// What is read in the cells of numbers, and the numbers of every graph.
fn numbers(page: &str) -> (Vec<String>, Value) {
    let cells = page.split("<td class=\"number\">").skip(1);
    let cells = cells.map(|cell| cell.split_once("</td>").expect("it ends").0);
    let read = |cell: &str| -> String {
        let texts = cell.split('<').enumerate();
        let text = texts.map(|(at, text)| {
            if at == 0 {
                text
            } else {
                text.split_once('>').expect("a tag").1
            }
        });
        text.collect()
    };
    let cells = cells.map(read);
    let mut data = data(page);
    let graphs = data["graphs"].as_array_mut().expect("graphs");
    for graph in graphs {
        graph["coverage"] = Value::Null;
    }
    (cells.collect(), json!([data["graphs"], data["names"]]))
}

#[tokio::test]
async fn a_redacted_page_has_no_name_of_the_cluster_and_the_same_numbers() {
    let place = named();
    let plain = page_of(&place, &[]).await;
    for name in ["node3.zebra.example", "zebra-east", "zebra-virt", PODS[5].1] {
        assert!(plain.contains(name), "{name} is in no page");
    }
    let redacted = page_of(&place, &["--redact"]).await;
    let of_script = data(&redacted).to_string();
    for (what, text) in [("page", &redacted), ("data", &of_script)] {
        let small = text.to_lowercase();
        let found = small
            .find(MARK)
            .map(|at| &text[at.saturating_sub(80)..at + 20]);
        assert_eq!(found, None, "in the {what}");
        for name in [
            "203.0.113",
            "203-0-113",
            "10.128.2",
            "2001:db8",
            "5be3f3c1f0ab",
            RUN_ID,
        ] {
            assert!(!text.contains(name), "{name} is in the {what}");
        }
    }
    assert_eq!(numbers(&plain), numbers(&redacted));
    assert!(numbers(&plain).0.len() > 20);
    assert!(redacted.contains("Names are replaced."));
    assert!(!plain.contains("Names are replaced."));
    assert_eq!(redacted, page_of(&place, &["--redact"]).await);
}

#[tokio::test]
async fn the_same_name_becomes_the_same_short_one_and_messages_stay_readable() {
    let place = named();
    let page = page_of(&place, &["--redact"]).await;
    for wanted in [
        "<bdi>virt-handler-1</bdi>",
        "<bdi>node-3</bdi>",
        "<bdi>namespace-1</bdi>/<bdi>kubevirt-1</bdi>",
        "<bdi>destination-1/profile-run-1.tar.gz</bdi>",
        "cluster</bdi>=<bdi>label-1</bdi>",
        "empty</bdi>=<bdi></bdi>",
        "get run-1 &gt; profile-run-1.tar.gz",
        "was away for 3.5 s",
        "connect: connection refused",
        "<bdi>profile-run-1 of namespace-1 lacks virt-handler-4</bdi>",
        "pods &quot;virt-handler-2&quot; is forbidden: User &quot;account-1&quot; cannot get",
        "<bdi>virt-handler-2/delta/heap.pprof</bdi>",
        "virt-api does not reach virt-handler-4 on node-6: Get &quot;address-",
        "i/o timeout, in 4 tries",
        "<bdi>001-180s</bdi>",
        "v1.8.4",
    ] {
        assert!(page.contains(wanted), "{wanted}: it is not in the page");
    }
    let written = Command::new(BINARY)
        .args(["report", RUN_ID, "--redact"])
        .env_clear()
        .envs(place.variables())
        .current_dir(place.out())
        .status();
    assert!(written.expect("it starts").success());
    assert!(place.out().join("profile-run-1-redacted.html").is_file());
}

#[test]
fn the_id_that_a_run_gave_itself_stays() {
    let mut findings = findings(&Scene::default());
    let run = findings.manifest.run_id.clone();
    redact(&mut findings);
    let page = text(&findings);
    assert!(page.contains(&format!("get {run} &gt;")));
    assert!(page.contains("Names are replaced."));
    for name in [
        "openshift-cnv",
        "hyperconverged",
        "0f7c7a34",
        "worker-",
        "s3://",
        "density-100",
    ] {
        assert!(!page.contains(name), "{name} is in the page");
    }
}

#[test]
fn names_that_are_attacks_are_replaced_too() {
    let mut findings = findings(&Scene {
        attacks: true,
        handlers: 200,
        ..Scene::default()
    });
    redact(&mut findings);
    let page = text(&findings);
    assert!(page.contains("<bdi>virt-handler-200</bdi>"));
    assert!(!page.contains("virt-handler-0"), "a pod has its name");
}
