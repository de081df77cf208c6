//! Runs as documents that Orion can index: one flat object a run, with the fields that it looks for.

use serde_json::{Map, Value, json};

use super::document::Diff;
use super::quantity::{Number, seconds};
use crate::destination::RunNumbers;

/// The `metricName` of the documents, by which Orion's configuration finds them.
const METRIC: &str = "clusterProfilerJob";

/// Latencies that KubeVirt's perfscale-audit has, too, by its name, in seconds.
const PERFSCALE: [(&str, &str); 2] = [
    (
        "VMIRunning_P50_milliseconds",
        "vmiCreationToRunningSecondsP50",
    ),
    (
        "VMIRunning_P95_milliseconds",
        "vmiCreationToRunningSecondsP95",
    ),
];

/// The documents of the new runs, a line of JSON each. The newest has the verdict.
pub fn orion(diff: &Diff, runs: &[RunNumbers]) -> String {
    let newest = runs.last().map(|run| &run.run_id);
    let each = runs.iter().map(|run| {
        let mut document = document(run);
        if Some(&run.run_id) == newest {
            document.insert("verdict".to_owned(), json!(diff.verdict));
            document.insert("confirmed".to_owned(), json!(diff.confirmed));
        }
        format!("{}\n", Value::Object(document))
    });
    each.collect()
}

fn document(run: &RunNumbers) -> Map<String, Value> {
    let surroundings = run.surroundings.as_ref();
    let at_stop = surroundings.and_then(|of| of.at_stop.as_ref());
    let architectures = surroundings.map(|of| &of.architectures);
    let created = run.vmi_latencies.as_ref().map(|vmis| vmis.created);
    let document = json!({
        "uuid": run.run_id,
        "timestamp": run.window.stop.strftime("%FT%TZ").to_string(),
        "metricName": METRIC,
        "jobStatus": "success",
        "kubevirtVersion": run.kubevirt.version,
        "compareKey": run.compare_key.as_ref().or(run.kubevirt.uid.as_ref()),
        "windowSeconds": seconds(run),
        "nodes": at_stop.and_then(|state| state.nodes),
        "virtualMachineInstances": at_stop.and_then(|state| state.virtual_machine_instances),
        "virtualMachineInstancesCreated": created,
        "architecture": architectures.map(|all| all.iter().cloned().collect::<Vec<_>>().join(",")),
    });
    let Value::Object(mut fields) = document else {
        return Map::new();
    };
    fields.retain(|_, value| !value.is_null());
    for number in Number::all() {
        let Some(value) = number.of(run) else {
            continue;
        };
        let name = number.quantity.name();
        let key = match number.component {
            Some(component) => format!("{}_{name}", component.name().replace('-', "_")),
            None => name.to_owned(),
        };
        fields.insert(key, json!(value));
        for (_, theirs) in PERFSCALE.into_iter().filter(|(ours, _)| *ours == name) {
            fields.insert(theirs.to_owned(), json!(value / 1e3));
        }
    }
    fields
}
