//! How virt-api pages a dump.

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use standin::Options;

use crate::client::{Bench, COMPONENTS};

#[tokio::test]
async fn ten_by_default_and_never_more_than_twenty() {
    let bench = Bench::new(Options {
        pods: 25,
        ..Options::default()
    })
    .await;
    for (asked, got) in [(0, 10), (3, 3), (20, 20), (500, 20)] {
        assert_eq!(
            bench.dump(COMPONENTS, "", asked).await.pods().len(),
            got,
            "asked for {asked}"
        );
    }
    let first = bench.dump(COMPONENTS, "", 500).await;
    let second = bench.dump(COMPONENTS, &first.token(), 500).await;
    assert_eq!([first.pods(), second.pods()].concat(), bench.standin.pods());
    assert_eq!(second.token(), "");
}

#[tokio::test]
async fn a_page_without_components_is_204_and_loses_its_token() {
    let bench = Bench::new(Options {
        pods: 4,
        unrelated: 12,
        ..Options::default()
    })
    .await;
    let page = bench.dump("", "", 10).await;
    assert_eq!((page.status, page.body.as_str()), (204, ""));
    assert_eq!(bench.dump(COMPONENTS, "", 10).await.pods().len(), 4);
}

#[tokio::test]
async fn a_token_of_the_pod_list_fetches_any_single_pod() {
    let bench = Bench::new(Options {
        pods: 4,
        launchers: 1,
        ..Options::default()
    })
    .await;
    let pods = bench.standin.pods();
    let first = bench.list(1, "").await;
    let second = bench.dump(COMPONENTS, &first.token(), 1).await;
    assert_eq!(second.pods(), pods[1..2]);
    assert_eq!(
        bench
            .dump("kubevirt.io=virt-api", &first.token(), 1)
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn a_page_after_the_last_match_is_empty_when_another_pod_follows() {
    let bench = Bench::new(Options {
        pods: 4,
        ..Options::default()
    })
    .await;
    bench.standin.add_pod("virt-template-validator-x", None);
    let page = bench.dump(COMPONENTS, "", 4).await;
    assert_eq!(page.pods().len(), 4);
    assert_eq!(bench.dump(COMPONENTS, &page.token(), 4).await.status, 204);
}

#[tokio::test]
async fn kube_reads_whole_pods_and_metadata_alike() {
    let bench = Bench::new(Options::default()).await;
    let pods: Api<Pod> = Api::namespaced(bench.client.clone(), "kubevirt");
    let query = ListParams::default().labels(COMPONENTS).limit(3);
    let whole = pods.list(&query).await.expect("pods");
    let metadata = pods.list_metadata(&query).await.expect("metadata");
    let names = bench.standin.pods();
    assert!(
        whole
            .iter()
            .map(ResourceExt::name_any)
            .eq(names[..3].to_vec())
    );
    assert!(
        metadata
            .iter()
            .map(ResourceExt::name_any)
            .eq(names[..3].to_vec())
    );
    let status = whole.items[0].status.clone().expect("a status");
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert!(
        whole.metadata.remaining_item_count.is_none(),
        "unknown with a selector"
    );
}

#[tokio::test]
async fn without_a_selector_the_rest_is_counted_and_elsewhere_is_nothing() {
    let bench = Bench::new(Options::default()).await;
    let all = bench
        .get("/api/v1/namespaces/kubevirt/pods?limit=3")
        .await
        .json();
    assert_eq!(all["metadata"]["remainingItemCount"], 5);
    let elsewhere = bench
        .get("/api/v1/namespaces/openshift-cnv/pods")
        .await
        .json();
    assert_eq!(elsewhere["items"].as_array().map(Vec::len), Some(0));
}
