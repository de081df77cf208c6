//! The arithmetic of patches: others' operations keep every byte, ours goes as it came, and what it
//! does to a configuration is undone.

use cluster_profiler_job::cluster::profiler_switch::{
    Lacking, Mechanism, add_operation, effective_configuration, parse_operations, remove_operation,
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
    Mechanism::Field.operation(Lacking::Nothing)
}

#[test]
fn what_is_added_and_removed_again_leaves_every_byte() {
    for text in OTHERS {
        let with = add_operation(text, &ours()).expect("a patch");
        let all = parse_operations(&with).expect("still a patch");
        assert_eq!(
            serde_json::to_value(all.last()).expect("JSON"),
            ours(),
            "{with}"
        );
        let (left, count) = remove_operation(&with, &ours())
            .expect("a patch")
            .expect("it is there");
        assert_eq!(left, text);
        assert_eq!(count, parse_operations(text).expect("a patch").len());
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
        let (removed, _) = remove_operation(&text, &op)
            .expect("a patch")
            .expect("it is there");
        assert_eq!(removed, left);
    }
}

#[test]
fn an_operation_that_others_wrote_alike_is_left_to_them() {
    let op = ours();
    let theirs = r#"{ "op": "add", "value": true,
        "path": "/spec/configuration/developerConfiguration/clusterProfiler" }"#;
    let text = format!("[{op},{theirs}]");
    let (left, _) = remove_operation(&text, &op)
        .expect("a patch")
        .expect("it is there");
    assert_eq!(left, format!("[{theirs}]"));
    // If somebody wrote ours anew in other words, it goes all the same.
    let (left, count) = remove_operation(&left, &op)
        .expect("a patch")
        .expect("it is there");
    assert_eq!((left.as_str(), count), ("[]", 0));
    assert_eq!(remove_operation(&left, &op), Ok(None));
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
        assert!(add_operation(text, &ours()).is_err(), "{text}");
        assert!(remove_operation(text, &ours()).is_err(), "{text}");
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
    for mechanism in [Mechanism::Field, Mechanism::FeatureGate] {
        for before in configurations() {
            let mut now = before.clone();
            merge(&mut now, &mechanism.turn_on(&before));
            assert!(mechanism.is_on(&now), "{now}");
            let (lacking, field) = (Lacking::of(&before), Mechanism::field(&before));
            let off = mechanism.turn_off(&now, lacking, field).expect("it is on");
            merge(&mut now, &off);
            assert_eq!(now, before);
            let again = mechanism.turn_off(&now, lacking, field);
            assert_eq!(again, None, "somebody else did");
        }
    }
}

#[test]
fn what_others_set_in_the_meantime_stays() {
    let before = Value::Null;
    let lacking = Lacking::of(&before);
    let mut now = json!({});
    merge(&mut now, &Mechanism::FeatureGate.turn_on(&before));
    merge(
        &mut now,
        &json!({ "developerConfiguration": { "featureGates": ["ClusterProfiler", "B"] } }),
    );
    let off = Mechanism::FeatureGate
        .turn_off(&now, lacking, None)
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
    for mechanism in [Mechanism::Field, Mechanism::FeatureGate] {
        for (before, others) in configurations()
            .iter()
            .flat_map(|b| replaces.iter().map(move |r| (b, r)))
        {
            let text = others.to_string();
            let then = effective_configuration(before, &parse_operations(&text).expect("a patch"));
            let op = mechanism.operation(Lacking::of(&then));
            let text = add_operation(&text, &op).expect("a patch");
            let now = effective_configuration(before, &parse_operations(&text).expect("a patch"));
            assert!(mechanism.is_on(&now), "{before} and {text}: {now}");
        }
    }
}
