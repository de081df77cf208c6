//! Runs whose archive is on a volume.

use cluster_profiler_job::manifest::{Manifest, State};

use crate::cluster::RESTRICTED;
use crate::image::Image;
use crate::manifests::Deploy;
use crate::pod::Pod;
use crate::standing::Standing;
use crate::unpacked;

/// As a person does it: wait for `ready`, then `stop`, then fetch. By upstream's program, which the image has.
pub(crate) fn openshift(_: &Image) {
    let standing = Standing::openshift();
    let cluster = standing.cluster(RESTRICTED);
    let deploy = Deploy::copied();
    deploy.set("openshift-pvc", "PROFILER_ENGINE", "cluster-profiler");
    let run = Pod::new(
        &cluster,
        deploy.rendered("overlays/openshift-pvc"),
        "profile-me",
    );
    let collector = run.start("collector");
    collector.until(&run.readiness("collector"));
    collector.does(&["cluster-profiler-job", "stop"]);
    let ended = collector.end().with(0);
    assert_eq!(standing.standin.starts(), 1);
    let id = &run.environment("collector")["PROFILER_RUN_ID"];
    let manifest = on_volume(&run, id);
    ended.tell(&manifest, "cluster-profiler");
    fetched(
        &Pod::new(&cluster, deploy.rendered("fetch"), "fetch"),
        &run,
        id,
    );
}

/// The run on the volume at /results: whole, as its manifest says.
pub(crate) fn on_volume(run: &Pod<'_>, id: &str) -> Manifest {
    let path = |ending: &str| {
        run.volumes
            .path("results")
            .join(format!("profile-{id}.{ending}"))
    };
    whole(unpacked::checked(&path("json"), &path("tar.gz")))
}

/// Of every pod there is everything.
pub(crate) fn whole(manifest: Manifest) -> Manifest {
    for pod in &manifest.pods {
        assert_eq!(pod.state, State::Complete, "{:?}", pod.why);
    }
    manifest
}

/// `get` by another pod brings the same archive.
fn fetched(fetch: &Pod<'_>, run: &Pod<'_>, id: &str) {
    let container = fetch.start("fetch");
    let listed = container.does(&["cluster-profiler-job", "ls"]).stdout;
    assert!(String::from_utf8_lossy(&listed).contains(id));
    let got = container.does(&["cluster-profiler-job", "get", id]).stdout;
    let archive = run
        .volumes
        .path("results")
        .join(format!("profile-{id}.tar.gz"));
    assert!(got == std::fs::read(archive).expect("an archive"));
    container.stop();
    container.end().with(0);
}
