//! Runs that nobody ran: archives and manifests that are made by hand.

use std::fs::File;
use std::io::{BufWriter, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use crate::harness::{Place, RUN_ID};

const MIB: usize = 1 << 20;

/// Bytes as a gzip member.
pub(crate) fn member(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(content).expect("memory");
    gzip.finish().expect("memory")
}

/// The manifest of a run of no pods.
pub(crate) fn bare_manifest(run_id: &str) -> Value {
    let hash = "00".repeat(32);
    json!({
        "schema_version": 1,
        "run_id": run_id,
        "labels": {},
        "program_version": "0.1.0",
        "engine": "native",
        "kubevirt": { "namespace": "kubevirt", "name": "kubevirt", "version": "v1.8.4" },
        "components": ["virt-controller", "virt-api", "virt-operator", "virt-handler"],
        "gate": { "before": true, "after": true },
        "originals_kept": false,
        "window": { "start": "2026-11-28T21:51:00Z", "stop": "2026-11-28T22:06:00Z", "ended_by": "settle" },
        "pods": [],
        "unstopped": [], "uncounted": [], "refused": [],
        "cluster_file": { "path": "cluster.json", "bytes": 0, "sha256": hash },
        "archive": { "uri": "file:///somewhere/profile.tar.gz", "bytes": 0, "sha256": hash },
        "phases": [],
        "exit_code": 0,
        "reason": "all is well",
    })
}

/// A run that is made.
pub(crate) struct MadeRun {
    place: Place,
    /// Its manifest, which says of the archive what is right.
    pub(crate) manifest: Value,
    archive: BufWriter<File>,
}

impl MadeRun {
    /// A run of no pods.
    pub(crate) fn new() -> Self {
        let place = Place::empty();
        std::fs::create_dir(place.out()).expect("a directory");
        let archive = File::create(place.archive()).expect("a file");
        Self {
            place,
            manifest: bare_manifest(RUN_ID),
            archive: BufWriter::new(archive),
        }
    }

    /// A pod in the manifest, with these fields beside its own.
    pub(crate) fn expect(&mut self, name: &str, component: &str, more: &Value) {
        let path = format!("profile-{RUN_ID}/{name}/heap.pprof");
        let file = json!({ "path": path, "bytes": 1, "sha256": "00".repeat(32) });
        let mut pod = json!({
            "name": name, "component": component, "uid": "u", "node": "n", "image": "i", "restarts": 0,
            "state": "complete", "files": [file],
        });
        let fields = more.as_object().into_iter().flatten();
        for (field, value) in fields {
            pod[field] = value.clone();
        }
        let pods = self.manifest["pods"].as_array_mut();
        pods.expect("pods").push(pod);
    }

    /// A file in the archive.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) {
        self.large_file(path, content, &[], 0);
    }

    /// A file in the archive that goes on with so many repetitions of a piece, which is compressed but once.
    pub(crate) fn large_file(&mut self, path: &str, begin: &[u8], piece: &[u8], times: usize) {
        let bytes = begin.len() + piece.len() * times;
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        let path = format!("profile-{RUN_ID}/{path}");
        header.set_path(path).expect("a path");
        header.set_size(bytes as u64);
        header.set_cksum();
        let begin = [header.as_bytes(), begin].concat();
        self.write(&member(&begin));
        let piece = member(piece);
        for _ in 0..times {
            self.write(&piece);
        }
        let padding = bytes.next_multiple_of(512) - bytes;
        self.write(&member(&vec![0; padding]));
    }

    fn write(&mut self, data: &[u8]) {
        self.archive.write_all(data).expect("it is written");
    }

    /// The place with both files.
    pub(crate) fn finish(mut self) -> Place {
        self.write(&member(&[0; 1024]));
        self.archive.flush().expect("it is written");
        let archive = std::fs::read(self.place.archive()).expect("an archive");
        self.manifest["archive"]["bytes"] = archive.len().into();
        self.manifest["archive"]["sha256"] = hex::encode(Sha256::digest(&archive)).into();
        let path = self.place.out().join(format!("profile-{RUN_ID}.json"));
        std::fs::write(path, self.manifest.to_string()).expect("it is written");
        let out = self.place.out();
        self.place
            .with("PROFILER_DESTINATION", format!("file://{}", out.display()))
    }
}

/// A profile of one type of sample, in which each stack, innermost function first and counted from 1, has a count of 1.
pub(crate) fn profile(
    functions: &[String],
    stacks: impl Iterator<Item = impl Iterator<Item = u64>>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |field: u64, content: &[u8]| {
        put_varint(&mut bytes, field << 3 | 2);
        put_varint(&mut bytes, content.len() as u64);
        bytes.extend_from_slice(content);
    };
    for text in ["", "samples", "count"] {
        put(6, text.as_bytes());
    }
    // A type of sample: the first string, in the second.
    put(1, &[0x08, 1, 0x10, 2]);
    for (id, function) in (1_u64..).zip(functions) {
        put(6, function.as_bytes());
        put(5, &numbers(&[[1, id], [2, id + 2]]));
        let line = numbers(&[[1, id]]);
        let length = line.len() as u8;
        let location = [numbers(&[[1, id]]), vec![0x22, length], line];
        put(4, &location.concat());
    }
    let (mut ids, mut sample) = (Vec::new(), Vec::new());
    for stack in stacks {
        ids.clear();
        sample.clear();
        for id in stack {
            put_varint(&mut ids, id);
        }
        sample.push(0x0a);
        put_varint(&mut sample, ids.len() as u64);
        sample.extend_from_slice(&ids);
        sample.extend_from_slice(&[0x12, 1, 1]);
        put(2, &sample);
    }
    bytes
}

/// A field that means nothing to anybody, of a mebibyte in all.
pub(crate) fn meaningless_mebibyte() -> Vec<u8> {
    const HEADER: usize = 5;
    let mut field = Vec::with_capacity(MIB);
    put_varint(&mut field, 100 << 3 | 2);
    put_varint(&mut field, (MIB - HEADER) as u64);
    assert_eq!(field.len(), HEADER);
    field.resize(MIB, 0);
    field
}

pub(crate) fn numbers(fields: &[[u64; 2]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for [field, value] in fields {
        put_varint(&mut bytes, field << 3);
        put_varint(&mut bytes, *value);
    }
    bytes
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
