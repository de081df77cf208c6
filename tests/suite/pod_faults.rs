//! Pods that fail, and dumps that are not what they should be.

use std::time::Duration;

use cluster_profiler_job::engine::Native;
use cluster_profiler_job::limits::Limits;
use cluster_profiler_job::manifest::State;
use cluster_profiler_job::outcome::ExitCode;
use cluster_profiler_job::run::run_with;
use standin::{Damage, Fault, Options, RouteAnswer, RouteFault, Standin, Times};
use tokio::sync::mpsc;

use crate::harness::{Ended, Place, Shipped, limit_memory};

/// A run in which one virt-handler has a fault: the stand-in, the pod's name, what came of it.
async fn with_fault(fault: Fault) -> (String, Ended, Shipped) {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let pods = standin.pods();
    let pod = pods
        .iter()
        .find(|pod| pod.starts_with("virt-handler-"))
        .expect("a handler");
    standin.pod_fault(pod, fault);
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert!(standin.profiling().is_empty());
    (pod.clone(), ended, place.shipped())
}

/// Asserts that the pod, and no other, is missing, and why.
fn assert_missing(pod: &str, ended: &Ended, shipped: &Shipped, why: &str) {
    assert_eq!(ended.code, 5, "{}", ended.log);
    let said = shipped.pod(pod).why.as_deref().unwrap_or_default();
    assert!(said.contains(why), "{said:?} does not say {why:?}");
    let complete = |name: &str| shipped.pod(name).state == State::Complete;
    for other in shipped.manifest.pods.iter().map(|pod| &pod.pod.name) {
        assert_eq!(complete(other), other != pod, "{other}");
    }
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(pod), "{reason:?} does not name {pod}");
    assert_eq!(shipped.manifest.exit_code, 5);
}

/// A pod whose dump is always damaged like this is missing, and no file of it is kept.
async fn leaves_nothing(damage: Damage, why: &str) {
    let (pod, ended, shipped) = with_fault(Fault::Damaged(damage, Times::Always)).await;
    assert_missing(&pod, &ended, &shipped, why);
    assert!(shipped.pod(&pod).files.is_empty());
}

#[tokio::test]
async fn a_slow_pod_is_waited_for() {
    let (_, ended, _) = with_fault(Fault::Slow(Duration::from_millis(700))).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
}

#[tokio::test]
async fn a_pod_that_fails_twice_is_dumped_again() {
    let (_, ended, _) = with_fault(Fault::DumpFails(Times::First(2))).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
}

#[tokio::test]
async fn a_pod_that_always_fails_is_named() {
    let (pod, ended, shipped) = with_fault(Fault::DumpFails(Times::Always)).await;
    assert_missing(&pod, &ended, &shipped, "answered 500");
}

#[tokio::test]
async fn a_dump_cut_once_is_fetched_again() {
    for damage in [
        Damage::BrokenInString,
        Damage::EndsInString,
        Damage::EndsInStructure,
        Damage::InvalidBase64,
    ] {
        let (_, ended, _) = with_fault(Fault::Damaged(damage.clone(), Times::First(1))).await;
        assert_eq!(ended.code, 0, "{damage:?}: {}", ended.log);
    }
}

#[tokio::test]
async fn a_connection_that_always_breaks_leaves_nothing_of_the_pod() {
    leaves_nothing(Damage::BrokenInString, "heap.pprof").await;
}

#[tokio::test]
async fn a_dump_that_stalls_is_given_up_and_costs_that_pod_alone() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let pod = standin.pods()[0].clone();
    standin.pod_fault(&pod, Fault::Damaged(Damage::StallsInString, Times::Always));
    let place = Place::new(&standin);
    let limits = Limits {
        idle: Duration::from_millis(300),
        tries: 2,
        ..Limits::default()
    };
    let (_signals, receiver) = mpsc::channel(1);
    let code = run_with(place.variables(), receiver, limits, |_| {
        Box::new(Native { concurrency: 8 })
    })
    .await;
    assert_eq!(code, ExitCode::Incomplete);
    let shipped = place.shipped();
    let why = shipped.pod(&pod).why.as_deref().unwrap_or_default();
    assert!(why.contains("nothing came for"), "{why}");
    let complete = shipped
        .manifest
        .pods
        .iter()
        .filter(|pod| pod.state == State::Complete);
    assert_eq!(complete.count(), 7);
}

