//! The image, run by podman as the rendered manifests of `deploy/` say and as OpenShift's restricted-v2
//! has it: an arbitrary user, no capabilities, a root that is read-only, the memory that is asked for.
//!
//! `cargo e2e` runs it, `cargo test --test image -- WORD…` only the cases with these words in their
//! names.

mod bucket;
mod cluster;
mod container;
mod ended;
mod environment;
mod image;
mod manifests;
mod pod;
mod podman;
mod process;
mod projected;
mod real;
#[expect(dead_code, reason = "the suite on the rig uses the rest of it")]
#[path = "../rig/setup.rs"]
mod setup;
mod standing;
#[expect(dead_code, reason = "the other suites use the rest of it")]
#[path = "../rig/suite.rs"]
mod suite;
#[path = "../buckets/unpacked.rs"]
mod unpacked;
mod usage;
mod volume;
mod volumes;
mod workload;

use image::Image;
use setup::Rig;
use suite::{Case, Suite};

fn main() -> std::process::ExitCode {
    let mut suite = Suite::of_arguments();
    image::built();
    suite.on("the stand-in", &[], STANDIN);
    suite.on("the rig", &["--kubevirt", "v1.8.4"], RIG);
    suite.end()
}

const STANDIN: &[Case<Image>] = &[
    (
        "openshift-pvc: ready and stop by exec, get from the volume",
        volume::openshift,
    ),
    ("nightly: native in 64 MiB, to a bucket", bucket::nightly),
    ("kubevirt-pvc with a workload beside it", workload::beside),
    ("kubevirt-s3: told to stop in mid-window", bucket::told),
];

const RIG: &[Case<Rig>] = &[
    ("job: upstream's program, to a volume", real::job),
    ("openshift-pvc: native in 64 MiB, to a volume", real::native),
];
