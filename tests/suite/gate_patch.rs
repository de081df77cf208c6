//! The arithmetic of patches: others' operations keep every byte, ours goes as it came, and what it
//! does to a configuration is undone.

use cluster_profiler_job::cluster::gate::{
    Lacking, Switch, add, configuration, operations, remove,
};
use serde_json::{Value, json};

const OTHERS: [&str; 6] = [
    "[]",
    " [ ] ",
    r#"[{"op":"add","path":"/spec/a","value":1}]"#,
    "[ {\"op\": \"add\", \"path\": \"/spec/a\", \"value\": \"x], [\" } ,\n  {\"op\":\"remove\",\"path\":\"/spec/b\"}\n]\n",
    r#"[{"op":"add","path":"/spec/\u00e9","value":{"deep":[1,[2,{"y":"}"}]]}}]"#,
    r#"[{"value":1.0e3,"path":"/spec/a","op":"add"}]"#,
];

fn ours() -> Value {
    Switch::Field.operation(Lacking::Nothing)
}

#[test]
fn what_is_added_and_removed_again_leaves_every_byte() {
    for text in OTHERS {
        let with = add(text, &ours()).expect("a patch");
        let all = operations(&with).expect("still a patch");
        assert_eq!(
            serde_json::to_value(all.last()).expect("JSON"),
            ours(),
            "{with}"
        );
        let (left, count) = remove(&with, &ours())
            .expect("a patch")
            .expect("it is there");
        assert_eq!(left, text);
        assert_eq!(count, operations(text).expect("a patch").len());
    }
}

#[test]
fn ours_goes_from_wherever_others_moved_it() {
    let op = ours();
    let a = r#"{"op":"test","path":"/spec/a","value":1}"#;
    let b = r#"{"op":"test","path":"/spec/b","value":2}"#;
    for (text, left) in [
        (format!("[{op},{a}]"), format!("[{a}]")),
        (format!("[{op} , {a} ]"), format!("[{a} ]")),
        (format!("[{a}, {op}, {b}]"), format!("[{a}, {b}]")),
        (format!("[ {a},\n {op}\n]"), format!("[ {a}\n]")),
        (format!("[\n{op}\n]"), "[\n\n]".to_owned()),
    ] {
        let (removed, _) = remove(&text, &op).expect("a patch").expect("it is there");
        assert_eq!(removed, left);
    }
}

#[test]
fn an_operation_that_others_wrote_alike_is_left_to_them() {
    let op = ours();
    let theirs = r#"{ "op": "add", "value": true,
        "path": "/spec/configuration/developerConfiguration/clusterProfiler" }"#;
    let text = format!("[{op},{theirs}]");
    let (left, _) = remove(&text, &op).expect("a patch").expect("it is there");
    assert_eq!(left, format!("[{theirs}]"));
    // If somebody wrote ours anew in other words, it goes all the same.
    let (left, count) = remove(&left, &op).expect("a patch").expect("it is there");
    assert_eq!((left.as_str(), count), ("[]", 0));
    assert_eq!(remove(&left, &op), Ok(None));
}

#[test]
fn what_is_no_patch_is_refused() {
    for text in [
        "",
        "{}",
        "[1]",
        "[",
        "[{}]",
        r#"[{"op":"fly","path":"/spec/a"}]"#,
        "[],",
    ] {
        assert!(add(text, &ours()).is_err(), "{text}");
        assert!(remove(text, &ours()).is_err(), "{text}");
    }
}

/// KubeVirt objects' `spec.configuration` of every shape.
fn configurations() -> [Value; 8] {
    [
        Value::Null,
        json!({}),
        json!({ "network": {} }),
        json!({ "developerConfiguration": {} }),
        json!({ "developerConfiguration": { "featureGates": [] } }),
        json!({ "developerConfiguration": { "featureGates": ["A"], "logVerbosity": {} } }),
        json!({ "developerConfiguration": { "clusterProfiler": false } }),
        json!({ "developerConfiguration": { "cpuAllocationRatio": 10 }, "network": {} }),
    ]
}

/// RFC 7386
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().expect("an object").remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

#[test]
fn a_kubevirt_object_is_what_it_was() {
    for switch in [Switch::Field, Switch::FeatureGate] {
        for before in configurations() {
            let mut now = before.clone();
            merge(&mut now, &switch.turn_on(&before));
            assert!(switch.is_on(&now), "{now}");
            let lacked = (Lacking::of(&before), Switch::field(&before));
            let off = switch.turn_off(&now, lacked).expect("it is on");
            merge(&mut now, &off);
            assert_eq!(now, before);
            assert_eq!(switch.turn_off(&now, lacked), None, "somebody else did");
        }
    }
}

#[test]
fn what_others_set_in_the_meantime_stays() {
    let before = Value::Null;
    let lacked = (Lacking::of(&before), None);
    let mut now = json!({});
    merge(&mut now, &Switch::FeatureGate.turn_on(&before));
    merge(
        &mut now,
        &json!({ "developerConfiguration": { "featureGates": ["ClusterProfiler", "B"] } }),
    );
    let off = Switch::FeatureGate
        .turn_off(&now, lacked)
        .expect("it is on");
    merge(&mut now, &off);
    assert_eq!(
        now,
        json!({ "developerConfiguration": { "featureGates": ["B"] } })
    );
}

#[test]
fn our_operation_applies_whatever_is_lacking_and_after_whatever_is_replaced() {
    let replaces = [
        json!([]),
        json!([{ "op": "add", "path": "/spec/configuration", "value": { "network": {} } }]),
        json!([{ "op": "replace", "path": "/spec/configuration", "value": {
            "developerConfiguration": { "featureGates": ["A"] } } }]),
        json!([{ "op": "add", "path": "/spec/configuration/developerConfiguration", "value": {} }]),
        json!([{ "op": "remove", "path": "/spec/configuration/developerConfiguration" }]),
        json!([{ "op": "test", "path": "/spec/nothing", "value": 1 }]),
    ];
    for switch in [Switch::Field, Switch::FeatureGate] {
        for (before, others) in configurations()
            .iter()
            .flat_map(|b| replaces.iter().map(move |r| (b, r)))
        {
            let text = others.to_string();
            let then = configuration(before, &operations(&text).expect("a patch"));
            let op = switch.operation(Lacking::of(&then));
            let text = add(&text, &op).expect("a patch");
            let now = configuration(before, &operations(&text).expect("a patch"));
            assert!(switch.is_on(&now), "{before} and {text}: {now}");
        }
    }
}
