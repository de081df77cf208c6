//! A workload in the same pod, with the script that the component gives it.

use cluster_profiler_job::manifest::EndedBy;

use crate::cluster::PLAIN;
use crate::image::Image;
use crate::manifests::Deploy;
use crate::pod::Pod;
use crate::process::{command, said};
use crate::standing::Standing;
use crate::volume::on_volume;

/// Stands for the image that a user has: a shell, and this as the workload.
const IMAGE: &str = "localhost/cluster-profiler-job-workload:test";
const WORKLOAD: &str = "#!/bin/sh
[ ! -e /var/run/secrets/kubernetes.io ] && cat /signal/ready && echo the workload has run
";

/// It waits for `ready`, and its end ends the window.
pub(crate) fn beside(_: &Image) {
    build();
    let standing = Standing::kubevirt();
    let cluster = standing.cluster(PLAIN);
    let deploy = Deploy::copied();
    deploy.add_component("kubevirt-pvc", "workload");
    let run = Pod::new(&cluster, deploy.rendered("overlays/kubevirt-pvc"), "beside");
    let mounts = run.container("workload").volume_mounts.iter().flatten();
    let mounts: Vec<_> = mounts.map(|mount| mount.name.as_str()).collect();
    assert_eq!(mounts, ["signal"], "no token");
    assert_eq!(run.spec.automount_service_account_token, Some(false));
    let workload = run.start_image("workload", IMAGE);
    let ended = run.start("collector").end().with(0);
    let said = workload.end().with(0).log;
    assert!(said.contains("the workload has run"), "{said}");
    let manifest = on_volume(&run, &run.environment("collector")["PROFILER_RUN_ID"]);
    assert_eq!(manifest.window.ended_by, EndedBy::StopFile);
    assert_eq!(manifest.workload_exit_code, Some(0));
    ended.tell(&manifest, "native");
}

/// An image out of Debian's busybox, which is static.
fn build() {
    let dir = tempfile::tempdir().expect("a directory");
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).expect("a directory");
    std::fs::copy("/bin/busybox", bin.join("busybox")).expect("busybox-static is installed");
    for name in ["sh", "sleep", "mv", "cat"] {
        std::os::unix::fs::symlink("busybox", bin.join(name)).expect("a link");
    }
    let script = bin.join("run-the-workload");
    std::fs::write(&script, WORKLOAD).expect("a script");
    said(command("chmod", &["755"]).args([&script, &bin]));
    let file = dir.path().join("Containerfile");
    std::fs::write(&file, "FROM scratch\nCOPY bin /bin\nENV PATH=/bin\n").expect("a file");
    said(
        command(
            "buildah",
            &["build", "--quiet", "--timestamp=0", "--tag", IMAGE],
        )
        .arg(dir.path()),
    );
}
