//! The rights of deploy/: all of them are needed, and no other, but for some that a run can go without.

use serde_json::Value;

use crate::place::Place;
use crate::setup::Rig;

/// The roles, each with whether it is the cluster's.
const ROLES: [(&str, &str); 5] = [
    ("clusterrole", "cluster-profiler"),
    ("role", "cluster-profiler"),
    ("role", "cluster-profiler-gate"),
    ("clusterrole", "cluster-profiler-vmi"),
    ("clusterrole", "cluster-profiler-nodes"),
];

/// What is needed only where the other object's word counts.
fn is_of_the_other(rig: &Rig, kind: &str, (resource, verb): (&str, &str)) -> bool {
    match rig.is_hyperconverged() {
        true => (kind, resource, verb) == ("role", "kubevirts", "patch"),
        false => kind == "role" && resource == "hyperconvergeds" && verb != "list",
    }
}

/// What tells of a right that is missing, of those that a run goes without.
fn told_of(rule: &Value, resource: &str, verb: &str) -> Option<&'static str> {
    let of_leader = rule["resourceNames"][0] == "virt-controller";
    match (resource, verb) {
        ("leases", "get") if of_leader => Some("which virt-operator leads"),
        ("nodes", "list") => Some("how many nodes there are"),
        ("virtualmachines", "list" | "watch") => {
            Some("virtualmachines may not be listed and watched")
        }
        // Whoever may list them may as well get one.
        ("virtualmachines" | "virtualmachineinstances", "get") => Some(""),
        _ => None,
    }
}

/// A run that needs all rights.
fn place(rig: &Rig) -> Place {
    Place::restoring(rig).with("VMI_LATENCY", true)
}

pub(crate) fn each_in_turn(rig: &Rig) {
    let before = rig.spec();
    let mut tried = 0;
    for (kind, name) in ROLES {
        let role = rig.get(kind, name);
        let rules = role["rules"].as_array().expect("rules").clone();
        for (index, rule) in rules.iter().enumerate() {
            let strings = |key: &str| -> Vec<String> {
                serde_json::from_value(rule[key].clone()).expect("a list of strings")
            };
            for resource in strings("resources") {
                for verb in strings("verbs") {
                    if is_of_the_other(rig, kind, (&resource, &verb)) {
                        continue;
                    }
                    rig.apply(&without(&role, index, &resource, &verb).to_string());
                    let lease = rig.lease_version();
                    if let Some(told) = told_of(rule, &resource, &verb) {
                        place(rig).run().with(0).said(told);
                        tried += 1;
                        continue;
                    }
                    let ended = place(rig).run().with(3);
                    assert!(
                        ended.log.contains(&resource),
                        "{resource} {verb}: {}",
                        ended.log
                    );
                    assert!(
                        ended.log.contains(&verb),
                        "{resource} {verb}: {}",
                        ended.log
                    );
                    assert_eq!(rig.lease_version(), lease, "{resource} {verb}");
                    assert_eq!(rig.spec(), before, "{resource} {verb}");
                    tried += 1;
                }
            }
        }
        rig.apply(&bare(role).to_string());
    }
    assert!(tried >= 16, "only {tried} rights were tried");
    place(rig).run().with(0);
}

/// As it is applied, without what the server adds.
fn bare(mut role: Value) -> Value {
    let metadata = role["metadata"].as_object_mut().expect("metadata");
    metadata.retain(|key, _| matches!(&**key, "name" | "namespace"));
    role
}

/// The role without one verb on one resource.
fn without(role: &Value, index: usize, resource: &str, verb: &str) -> Value {
    let mut role = bare(role.clone());
    let rules = role["rules"].as_array_mut().expect("rules");
    let mut rest = rules[index].clone();
    let retain = |list: &mut Value, gone: &str| {
        let list = list.as_array_mut().expect("a list");
        list.retain(|item| item != gone);
    };
    let mut same = rules[index].clone();
    retain(&mut rest["resources"], resource);
    same["resources"] = serde_json::json!([resource]);
    retain(&mut same["verbs"], verb);
    rules.remove(index);
    for rule in [rest, same] {
        let is_empty = |key: &str| rule[key].as_array().is_none_or(Vec::is_empty);
        if !is_empty("resources") && !is_empty("verbs") {
            rules.push(rule.clone());
        }
    }
    role
}
