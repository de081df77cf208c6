//! The environment: what is refused, how it is said, what is left alone.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use cluster_profiler_job::component::Component;
use cluster_profiler_job::config::{Config, ConfigError, DestinationConfig, from_environment};

use crate::harness::Place;

fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let owned = variables
        .iter()
        .map(|(k, v)| (OsString::from(k), OsString::from(v)));
    from_environment(owned).1
}

/// Our variables beside a good destination.
fn beside_destination(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut all = vec![("PROFILER_DESTINATION", "file:///results")];
    all.extend(variables);
    read(&all)
}

fn faults(variables: &[(&str, &str)]) -> Vec<String> {
    read(variables).expect_err("a fault").faults
}

#[test]
fn only_the_destination_is_required() {
    let config = beside_destination(&[]).expect("a configuration");
    assert_eq!(
        config.destination,
        DestinationConfig::Directory("/results".into())
    );
    assert_eq!(config.components, Component::ALL.into());
    assert_eq!(config.window.settle, Duration::from_secs(300));
    assert_eq!(config.concurrency, 12);
    assert_eq!(config.namespace, None);
    assert_eq!(config.temporary, std::path::Path::new("/tmp"));
    let id = config.run_id.as_str();
    assert_eq!(id.len(), "20261231t235959z-0123ab".len(), "{id}");
}