#[tokio::test]
async fn a_dump_that_ends_in_a_string_leaves_nothing_of_the_pod() {
    leaves_nothing(Damage::EndsInString, "heap.pprof").await;
}

#[tokio::test]
async fn a_dump_that_ends_between_files_leaves_nothing_of_the_pod() {
    leaves_nothing(Damage::EndsInStructure, "cut or malformed").await;
}

#[tokio::test]
async fn what_is_not_base64_leaves_nothing_of_the_pod() {
    leaves_nothing(Damage::InvalidBase64, "heap.pprof").await;
}

#[tokio::test]
async fn a_number_in_a_files_place_leaves_nothing_of_the_pod() {
    let fault = Fault::Damaged(Damage::WrongType("mutex.pprof".to_owned()), Times::Always);
    let (pod, ended, shipped) = with_fault(fault).await;
    assert_missing(&pod, &ended, &shipped, "cut or malformed");
}

#[tokio::test]
async fn a_pod_without_one_file_is_missing_and_its_others_are_kept() {
    let fault = Fault::Damaged(Damage::MissingFile("cpu.pprof".to_owned()), Times::Always);
    let (pod, ended, shipped) = with_fault(fault).await;
    assert_missing(&pod, &ended, &shipped, "lacks cpu.pprof");
    assert_eq!(shipped.pod(&pod).files.len(), 12);
}

#[tokio::test]
async fn names_that_nobody_asked_for_are_refused_and_the_rest_is_shipped() {
    let long = "x".repeat(300);
    let hostile = [
        "../evil",
        "/etc/passwd",
        "nul\0byte",
        "virt-handler-else",
        long.as_str(),
    ];
    let names = hostile.map(str::to_owned).to_vec();
    let fault = Fault::Damaged(Damage::ExtraPods(names), Times::Always);
    let (pod, ended, shipped) = with_fault(fault).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let refused: Vec<_> = shipped
        .manifest
        .refused
        .iter()
        .map(|refused| &refused.name)
        .collect();
    assert_eq!(refused.len(), hostile.len(), "{refused:?}");
    for name in hostile {
        let shown: String = name.chars().take(100).collect();
        assert!(
            refused.iter().any(|refused| refused.starts_with(&shown)),
            "{name:?}"
        );
    }
    assert!(refused.iter().all(|name| name.chars().count() <= 101));
    assert!(
        shipped
            .manifest
            .refused
            .iter()
            .all(|refused| refused.page_of == pod)
    );
}

#[tokio::test]
async fn file_names_that_are_no_profile_are_refused() {
    let names = vec!["../../heap.pprof".to_owned(), "core".to_owned()];
    let fault = Fault::Damaged(Damage::ExtraFiles(names.clone()), Times::Always);
    let (_, ended, shipped) = with_fault(fault).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let mut refused: Vec<_> = shipped
        .manifest
        .refused
        .iter()
        .map(|refused| refused.name.clone())
        .collect();
    refused.sort();
    assert_eq!(refused, names);
}

/// A run in which one pod's page also has files of these names, in memory of 192 MiB.
async fn with_files(names: &[String]) -> (Ended, Shipped) {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let fault = Fault::Damaged(Damage::ExtraFiles(names.to_vec()), Times::Always);
    standin.pod_fault(&standin.pods()[0], fault);
    let place = Place::new(&standin);
    let child = place.spawn();
    limit_memory(&child, 192 << 20);
    let ended = place.ended(child).await;
    (ended, place.shipped())
}

#[tokio::test]
async fn a_name_of_100_mb_takes_no_memory_and_is_cut() {
    let (ended, shipped) = with_files(&["x".repeat(100 << 20)]).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let refused = &shipped.manifest.refused;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].name, format!("{:x<100}…", ""));
    let longest = ended.log.lines().map(str::len).max();
    assert!(longest < Some(4096), "{longest:?}");
    let (_, short) = with_files(&["x".to_owned()]).await;
    let peak = |shipped: &Shipped| shipped.manifest.peak_memory_bytes.expect("Linux tells it");
    let (with, without) = (peak(&shipped), peak(&short));
    assert!(
        with < without + (8 << 20),
        "{with} bytes, and {without} with a short name"
    );
}

