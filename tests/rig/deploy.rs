//! Everything in `deploy/`, as a real kube-apiserver takes it.

use crate::setup::Rig;

/// Applied strictly, each pod in a restricted namespace, and again after an edit of the settings.
pub(crate) fn applied(rig: &Rig) {
    let said = rig.helper("deploy-check/run", &["--cluster"]);
    assert!(said.contains("all restricted"), "{said}");
}
