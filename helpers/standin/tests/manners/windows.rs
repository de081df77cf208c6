//! Which pods profile, and what they then have.

use std::{collections::BTreeSet, time::Duration};

use crate::client::{Bench, COMPONENTS};
use standin::{Fault, Options, Times};

#[tokio::test]
async fn seven_files_after_stop_and_six_before() {
    let bench = Bench::new(Options::default()).await;
    let pods = bench.standin.pods();
    assert_eq!(bench.start().await.status, 200);
    assert_eq!(bench.standin.profiling(), pods.iter().cloned().collect());
    assert_eq!(bench.dump(COMPONENTS, "", 1).await.files(&pods[0]).len(), 6);
    assert_eq!(bench.stop().await.status, 200);
    assert_eq!(bench.stop().await.status, 200, "a second stop");
    assert_eq!(bench.dump(COMPONENTS, "", 1).await.files(&pods[0]).len(), 7);
    assert_eq!(bench.start().await.status, 200);
    assert_eq!(
        bench.dump(COMPONENTS, "", 1).await.files(&pods[0]).len(),
        6,
        "start clears"
    );
    assert_eq!(bench.standin.starts(), 2);
}

#[tokio::test]
async fn a_pod_not_ready_at_stop_goes_on_profiling() {
    let bench = Bench::new(Options::default()).await;
    let pod = bench.standin.pods()[2].clone();
    bench.start().await;
    bench.standin.set_ready(&pod, false);
    assert_eq!(bench.stop().await.status, 200);
    assert_eq!(bench.standin.profiling(), BTreeSet::from([pod.clone()]));
    bench.standin.set_ready(&pod, true);
    bench.stop().await;
    bench
        .standin
        .wait_until(|state| state.profiling().is_empty())
        .await;
}

#[tokio::test]
async fn a_pod_that_saw_stop_without_start_fails_until_the_next_start() {
    let bench = Bench::new(Options {
        pods: 4,
        ..Options::default()
    })
    .await;
    bench.start().await;
    let old = bench.standin.pods()[0].clone();
    let new = bench.standin.replace(&old);
    bench.stop().await;
    let failed = bench.dump(COMPONENTS, "", 20).await;
    assert_eq!(failed.status, 500);
    assert!(
        failed.body.contains(&format!("for pod [{new}]")),
        "{}",
        failed.body
    );
    bench.start().await;
    bench.stop().await;
    assert_eq!(bench.dump(COMPONENTS, "", 20).await.files(&new).len(), 7);
}

#[tokio::test]
async fn one_failing_pod_fails_its_page_and_only_the_first_failure_is_told() {
    let bench = Bench::new(Options {
        pods: 4,
        ..Options::default()
    })
    .await;
    let pods = bench.standin.pods();
    bench
        .standin
        .pod_fault(&pods[1], Fault::DumpFails(Times::First(1)));
    bench
        .standin
        .pod_fault(&pods[2], Fault::DumpFails(Times::First(1)));
    let failed = bench.dump(COMPONENTS, "", 4).await;
    assert_eq!(
        (failed.status, failed.content_type.as_str()),
        (500, "text/plain; charset=utf-8")
    );
    assert!(
        failed.body.contains(&pods[1]) && !failed.body.contains(&pods[2]),
        "{}",
        failed.body
    );
    assert_eq!(bench.dump(COMPONENTS, "", 4).await.pods(), pods);
}

#[tokio::test]
async fn a_pod_beyond_the_limit_is_named_by_address_and_starts_all_the_same() {
    let pod_limit = Duration::from_millis(20);
    let bench = Bench::new(Options {
        pods: 4,
        pod_limit,
        ..Options::default()
    })
    .await;
    let pods = bench.standin.pods();
    bench
        .standin
        .pod_fault(&pods[0], Fault::Slow(pod_limit * 2));
    bench
        .standin
        .pod_fault(&pods[3], Fault::StartFails(Times::Always));
    let failed = bench.start().await;
    assert_eq!(failed.status, 500);
    assert!(
        failed.body.contains(&pods[3]),
        "the quicker failure: {}",
        failed.body
    );
    assert_eq!(
        bench.standin.profiling(),
        pods[..3].iter().cloned().collect()
    );
    let failed = bench.dump(COMPONENTS, "", 1).await;
    assert!(
        failed.body.contains("context deadline exceeded"),
        "{}",
        failed.body
    );
}

#[tokio::test]
async fn a_restarted_container_serves_what_the_old_one_left() {
    let bench = Bench::new(Options {
        pods: 4,
        ..Options::default()
    })
    .await;
    let pod = bench.standin.pods()[0].clone();
    bench.start().await;
    bench.stop().await;
    let before = bench.dump(COMPONENTS, "", 1).await.body;
    bench.standin.restart(&pod);
    assert_eq!(bench.dump(COMPONENTS, "", 1).await.files(&pod).len(), 6);
    bench.stop().await;
    let stale = bench.dump(COMPONENTS, "", 1).await.json();
    assert!(
        before.contains(
            stale["componentResults"][&pod]["pprofData"]["cpu.pprof"]
                .as_str()
                .expect("text")
        )
    );
}