#[tokio::test]
async fn a_name_is_cut_between_characters_and_what_comes_after_it_is_read() {
    // Of one byte and of more, and as escapes of two and six; at every place of the cut.
    let pieces = ["x", "é", "\u{1f600}", "\"", "\\", "\u{1}"];
    let filled = |piece: &str, before| "x".repeat(before) + &piece.repeat(2000);
    let names = pieces.map(|piece| (0..6).map(move |before| filled(piece, before)));
    let mut names: Vec<_> = names.into_iter().flatten().collect();
    let last = names.split_off(18);
    for mut names in [names, last] {
        names.push("core".to_owned());
        let (ended, shipped) = with_files(&names).await;
        assert_eq!(ended.code, 0, "{}", ended.log);
        let refused = &shipped.manifest.refused;
        let refused: Vec<_> = refused.iter().map(|refused| refused.name.clone()).collect();
        let shown = names.iter().map(|name| match name.as_str() {
            "core" => name.clone(),
            name => name.chars().take(100).chain(['…']).collect(),
        });
        assert_eq!(refused, shown.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn of_many_names_some_are_told() {
    let names: Vec<_> = (0..5000).map(|n| format!("core.{n}")).collect();
    let (ended, shipped) = with_files(&names).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(shipped.manifest.refused.len(), 21);
    assert_eq!(shipped.manifest.refused[20].name, "…");
    let told = ended.log.matches("refused a name in a dump").count();
    assert_eq!(told, 21);
}

#[tokio::test]
async fn a_pod_not_ready_at_the_start_is_told_of_and_does_not_count() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let pod = standin.pods().pop().expect("a pod");
    standin.set_ready(&pod, false);
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    assert_eq!(shipped.manifest.pods.len(), 7);
    assert_eq!(shipped.manifest.uncounted.len(), 1);
    assert_eq!(shipped.manifest.uncounted[0].name, pod);
}

#[tokio::test]
async fn a_pod_replaced_in_the_window_is_missing_and_its_successor_does_not_count() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let pod = standin.pods().pop().expect("a pod");
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    let successor = standin.replace(&pod);
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    let shipped = place.shipped();
    assert_missing(&pod, &ended, &shipped, "gone");
    assert_eq!(shipped.manifest.uncounted[0].name, successor);
}

#[tokio::test]
async fn a_pod_replaced_under_its_own_name_is_missing() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    let pods = standin.pods();
    let pod = pods
        .iter()
        .find(|pod| pod.starts_with("virt-handler-"))
        .expect("a handler");
    let place = Place::new(&standin).with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    standin.remove_pod(pod);
    standin.add_pod(pod, Some("virt-handler"));
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_missing(pod, &ended, &place.shipped(), "another of the same name");
}

#[tokio::test]
async fn an_api_server_that_has_too_much_to_do_is_asked_for_fewer_at_once() {
    const WANTED: usize = 8;
    let options = Options {
        pods: WANTED,
        // Longer than the pauses between two tries differ, so that all would be under way at once.
        pod_latency: Duration::from_secs(3),
        ..Options::default()
    };
    let standin = Standin::start(options).await.expect("a stand-in");
    let place = Place::new(&standin)
        .with("PROFILER_CONCURRENCY", WANTED.to_string())
        .with("PROFILER_SETTLE", "1h");
    let child = place.spawn();
    assert_eq!(place.run_with(&["ready", "--wait", "1m"]).await.code, 0);
    let too_much = RouteAnswer::Status(429);
    let times = Times::First(WANTED);
    standin.route_fault(RouteFault::new("/dump-cluster-profiler", too_much, times));
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(place.shipped().manifest.pods.len(), WANTED);
    let most = standin.most_dumps();
    assert!((1..WANTED - 1).contains(&most), "{most} at once");
}

#[tokio::test]
async fn a_passing_fault_of_the_api_server_is_no_fault_of_the_run() {
    let standin = Standin::start(Options::default())
        .await
        .expect("a stand-in");
    for (path, answer) in [
        ("/pods", RouteAnswer::Status(503)),
        ("/kubevirts", RouteAnswer::Status(429)),
        ("/stop-cluster-profiler", RouteAnswer::Hangup),
        ("/dump-cluster-profiler", RouteAnswer::Hangup),
    ] {
        standin.route_fault(RouteFault::new(path, answer, Times::First(1)));
    }
    let place = Place::new(&standin);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(place.shipped().manifest.pods.len(), 8);
}
