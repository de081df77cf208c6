//! The profiles of helpers/goldens: texts, and Go's own protos of the same moments.

use std::io::Read;

use flate2::read::GzDecoder;

/// A golden file as it is.
pub(crate) fn packed(name: &str) -> Vec<u8> {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/helpers/goldens/data");
    std::fs::read(format!("{data}/{name}.gz")).expect("a golden file")
}

/// A golden file, unpacked.
pub(crate) fn golden(name: &str) -> Vec<u8> {
    let mut content = Vec::new();
    let packed = packed(name);
    let read = GzDecoder::new(packed.as_slice()).read_to_end(&mut content);
    read.expect("gzip");
    content
}

/// What a component serves of a kind: text, or for cpu a profile.
pub(crate) fn served(set: &str, kind: &str) -> Vec<u8> {
    match kind {
        "cpu" => packed(&format!("{set}/cpu.pb")),
        kind => golden(&format!("{set}/{kind}.txt")),
    }
}
