//! The stand-in as a case's control plane, on threads of its own.

use standin::{Options, Profiles, Standin};
use tokio::runtime::Runtime;

use crate::cluster::{Cluster, Identity};

/// A stand-in that serves while a case waits for podman.
pub(crate) struct Standing {
    pub(crate) runtime: Runtime,
    pub(crate) standin: Standin,
}

impl Standing {
    /// Plain KubeVirt, with the profiler off.
    pub(crate) fn kubevirt() -> Self {
        Self::with(Options::default())
    }

    /// OpenShift Virtualization, with the profiler off.
    pub(crate) fn openshift() -> Self {
        Self::with(Options {
            namespace: "openshift-cnv".to_owned(),
            hyperconverged: true,
            ..Options::default()
        })
    }

    /// With profiles as large as real ones.
    fn with(options: Options) -> Self {
        let runtime = Runtime::new().expect("threads");
        let options = Options {
            gate: false,
            profiles: Profiles::Large,
            ..options
        };
        let standin = runtime.block_on(Standin::start(options));
        Self {
            standin: standin.expect("a stand-in"),
            runtime,
        }
    }

    /// The cluster that a pod sees.
    pub(crate) fn cluster(&self, identity: Identity) -> Cluster {
        Cluster::new(self.standin.url(), self.standin.ca_pem(), "token", identity)
    }
}
