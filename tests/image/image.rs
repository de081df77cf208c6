//! The image under the name that the manifests have.

use std::process::{Command, Stdio};

use crate::suite::{Ground, forget_package};

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
    forget_package(&mut build);
    let status = build.stdin(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "the image is not built");
}