#[test]
fn every_variable_arrives() {
    let config = beside_destination(&[
        ("PROFILER_COMPONENTS", "virt-api, virt-handler"),
        ("PROFILER_SETTLE", "1m30s"),
        ("PROFILER_ENGINE", "native"),
        ("PROFILER_NAMESPACE", "virt"),
        ("PROFILER_RUN_ID", "nightly-1.0"),
        ("PROFILER_CONCURRENCY", "3"),
        ("PROFILER_LABELS", "a=1,b=x=y"),
        ("TMPDIR", "/scratch"),
        ("KUBECONFIG", "/one:/two"),
    ])
    .expect("a configuration");
    assert_eq!(
        config.components,
        [Component::VirtApi, Component::VirtHandler].into()
    );
    assert_eq!(config.window.settle, Duration::from_secs(90));
    assert_eq!(config.namespace.as_deref(), Some("virt"));
    assert_eq!(config.run_id.as_str(), "nightly-1.0");
    assert_eq!(config.concurrency, 3);
    let labels = [("a", "1"), ("b", "x=y")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(config.labels, BTreeMap::from(labels));
    assert_eq!(config.temporary, std::path::Path::new("/scratch"));
    assert_eq!(
        config.kubeconfig,
        ["/one", "/two"].map(std::path::PathBuf::from)
    );
}

#[test]
fn empty_means_unset_and_space_around_does_not_count() {
    let config = beside_destination(&[("PROFILER_SETTLE", ""), ("PROFILER_NAMESPACE", " virt\n")])
        .expect("a configuration");
    assert_eq!(config.window.settle, Duration::from_secs(300));
    assert_eq!(config.namespace.as_deref(), Some("virt"));
}

#[test]
fn every_fault_is_told_at_once_with_the_value_and_what_is_accepted() {
    let faults = faults(&[
        ("PROFILER_COMPONENTS", "virt-api,virt-hander"),
        ("PROFILER_SETTLE", "5"),
        ("PROFILER_ENGINE", "fast"),
        ("PROFILER_NAMESPACE", "Kube Virt"),
        ("PROFILER_RUN_ID", "Nightly"),
        ("PROFILER_CONCURRENCY", "0"),
        ("PROFILER_TERMINATION_LOG", "relative"),
        ("PROFILER_LOG", "xml"),
    ]);
    let text = faults.join("\n");
    for told in [
        "PROFILER_DESTINATION is required",
        "PROFILER_COMPONENTS: \"virt-hander\"",
        "PROFILER_SETTLE: \"5\" is not accepted; accepted: a duration",
        "PROFILER_ENGINE: \"fast\" is not accepted; accepted: native, cluster-profiler",
        "PROFILER_NAMESPACE: \"Kube Virt\"",
        "PROFILER_RUN_ID: \"Nightly\" is not accepted; accepted: [a-z0-9]",
        "PROFILER_CONCURRENCY: \"0\" is not accepted; accepted: a number from 1 to 64",
        "PROFILER_TERMINATION_LOG: \"relative\"",
        "PROFILER_LOG: \"xml\" is not accepted; accepted: json, text",
    ] {
        assert!(text.contains(told), "{text}\ndoes not say {told}");
    }
    assert_eq!(faults.len(), 9);
}

#[test]
fn durations_and_numbers_at_their_edges() {
    for settle in ["0s", "-1s", "5 parsecs", "99999999999999999999s"] {
        assert!(
            beside_destination(&[("PROFILER_SETTLE", settle)]).is_err(),
            "{settle}"
        );
    }
    for concurrency in ["65", "-1", "8.0", "eight", "18446744073709551616"] {
        let variable = [("PROFILER_CONCURRENCY", concurrency)];
        assert!(beside_destination(&variable).is_err(), "{concurrency}");
    }
    let longest = "r".repeat(100);
    assert!(beside_destination(&[("PROFILER_RUN_ID", &longest)]).is_ok());
    for id in ["r".repeat(101).as_str(), "-a", ".a", "a/b", "a_b", "ä"] {
        assert!(
            beside_destination(&[("PROFILER_RUN_ID", id)]).is_err(),
            "{id}"
        );
    }
}

#[test]
fn destinations_that_are_none() {
    for uri in [
        "/results",
        "results",
        "file://results/x",
        "file:///a/../b",
        "http://x/y",
        "file:",
    ] {
        let faults = faults(&[("PROFILER_DESTINATION", uri)]);
        assert!(faults[0].contains("file:///DIRECTORY"), "{uri}: {faults:?}");
    }
}

#[test]
fn an_unknown_name_is_a_fault_and_its_value_is_not_told() {
    let faults = faults(&[
        ("PROFILER_DESTINATION", "file:///results"),
        ("PROFILER_SETLE", "hunter2"),
        ("PROFILER_destination", "hunter2"),
    ]);
    assert_eq!(faults.len(), 2);
    assert!(faults[0].contains("PROFILER_SETLE") && faults[0].contains("SETTLE"));
    assert!(!faults.concat().contains("hunter2"));
}

#[test]
fn secrets_are_never_told() {
    let labels = faults(&[("PROFILER_LABELS", "password=hunter2,hunter2")]);
    assert!(!labels.concat().contains("hunter2"), "{labels:?}");
    for uri in [
        "ftp://KEY:hunter2/with/slashes@host/x",
        "https://host/x?token=hunter2",
        "https://host/x#hunter2",
        "ftp:KEY:hunter2",
        "hunter2://x",
        "file://hunter2/x",
    ] {
        let told = faults(&[("PROFILER_DESTINATION", uri)]);
        assert!(!told.concat().contains("hunter2"), "{uri}: {told:?}");
    }
}

#[test]
fn what_kubernetes_injects_for_services_is_ignored() {
    let injected = [
        ("PROFILER_SERVICE_HOST", "10.0.0.1"),
        ("PROFILER_SERVICE_PORT", "80"),
        ("PROFILER_SERVICE_PORT_HTTP", "80"),
        ("PROFILER_PORT", "tcp://10.0.0.1:80"),
        ("PROFILER_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("PROFILER_PORT_80_TCP_PROTO", "tcp"),
        ("PROFILER_PORT_80_TCP_PORT", "80"),
        ("PROFILER_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("PROFILER_UI_SERVICE_HOST", "10.0.0.2"),
        ("PROFILER_UI_PORT_53_UDP", "udp://10.0.0.2:53"),
    ];
    assert!(beside_destination(&injected).is_ok());
    assert!(beside_destination(&[("PROFILER_PORT", "80")]).is_err());
    assert!(beside_destination(&[("PROFILER_UI_PORT_X_TCP", "1")]).is_err());
}

#[test]
fn bytes_that_are_no_text_are_a_fault_only_in_ours() {
    let bytes = || OsString::from_vec(vec![b'a', 0xff]);
    let environment = [
        (
            "PROFILER_DESTINATION".into(),
            OsString::from("file:///results"),
        ),
        ("OTHER".into(), bytes()),
        ("PROFILER_SETTLE".into(), bytes()),
    ];
    let faults = from_environment(environment).1.expect_err("a fault").faults;
    assert_eq!(faults, ["PROFILER_SETTLE is not valid UTF-8"]);
}

#[tokio::test]
async fn the_binary_exits_with_2_and_tells_it_everywhere() {
    let place = Place::empty().with("PROFILER_SETTLE", "soon");
    let ended = place.run().await;
    assert_eq!(ended.code, 2);
    assert_eq!(ended.termination["exit_code"], 2);
    let reason = ended.termination["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("PROFILER_SETTLE") && reason.contains("PROFILER_DESTINATION"));
    assert!(ended.log.contains("PROFILER_SETTLE"), "{}", ended.log);
}

#[tokio::test]
async fn a_termination_log_that_cannot_be_written_changes_nothing() {
    let place = Place::empty().with("PROFILER_TERMINATION_LOG", "/nonexistent/directory/log");
    assert_eq!(place.run().await.code, 2);
}

#[tokio::test]
async fn the_termination_message_fits_a_kibibyte() {
    let mut place = Place::empty();
    for number in 0..100 {
        place.set(&format!("PROFILER_UNKNOWN_ÄÖÜ_{number}"), "x");
    }
    let ended = place.run().await;
    assert_eq!(ended.code, 2);
    let message = std::fs::read(place.path("termination")).expect("a message");
    assert!(message.len() <= 1024, "{} bytes", message.len());
    assert!(
        ended.termination["reason"]
            .as_str()
            .is_some_and(|reason| reason.ends_with('…'))
    );
}

#[tokio::test]
async fn a_kubeconfig_that_is_none_is_named() {
    let place = Place::empty()
        .with("PROFILER_DESTINATION", "file:///results")
        .with("KUBECONFIG", "/nonexistent/kubeconfig");
    let ended = place.run().await;
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(
        ended.log.contains("/nonexistent/kubeconfig"),
        "{}",
        ended.log
    );
}

#[test]
fn faults_of_an_unattended_runs_variables_name_what_is_accepted() {
    let faults = beside_destination(&[
        ("PROFILER_STOP_FILE", "stop"),
        ("PROFILER_MIN_COMPLETE", "95"),
        ("PROFILER_PAGE_SIZE", "21"),
        ("PROFILER_START_TRIES", "0"),
        ("PROFILER_STOP_WAIT", "2"),
        ("PROFILER_DRY_RUN", "yes"),
        ("PROFILER_ENGINE", "cluster-profiler"),
    ])
    .expect_err("faults")
    .faults;
    for (fault, told) in faults.iter().zip([
        "PROFILER_STOP_FILE: \"stop\" is not accepted; accepted: an absolute path",
        "PROFILER_PAGE_SIZE: \"21\" is not accepted; accepted: a number from 1 to 20",
        "PROFILER_ENGINE: cluster-profiler is not on PATH",
        "PROFILER_MIN_COMPLETE: \"95\" is not accepted; accepted: a whole percentage",
        "PROFILER_STOP_WAIT: \"2\" is not accepted; accepted: a duration with a unit",
        "PROFILER_START_TRIES: \"0\" is not accepted; accepted: a number from 1 to 10",
        "PROFILER_DRY_RUN: \"yes\" is not accepted; accepted: true, false",
    ]) {
        assert!(
            fault.starts_with(told),
            "{fault:?} does not begin with {told:?}"
        );
    }
    assert_eq!(faults.len(), 7, "{faults:?}");
}

#[test]
fn times_that_contradict_each_other_are_faults() {
    for contradiction in [
        [("PROFILER_SETTLE", "2h"), ("PROFILER_MAX_WINDOW", "1h")],
        [("PROFILER_MAX_WINDOW", "1h"), ("PROFILER_DEADLINE", "1h")],
        [("PROFILER_GRACE", "1h"), ("PROFILER_DEADLINE", "2h")],
        [("PROFILER_SETTLE", "0s"), ("PROFILER_MAX_WINDOW", "1h")],
    ] {
        assert!(
            beside_destination(&contradiction).is_err(),
            "{contradiction:?}"
        );
    }
    let long = beside_destination(&[("PROFILER_SETTLE", "3h")]).expect("no contradiction");
    assert_eq!(long.window.max, Duration::from_secs(3 * 3600));
    let file = [("PROFILER_STOP_FILE", "/signal/stop")];
    let waiting = beside_destination(&file).expect("a configuration");
    assert_eq!(waiting.window.settle, Duration::ZERO);
    assert!(waiting.window.settle_after_stop_file);
}

#[test]
fn what_is_followed_and_what_needs_it() {
    let config = beside_destination(&[("PROFILER_SETTLE", "1m")]).expect("a configuration");
    assert_eq!(config.vmis, None);
    let config = beside_destination(&[
        ("PROFILER_UNTIL_VMIS_RUNNING", "100"),
        ("PROFILER_VMI_SELECTOR", "app in (a, b)"),
        ("PROFILER_VMI_NAMESPACE", "vms"),
    ]);
    let config = config.expect("a configuration");
    let vmis = config.vmis.expect("it implies that they are followed");
    assert_eq!(vmis.namespace.as_deref(), Some("vms"));
    assert_eq!(vmis.selector.as_deref(), Some("app in (a, b)"));
    assert_eq!(config.window.until_vmis_running, Some(100));
    assert_eq!(config.window.settle, Duration::ZERO);
    for name in ["PROFILER_VMI_SELECTOR", "PROFILER_VMI_NAMESPACE"] {
        let faults = faults(&[("PROFILER_DESTINATION", "file:///results"), (name, "vms")]);
        let needs = "it needs PROFILER_VMI_LATENCY=true or PROFILER_UNTIL_VMIS_RUNNING";
        assert_eq!(faults, [format!("{name}: {needs}")]);
    }
    for bad in [
        ("PROFILER_UNTIL_VMIS_RUNNING", "0"),
        ("PROFILER_VMI_SELECTOR", "a;b"),
    ] {
        let more = ("PROFILER_VMI_LATENCY", "true");
        assert!(beside_destination(&[bad, more]).is_err(), "{bad:?}");
    }
}

#[test]
fn shares_that_make_no_sense_are_faults() {
    for share in [
        "101%",
        "-1%",
        "95%,90%",
        "virt-hander=9%",
        "virt-api=1%,virt-api=2%",
        "%",
        ",",
    ] {
        let variable = [("PROFILER_MIN_COMPLETE", share)];
        assert!(beside_destination(&variable).is_err(), "{share}");
    }
    assert!(beside_destination(&[("PROFILER_MIN_COMPLETE", "0%, virt-api = 100%")]).is_ok());
}

#[test]
fn files_that_mean_different_things_are_different_files() {
    for names in [("STOP", "READY"), ("READY", "DONE"), ("STOP", "DONE")] {
        let names = (
            format!("PROFILER_{}_FILE", names.0),
            format!("PROFILER_{}_FILE", names.1),
        );
        let same = [
            (names.0.as_str(), "/signal/x"),
            (names.1.as_str(), "/signal/x/"),
        ];
        let faults = beside_destination(&same).expect_err("a fault").faults;
        assert!(faults[0].contains("the same file as"), "{faults:?}");
    }
}

#[test]
fn no_duration_overflows_a_clock() {
    for name in [
        "SETTLE",
        "MAX_WINDOW",
        "STOP_WAIT",
        "GRACE",
        "PREFLIGHT_RETRY",
        "DEADLINE",
    ] {
        let name = format!("PROFILER_{name}");
        assert!(
            beside_destination(&[(&name, "18446744073709551600s")]).is_err(),
            "{name}"
        );
    }
}

#[test]
fn a_comparison_needs_numbers_and_an_exit_code_for_it_needs_the_comparison() {
    let told = |variables: &[(&str, &str)]| {
        let read = beside_destination(variables);
        read.expect_err("a fault").faults.join("\n")
    };
    let alone = told(&[("PROFILER_COMPARE", "true")]);
    let words = "PROFILER_COMPARE: without PROFILER_BASELINE=true or PROFILER_VMI_LATENCY=true";
    assert!(alone.starts_with(words), "{alone}");
    let fail = ("PROFILER_FAIL_ON_REGRESSION", "true");
    let without = told(&[fail]);
    assert_eq!(
        without,
        "PROFILER_FAIL_ON_REGRESSION: it needs PROFILER_COMPARE=true"
    );
    for with in [
        ("PROFILER_BASELINE", "true"),
        ("PROFILER_VMI_LATENCY", "true"),
        ("PROFILER_UNTIL_VMIS_RUNNING", "3"),
    ] {
        let config = beside_destination(&[("PROFILER_COMPARE", "true"), with, fail]);
        let compare = config.expect("a configuration").compare;
        assert!(
            compare.expect("it is compared").fail_on_regression,
            "{with:?}"
        );
    }
    let off = [
        ("PROFILER_COMPARE", "false"),
        ("PROFILER_FAIL_ON_REGRESSION", "false"),
    ];
    assert_eq!(
        beside_destination(&off).expect("a configuration").compare,
        None
    );
}
