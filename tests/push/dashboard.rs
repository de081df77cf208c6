//! `docs/push-dashboard.json`: it is a dashboard by Grafana's own schema, and what it asks for is there once a run was
//! pushed. Grafana's data source for Pyroscope turns a query of metrics into SelectSeries, one of a profile into
//! SelectMergeStacktraces, and a variable into LabelValues.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::until;
use crate::pyroscope::{Pyroscope, built};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/push-dashboard.json");

pub(crate) async fn answered(server: &Pyroscope) {
    let checked = Command::new(built("dashboard")).arg(FILE).output();
    let checked = checked.expect("the check starts");
    let faults = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{faults}");

    let (place, _standin) = crate::place(server.target()).await;
    let place = place.with("PROFILER_RUN_ID", "dashboard");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let dashboard = std::fs::read(FILE).expect("a file");
    let dashboard: Value = serde_json::from_slice(&dashboard).expect("JSON");
    let variables = dashboard["templating"]["list"].as_array();
    let values: BTreeMap<String, String> = variables
        .expect("variables")
        .iter()
        .filter(|variable| variable["type"] == "query")
        .map(|variable| (text(&variable["name"]), chosen(server, variable)))
        .collect();
    assert_eq!(values.len(), 3);
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let mut asked = 0;
    for target in targets {
        let mut selector = text(&target["labelSelector"]);
        for (name, value) in &values {
            selector = selector.replace(&format!("${name}"), value);
        }
        assert!(!selector.contains('$'), "{selector}");
        until(&selector, || has_answer(server, target, &selector)).await;
        asked += 1;
    }
    assert_eq!(asked, panels.len());
}

/// The values of a variable: all, where it may have several, and else what the dashboard begins with.
fn chosen(server: &Pyroscope, variable: &Value) -> String {
    assert_eq!(variable["query"]["type"], "labelValue");
    let answer = server.ask(
        "LabelValues",
        json!({ "name": variable["query"]["labelName"] }),
    );
    let names = answer["names"].as_array().expect("names");
    assert!(!names.is_empty(), "{variable}");
    if variable["includeAll"] == true {
        return text(&variable["allValue"]);
    }
    let first = &variable["current"]["value"];
    assert!(names.contains(first), "{first} is not among {names:?}");
    text(first)
}

/// Whether a query of a panel has values in its answer.
fn has_answer(server: &Pyroscope, target: &Value, selector: &str) -> bool {
    let mut request =
        json!({ "profileTypeID": target["profileTypeId"], "labelSelector": selector });
    if target["queryType"] == "metrics" {
        request["groupBy"] = target["groupBy"].clone();
        request["step"] = 15.into();
        let answer = server.ask("SelectSeries", request);
        let series = answer["series"].as_array().cloned().unwrap_or_default();
        let is_of_pod = |series: &Value| series["labels"][0]["name"] == target["groupBy"][0];
        return !series.is_empty() && series.iter().all(is_of_pod);
    }
    assert_eq!(target["queryType"], "profile");
    request["maxNodes"] = 16_384.into();
    let answer = server.ask("SelectMergeStacktraces", request);
    let total = answer["flamegraph"]["total"].as_str().unwrap_or("0");
    total != "0"
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
