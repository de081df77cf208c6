//! Complete runs by both engines, with pods before ours that fill more than two pages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cluster_profiler_job::manifest::{Manifest, State};
use cluster_profiler_job::pprof::Kind;

use crate::place::{Place, RUN_ID};
use crate::setup::Rig;

const ALL: &str = "all";

/// Upstream's program, built once.
fn upstream() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
        let program = cache
            .unwrap_or_else(home)
            .join("cluster-profiler-job/cluster-profiler");
        let build = concat!(env!("CARGO_MANIFEST_DIR"), "/helpers/profiler/build");
        let status = Command::new(build)
            .arg(&program)
            .status()
            .expect("it starts");
        assert!(status.success(), "upstream's program does not build");
        program
    };
    PROGRAM.get_or_init(build).clone()
}

pub(crate) fn place(rig: &Rig, components: &str) -> Place {
    rig.turn(true);
    Place::new(rig).with("COMPONENTS", components)
}

/// By upstream's program.
pub(crate) fn by_upstream(place: Place) -> Place {
    place
        .with("ENGINE", "cluster-profiler")
        .with("PAGE_SIZE", 1)
        .with("PROGRAM", upstream().display())
}

/// The archive's top directory, unpacked.
pub(crate) fn unpacked(place: &Place) -> PathBuf {
    let unpack = Command::new("tar")
        .current_dir(place.path("out"))
        .args(["-xzf", &format!("profile-{RUN_ID}.tar.gz")])
        .status();
    assert!(unpack.expect("tar").success());
    place.path("out").join(format!("profile-{RUN_ID}"))
}

/// What `go tool pprof -top` says of a profile, with nothing unknown in it.
pub(crate) fn top(profile: &Path, options: &[&str]) -> String {
    let output = Command::new("go")
        .args(["tool", "pprof", "-top", "-nodefraction=0"])
        .args(options)
        .arg(profile)
        .output()
        .expect("go");
    assert!(output.status.success(), "{}", profile.display());
    let rows = String::from_utf8(output.stdout).expect("text");
    assert!(!rows.contains("<unknown>"), "{}: {rows}", profile.display());
    rows
}

/// Every pod is complete, and `go tool pprof` opens every profile without `<unknown>`.
fn assert_complete(place: &Place, pods: usize, engine: &str) -> Manifest {
    let manifest = place.manifest().expect("a manifest");
    assert_eq!(manifest.pods.len(), pods);
    for pod in &manifest.pods {
        assert_eq!(pod.state, State::Complete, "{:?}", pod.why);
        assert_eq!(pod.engine.as_deref(), Some(engine));
    }
    let pod = unpacked(place).join(&manifest.pods[0].pod.name);
    for kind in Kind::ALL {
        let rows = top(&pod.join(kind.file_name()), &[]);
        // Nothing waits in an idle control plane, and no cpu is used.
        let may_be_empty = matches!(kind, Kind::Block | Kind::Mutex | Kind::Cpu);
        let named = rows
            .lines()
            .any(|row| row.contains("%  ") && row.contains('.'));
        assert!(may_be_empty || named, "{kind:?}: {rows}");
    }
    manifest
}

pub(crate) fn upstream_alone(rig: &Rig) {
    rig.turn(true);
    let out = tempfile::tempdir().expect("a directory");
    let dump = Command::new(upstream())
        .env("KUBECONFIG", rig.account())
        .args(["--cmd", "dump", "--output-dir"])
        .arg(out.path().join("dump"))
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&dump.stdout) + String::from_utf8_lossy(&dump.stderr);
    assert!(dump.status.success(), "{said}");
    assert!(said.contains("SUCCESS: Dumped PProf 0 results"), "{said}");
}

pub(crate) fn native(rig: &Rig) {
    let place = place(rig, ALL);
    place.run().with(0);
    let manifest = assert_complete(&place, 6, "native");
    assert!(manifest.pods.iter().all(|pod| !pod.mem_stats.is_empty()));
}

pub(crate) fn bundled(rig: &Rig) {
    let place = by_upstream(place(rig, ALL));
    place.run().with(0).said("SUCCESS: Dumped PProf");
    assert_complete(&place, 6, "cluster-profiler");
}

pub(crate) fn one_component(rig: &Rig) {
    let native = place(rig, "virt-handler");
    native.run().with(0);
    assert_complete(&native, 2, "native");
    let bundled = by_upstream(place(rig, "virt-operator"));
    bundled.run().with(0);
    assert_complete(&bundled, 1, "cluster-profiler");
    rig.turn(false);
}
