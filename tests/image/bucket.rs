//! Runs whose archive is in a bucket.

use bucket::{ACCESS_KEY, BUCKET, Bucket, SECRET_KEY};
use cluster_profiler_job::manifest::{EndedBy, Manifest};

use crate::cluster::{Cluster, Data, PLAIN, RANGED, one};
use crate::image::Image;
use crate::manifests::Deploy;
use crate::pod::Pod;
use crate::standing::Standing;
use crate::unpacked;
use crate::volume::whole;

pub(crate) fn nightly(_: &Image) {
    let standing = Standing::openshift();
    let mut cluster = standing.cluster(RANGED);
    let (deploy, bucket) = (Deploy::copied(), served(&standing));
    to_bucket(&deploy, "nightly", &bucket, &mut cluster);
    deploy.set("nightly", "PROFILER_SETTLE", "1s");
    let run = Pod::new(
        &cluster,
        deploy.rendered("overlays/nightly"),
        "nightly-29401",
    );
    let ended = run.start("collector").end().with(0);
    let manifest = in_bucket(&bucket, &run.environment("collector")["PROFILER_RUN_ID"]);
    ended.tell(&manifest, "native");
}

/// An empty bucket on a server.
pub(crate) fn served(standing: &Standing) -> Bucket {
    standing
        .runtime
        .block_on(Bucket::start())
        .expect("a server")
}

/// Edits an overlay's settings so that runs go there, and makes the Secret and the authority's ConfigMap.
pub(crate) fn to_bucket(deploy: &Deploy, overlay: &str, bucket: &Bucket, cluster: &mut Cluster) {
    let destination = format!("s3://{BUCKET}/cluster-profiler");
    deploy.set(overlay, "PROFILER_DESTINATION", &destination);
    deploy.set(overlay, "AWS_ENDPOINT_URL", bucket.url());
    deploy.add_component(overlay, "ca-bundle");
    let authority = one("ca-bundle.crt", bucket.ca_pem());
    cluster
        .config_maps
        .insert("cluster-profiler-ca-bundle".to_owned(), authority);
    let keys = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ];
    let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
    cluster
        .secrets
        .insert("cluster-profiler-s3".to_owned(), Data::from(keys));
}

/// The run in the bucket: whole, as its manifest says.
pub(crate) fn in_bucket(bucket: &Bucket, id: &str) -> Manifest {
    let path = |ending: &str| bucket.path(&format!("cluster-profiler/profile-{id}.{ending}"));
    assert_eq!(bucket.uploads(), 0, "an upload is open");
    whole(unpacked::checked(&path("json"), &path("tar.gz")))
}

/// A node that is drained tells the pod to stop and gives it the manifest's time.
pub(crate) fn told(_: &Image) {
    let standing = Standing::kubevirt();
    let mut cluster = standing.cluster(PLAIN);
    let (deploy, bucket) = (Deploy::copied(), served(&standing));
    to_bucket(&deploy, "kubevirt-s3", &bucket, &mut cluster);
    let run = Pod::new(&cluster, deploy.rendered("overlays/kubevirt-s3"), "drained");
    let collector = run.start("collector");
    collector.until(&run.readiness("collector"));
    collector.stop();
    let ended = collector.end().with(143);
    let manifest = in_bucket(&bucket, &run.environment("collector")["PROFILER_RUN_ID"]);
    assert_eq!(manifest.window.ended_by, EndedBy::Signal);
    assert_eq!(ended.termination["exit_code"], 143, "{}", ended.termination);
    ended.tell(&manifest, "native");
}
