//! Runs that succeed.

use cluster_profiler_job::manifest::{EndedBy, State};
use cluster_profiler_job::pprof::Kind;
use standin::{Options, Standin};

use crate::harness::{Place, RUN_ID};

async fn standin(options: Options) -> Standin {
    Standin::start(options).await.expect("a stand-in")
}

#[tokio::test]
async fn every_pod_of_every_component_is_shipped() {
    let standin = standin(Options::default()).await;
    let place = Place::new(&standin).with("PROFILER_LABELS", "build=42, branch=main");
    let ended = place.run().await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    let shipped = place.shipped();
    let names: Vec<_> = shipped
        .manifest
        .pods
        .iter()
        .map(|pod| pod.pod.name.clone())
        .collect();
    assert_eq!(names, standin.pods());
    for pod in &shipped.manifest.pods {
        assert_eq!(pod.state, State::Complete);
        assert_eq!(pod.files.len(), 2 * Kind::ALL.len() - 1, "and six texts");
        for kind in Kind::ALL {
            let path = format!("profile-{RUN_ID}/{}/{}", pod.pod.name, kind.file_name());
            assert!(shipped.files.contains_key(&path), "{path}");
        }
    }
    assert_eq!(shipped.manifest.labels["build"], "42");
    assert_eq!(shipped.manifest.labels["branch"], "main");
    assert_eq!(shipped.manifest.window.ended_by, EndedBy::Settle);
    assert_eq!(shipped.manifest.exit_code, 0);
    assert_eq!(standin.starts(), 1);
    assert!(standin.profiling().is_empty());
    assert!(place.leftovers().is_empty());
    assert_eq!(ended.termination["exit_code"], 0);
    assert_eq!(ended.termination["uri"], shipped.manifest.archive.uri);
    assert_eq!(ended.termination["run_id"], RUN_ID);
}

/// Whatever waits in vain for what is there already says so.
#[tokio::test]
async fn a_run_in_which_nothing_fails_warns_of_nothing() {
    let standin = crate::lock::off().await;
    let ended = crate::lock::long_and_restoring(&standin)
        .with("PROFILER_SETTLE", "1s")
        .run()
        .await;
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!ended.log.contains("\"WARN\""), "{}", ended.log);
}

#[tokio::test]
async fn cluster_json_tells_what_was_profiled() {
    let standin = standin(Options::default()).await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    let shipped = place.shipped();
    let cluster = &shipped.files[&format!("profile-{RUN_ID}/cluster.json")];
    let cluster: serde_json::Value = serde_json::from_slice(cluster).expect("JSON");
    assert_eq!(cluster["kubevirt"]["version"], "v1.8.4");
    assert_eq!(cluster["status"]["phase"], "Deployed");
    assert_eq!(
        cluster["configuration"]["developerConfiguration"]["clusterProfiler"],
        true
    );
    let pods = cluster["pods"].as_array().expect("pods");
    assert_eq!(pods.len(), 8);
    assert!(
        pods.iter()
            .all(|pod| pod["node"] != "" && pod["image"] != "" && pod["uid"] != "")
    );
}

#[tokio::test]
async fn one_component_narrows_the_dump_alone() {
    let standin = standin(Options::default()).await;
    let place = Place::new(&standin).with("PROFILER_COMPONENTS", "virt-handler");
    let mut child = place.spawn();
    tokio::select! {
        () = standin.wait_until(|state| state.profiling().len() == 8) => {}
        ended = child.wait() => panic!("ended before every pod profiled: {ended:?}"),
    }
    assert_eq!(place.ended(child).await.code, 0);
    let shipped = place.shipped();
    let pods: Vec<_> = shipped
        .manifest
        .pods
        .iter()
        .map(|pod| &pod.pod.name)
        .collect();
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|name| name.starts_with("virt-handler-")));
}

#[tokio::test]
async fn pods_that_sort_before_ours_hide_nothing() {
    let options = Options {
        unrelated: 45,
        launchers: 3,
        ..Options::default()
    };
    let standin = standin(options).await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    assert_eq!(place.shipped().manifest.pods.len(), 8);
}

#[tokio::test]
async fn kubevirt_is_found_in_the_usual_namespaces() {
    let options = Options {
        namespace: "openshift-cnv".to_owned(),
        ..Options::default()
    };
    let standin = standin(options).await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    assert_eq!(place.shipped().manifest.kubevirt.namespace, "openshift-cnv");
}

#[tokio::test]
async fn a_namespace_of_ones_own_is_set() {
    let options = Options {
        namespace: "virt".to_owned(),
        ..Options::default()
    };
    let standin = standin(options).await;
    let place = Place::new(&standin).with("PROFILER_NAMESPACE", "virt");
    assert_eq!(place.run().await.code, 0);
}

#[tokio::test]
async fn many_pods_are_listed_over_several_pages() {
    let standin = standin(Options {
        pods: 120,
        ..Options::default()
    })
    .await;
    let place = Place::new(&standin);
    assert_eq!(place.run().await.code, 0);
    assert_eq!(place.shipped().manifest.pods.len(), 120);
}
