//! What strikes a run in the midst of its dump.

use cluster_profiler_job::manifest::{Manifest, Pod, State};

use crate::place::{Place, Running};
use crate::setup::{Rig, until};
use crate::token_file::TokenFile;

const NEVER: &str = "1h";

const TURNED_OFF: &str = "the profiler was turned off in the middle of the dump";

const LAST_POD: &str = "virt-handler-tq6ls";

/// More than the archive has before its first pod.
const A_POD: u64 = 32 << 10;

/// Of all six pods, one after the other.
fn of_all(place: Place) -> Place {
    place.with("COMPONENTS", "all").with("SETTLE", NEVER)
}

/// A run that has dumped a pod, and has others to dump.
fn in_dump(place: &Place) -> Running {
    let mut run = place.spawn();
    run.says("profiling is on");
    place.stop_window();
    run.says("profiling is off");
    until("a pod in the archive", || place.unfinished_bytes() > A_POD);
    run
}

fn complete(manifest: &Manifest) -> usize {
    let complete = |pod: &&Pod| pod.state == State::Complete;
    manifest.pods.iter().filter(complete).count()
}

fn assert_all_complete(place: &Place) {
    let manifest = place.manifest().expect("a manifest");
    assert_eq!(complete(&manifest), manifest.pods.len());
}

pub(crate) fn closed(rig: &Rig) {
    // What a rival's writing of it leaves in the object is there already.
    rig.turn(false);
    let before = rig.spec();
    let place = of_all(Place::restoring(rig));
    let run = in_dump(&place);
    rig.set_profiler(false);
    run.end().with(0).said(TURNED_OFF);
    assert_all_complete(&place);
    assert_eq!(rig.spec(), before);
    assert_eq!(rig.record(), None);
}

pub(crate) fn closed_for_good(rig: &Rig) {
    let before = rig.spec();
    rig.turn(true);
    let place = of_all(Place::new(rig));
    let run = in_dump(&place);
    rig.turn(false);
    let ended = run.end().with(5).said("shipping what there is");
    let manifest = place.manifest().expect("a manifest");
    let complete = complete(&manifest);
    assert!(
        (1..manifest.pods.len()).contains(&complete),
        "{complete}: {}",
        ended.log
    );
    let is_told = |why: &str| why.contains(TURNED_OFF);
    for pod in &manifest.pods {
        let why = pod.why.as_deref().unwrap_or_default();
        assert!(pod.state == State::Complete || is_told(why), "{why}");
    }
    assert_eq!(rig.spec(), before);
    assert_eq!(rig.record(), None);
}

pub(crate) fn token(rig: &Rig) {
    let before = rig.spec();
    let token = TokenFile::of(rig);
    let place = of_all(Place::restoring(rig)).with_kubeconfig(&token.kubeconfig());
    let mut run = in_dump(&place);
    // The last one to be dumped: there is something to ask for when the token is refused.
    rig.freeze(LAST_POD, true);
    token.replace();
    run.says("401");
    rig.freeze(LAST_POD, false);
    run.end().with(0);
    assert_all_complete(&place);
    assert_eq!(rig.spec(), before);
    assert_eq!(rig.record(), None);
}
