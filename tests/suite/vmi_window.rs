//! A window that ends when the workload's virtual machine instances are Running.

use std::time::Duration;

use cluster_profiler_job::manifest::EndedBy;
use standin::{Fate, Standin, VmScript};

use crate::harness::{Place, standin};
use crate::vmi_latency::{compare, manifest};

/// A place whose window settles at once when so many instances of the scripts' label are Running.
fn until_running(standin: &Standin, wanted: usize) -> Place {
    Place::new(standin)
        .with("PROFILER_UNTIL_VMIS_RUNNING", wanted)
        .with("PROFILER_VMI_NAMESPACE", "vms")
        .with("PROFILER_VMI_SELECTOR", "kube-burner-job=density")
        .with("PROFILER_SETTLE", "0s")
}

/// Instances that run, but of another namespace or label.
fn others() -> [VmScript; 2] {
    let of = |prefix: &str| VmScript {
        count: 30,
        prefix: prefix.to_owned(),
        speed: 100_000,
        ..VmScript::default()
    };
    [
        VmScript {
            namespace: "elsewhere".to_owned(),
            ..of("far")
        },
        VmScript {
            label: ("kube-burner-job".to_owned(), "churn".to_owned()),
            ..of("other")
        },
    ]
}

#[tokio::test]
async fn as_many_running_as_it_waits_for_end_the_window() {
    let standin = standin().await;
    let place = until_running(&standin, 20);
    let mut child = place.spawn();
    place.until_ready().await;
    for script in others() {
        standin.create_vms(script).await;
    }
    let script = VmScript {
        count: 25,
        fate: |number| {
            if number < 6 {
                Fate::NeverRuns
            } else {
                Fate::Runs
            }
        },
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    let early = tokio::time::timeout(Duration::from_millis(500), child.wait()).await;
    assert!(early.is_err(), "it ended with 19 of 20");
    let last = VmScript {
        count: 1,
        prefix: "last".to_owned(),
        ..VmScript::default()
    };
    standin.create_vms(last).await;
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("20 VMIs are Running"), "{}", ended.log);
    let manifest = manifest(&place);
    assert_eq!(manifest.window.ended_by, EndedBy::VmisRunning);
    let mut log = standin.vm_log();
    log.retain(|vm| vm.name.starts_with("vm-") || vm.name.starts_with("last-"));
    assert_eq!(log.len(), 26);
    compare(&manifest, &log);
}

#[tokio::test]
async fn max_window_ends_one_that_waits_for_more_than_ever_run() {
    let standin = standin().await;
    let place = until_running(&standin, 4).with("PROFILER_MAX_WINDOW", "3s");
    let child = place.spawn();
    place.until_ready().await;
    let script = VmScript {
        count: 3,
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    let ended = place.ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let manifest = manifest(&place);
    assert_eq!(manifest.window.ended_by, EndedBy::MaxWindow);
    compare(&manifest, &standin.vm_log());
}

#[tokio::test]
async fn a_stop_file_ends_one_that_waits_for_instances() {
    let standin = standin().await;
    let place = until_running(&standin, 4);
    let child = place.spawn();
    place.until_ready().await;
    assert_eq!(place.run_with(&["stop"]).await.code, 0);
    assert_eq!(place.ended(child).await.code, 0);
    assert_eq!(manifest(&place).window.ended_by, EndedBy::StopFile);
}

#[tokio::test]
async fn instances_that_run_before_the_start_settle_it_at_once_and_are_not_counted() {
    let standin = standin().await;
    let script = VmScript {
        count: 20,
        ..VmScript::default()
    };
    standin.create_vms(script).await;
    let place = until_running(&standin, 20);
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("Running before start is sent"),
        "{}",
        ended.log
    );
    let manifest = manifest(&place);
    assert_eq!(manifest.window.ended_by, EndedBy::VmisRunning);
    let latencies = manifest.vmi_latencies.expect("latencies");
    assert_eq!((latencies.created, latencies.running), (0, 0));
    assert!(latencies.quantiles_milliseconds.is_empty());
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_wait_for() {
    let standin = standin().await;
    let place = until_running(&standin, 20).with("PROFILER_DRY_RUN", "true");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    for words in ["follow the VMIs of vms", "0s after 20 VMIs are Running"] {
        assert!(ended.log.contains(words), "{words}: {}", ended.log);
    }
    assert_eq!(standin.starts(), 0);
}
