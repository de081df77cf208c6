//! `push`: what of an archive is of its window, and so is pushed.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::made_runs::{MadeRun, numbers, profile};
use crate::push_command::{kept_push, push};
use crate::push_server::PushServer;

fn one_sample() -> Vec<u8> {
    profile(&[String::from("f")], [[1].into_iter()].into_iter())
}

/// A profile that says when it was taken, and over how many seconds.
fn taken_at(mut profile: Vec<u8>, time: &str, seconds: u64) -> Vec<u8> {
    let time: Timestamp = time.parse().expect("a time");
    let time = u64::try_from(time.as_nanosecond()).expect("a time after 1970");
    profile.extend(numbers(&[[9, time], [10, seconds * 1_000_000_000]]));
    profile
}

/// What a pod serves that was not started is an earlier window's: its server has that, and would have it twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_cpu_profile_of_another_window_is_not_pushed() {
    let pods = ["virt-api-6d5f7c8b9d-abcde", "virt-api-6d5f7c8b9d-fghij"];
    let mut made = MadeRun::new();
    for (pod, time) in pods
        .into_iter()
        .zip(["2026-11-27T21:51:01Z", "2026-11-28T21:51:01Z"])
    {
        made.expect(pod, "virt-api", &Value::Null);
        let cpu = taken_at(one_sample(), time, 900);
        made.file(&format!("{pod}/cpu.pprof"), &cpu);
        made.file(&format!("{pod}/goroutine.pprof"), &one_sample());
    }
    let place = made.finish();
    for more in [&[][..], &["--time", "now"]] {
        let server = PushServer::start([]).await;
        let ended = push(&place, &server.target("parca"), more).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        assert!(ended.log.contains("not of this window"), "{}", ended.log);
        let profiles = server.profiles();
        let of_cpu = profiles
            .iter()
            .filter(|it| it.labels["__name__"] == "process_cpu");
        let of: Vec<_> = of_cpu.map(|it| &*it.labels["pod"]).collect();
        assert_eq!(of, [pods[1]]);
        let said = kept_push(&place);
        assert_eq!(said["not_of_window"], 1, "{said}");
        assert_eq!(said["profiles"], json!({ "stored": 3 }), "{said}");
    }
}

/// A window in which nothing waited has no difference, and what was there before it is none of its.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_a_quiet_window_is_not_pushed() {
    let pods = ["virt-api-6d5f7c8b9d-abcde", "virt-api-6d5f7c8b9d-fghij"];
    for baseline in [true, false] {
        let mut made = MadeRun::new();
        // One has no baseline, and its series would mix both.
        for (pod, has_baseline) in pods.into_iter().zip([baseline, false]) {
            let at = has_baseline.then_some("2026-11-28T21:50:30Z");
            let in_window = json!({ "in_window": { "baseline_at": at } });
            made.expect(pod, "virt-api", &in_window);
            for kind in ["block", "mutex"] {
                made.file(&format!("{pod}/{kind}.pprof"), &one_sample());
            }
        }
        made.file(&format!("{}/delta/mutex.pprof", pods[0]), &one_sample());
        let place = made.finish();
        let server = PushServer::start([]).await;
        let ended = push(&place, &server.target("pyroscope"), &[]).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let mut sent: Vec<_> = server
            .profiles()
            .into_iter()
            .map(|it| (it.labels["pod"].clone(), it.labels["__name__"].clone()))
            .collect();
        sent.sort();
        if baseline {
            assert_eq!(sent, [(pods[0].to_owned(), "mutex".to_owned())]);
        } else {
            assert!(sent.iter().any(|(_, name)| name == "block"), "{sent:?}");
        }
    }
}
