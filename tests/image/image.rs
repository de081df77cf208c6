//! The image under the name that the manifests have.

use std::process::{Command, Stdio};

use crate::suite::Ground;

/// Nothing but the image: a case brings up what else it needs.
pub(crate) struct Image;

impl Ground for Image {
    fn up(_: &[&str]) -> Self {
        Self
    }

    fn reset(&self) {}

    fn down(self) {}
}

/// Builds what has changed of it, into this machine's store.
pub(crate) fn built() {
    let helper = concat!(env!("CARGO_MANIFEST_DIR"), "/helpers/image/build");
    let mut build = Command::new(helper);
    // What cargo tells a test of its package would have it build half of the dependencies anew.
    for (variable, _) in std::env::vars_os() {
        let told = |of: &str| variable.to_string_lossy().starts_with(of);
        if told("CARGO_PKG_") || told("CARGO_MANIFEST_") {
            build.env_remove(&variable);
        }
    }
    let status = build.stdin(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "the image is not built");
}
