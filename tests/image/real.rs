//! Runs against a real control plane, with the account and the rights that the overlay itself has.

use crate::cluster::{Cluster, Identity, RANGED, RESTRICTED};
use crate::manifests::Deploy;
use crate::pod::Pod;
use crate::setup::Rig;
use crate::volume::on_volume;

/// The plain Job, by upstream's program.
pub(crate) fn job(rig: &Rig) {
    let deploy = Deploy::copied();
    deploy.set("job", "PROFILER_ENGINE", "cluster-profiler");
    run(rig, &deploy, "job", RANGED, "cluster-profiler");
}

/// The CronJob's, by the native engine in 64 MiB.
pub(crate) fn native(rig: &Rig) {
    let deploy = Deploy::copied();
    deploy.add_component("openshift-pvc", "native-engine");
    run(rig, &deploy, "openshift-pvc", RESTRICTED, "native");
}

fn run(rig: &Rig, deploy: &Deploy, overlay: &str, identity: Identity, engine: &str) {
    deploy.set(overlay, "PROFILER_NAMESPACE", &rig.namespace);
    deploy.set(overlay, "PROFILER_SETTLE", "1s");
    // All pods share this machine's processors, and have five seconds each.
    deploy.set(overlay, "PROFILER_CONCURRENCY", "1");
    deploy.set(overlay, "PROFILER_PAGE_SIZE", "1");
    let objects = deploy.rendered(&format!("overlays/{overlay}"));
    rig.apply(objects.yaml());
    let account = [
        "create",
        "token",
        "cluster-profiler",
        "--namespace=cluster-profiler",
    ];
    let token = rig.kubectl(&account);
    let read = |name: &str| std::fs::read_to_string(rig.path(name)).expect("a file of the rig");
    let url = format!("https://{}:6443", read("address").trim());
    let cluster = Cluster::new(&url, &read("certificates/ca.crt"), token.trim(), identity);
    let pod = Pod::new(&cluster, objects, overlay);
    let ended = pod.start("collector").end().with(0);
    let manifest = on_volume(&pod, &pod.environment("collector")["PROFILER_RUN_ID"]);
    assert_eq!((manifest.gate.before, manifest.gate.after), (false, false));
    assert_eq!(rig.is_on(), Some(false), "the profiler is left on");
    let name = pod.metadata.name.as_deref().expect("a name");
    let of_pod = format!("--field-selector=involvedObject.name={name}");
    let events = [
        "get",
        "events",
        "--namespace=cluster-profiler",
        "--output=name",
    ];
    let events = rig.kubectl(&[&events[..], &[of_pod.as_str()]].concat());
    assert_eq!(events.lines().count(), 1, "{events}{}", ended.log);
    ended.tell(&manifest, engine);
}
