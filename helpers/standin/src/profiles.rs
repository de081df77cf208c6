//! The profiles that every pod serves: real ones, encoded once and shared.

use std::{
    io::{self, Read, Write},
    sync::Mutex,
};

use base64::{Engine, prelude::BASE64_STANDARD, write::EncoderWriter};
use bytes::Bytes;
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use crate::{
    cpu,
    options::{Options, Profiles},
    page::Content,
    profiler::{Cpu, Window},
};

/// The seven kinds in the order their files are served.
pub const KINDS: [&str; 7] = [
    "allocs",
    "block",
    "cpu",
    "goroutine",
    "heap",
    "mutex",
    "threadcreate",
];

/// The golden file of each kind, in the order of [`KINDS`].
macro_rules! goldens {
    ($size:literal) => {
        [
            include_bytes!(concat!("../../goldens/data/", $size, "/allocs.txt.gz")),
            include_bytes!(concat!("../../goldens/data/", $size, "/block.txt.gz")),
            include_bytes!(concat!("../../goldens/data/", $size, "/cpu.pb.gz")),
            include_bytes!(concat!("../../goldens/data/", $size, "/goroutine.txt.gz")),
            include_bytes!(concat!("../../goldens/data/", $size, "/heap.txt.gz")),
            include_bytes!(concat!("../../goldens/data/", $size, "/mutex.txt.gz")),
            include_bytes!(concat!(
                "../../goldens/data/",
                $size,
                "/threadcreate.txt.gz"
            )),
        ]
    };
}

fn goldens(profiles: Profiles) -> [&'static [u8]; 7] {
    match profiles {
        Profiles::Large => goldens!("large"),
        Profiles::Small => goldens!("small"),
    }
}

/// A set of profiles in base64.
pub(crate) struct Encoded {
    /// Every kind but cpu.
    texts: Vec<(&'static str, Bytes)>,
    /// The golden cpu profile as it is.
    golden_cpu: Bytes,
    /// The same, decompressed, to be stamped with a window's times; nothing if it is not to be.
    raw_cpu: Option<Vec<u8>>,
    /// The cpu profile of the window asked for last: all pods of a window share it.
    stamped: Mutex<Option<(Window, Bytes)>>,
}

impl Encoded {
    /// Encodes a set.
    pub(crate) fn new(options: &Options) -> io::Result<Self> {
        let (profiles, stamp_cpu) = (options.profiles, options.stamp_cpu);
        let goldens = KINDS.into_iter().zip(goldens(profiles));
        let (cpu, texts): (Vec<_>, Vec<_>) = goldens.partition(|(kind, _)| *kind == "cpu");
        let golden_cpu = cpu.first().map_or(&[][..], |(_, golden)| *golden);
        let texts = texts
            .into_iter()
            .map(|(kind, golden)| Ok((kind, encode_text(golden)?)))
            .collect::<io::Result<_>>()?;
        let mut raw_cpu = Vec::new();
        MultiGzDecoder::new(golden_cpu).read_to_end(&mut raw_cpu)?;
        cpu::pad(&mut raw_cpu, options.cpu_padding);
        Ok(Self {
            texts,
            golden_cpu: BASE64_STANDARD.encode(golden_cpu).into(),
            raw_cpu: stamp_cpu.then_some(raw_cpu),
            stamped: Mutex::new(None),
        })
    }

    /// A pod's files, in order.
    pub(crate) fn files(&self, cpu: Cpu) -> Vec<(String, Content)> {
        let texts = self.texts.iter().map(|(kind, text)| (*kind, text.clone()));
        let mut files: Vec<_> = texts
            .chain(self.cpu(cpu).map(|text| ("cpu", text)))
            .collect();
        files.sort_by_key(|(kind, _)| *kind);
        files
            .into_iter()
            .map(|(kind, text)| (format!("{kind}.pprof"), Content::Text(vec![text])))
            .collect()
    }

    fn cpu(&self, cpu: Cpu) -> Option<Bytes> {
        match cpu {
            Cpu::LeftOut | Cpu::Unreadable => None,
            Cpu::Empty => Some(Bytes::new()),
            Cpu::Window(window) => Some(self.stamped_cpu(window)),
        }
    }

    fn stamped_cpu(&self, window: Window) -> Bytes {
        let Some(raw) = &self.raw_cpu else {
            return self.golden_cpu.clone();
        };
        let mut stamped = self.stamped.lock().expect("no panic while it is held");
        match &*stamped {
            Some((same, text)) if *same == window => text.clone(),
            _ => {
                let text: Bytes = BASE64_STANDARD
                    .encode(gzip(&cpu::stamp(raw, &window)))
                    .into();
                *stamped = Some((window, text.clone()));
                text
            }
        }
    }
}

/// Decompresses into base64 without holding the text in between.
fn encode_text(golden: &[u8]) -> io::Result<Bytes> {
    let mut encoder = EncoderWriter::new(Vec::new(), &BASE64_STANDARD);
    io::copy(&mut MultiGzDecoder::new(golden), &mut encoder)?;
    let mut text = encoder.finish()?;
    text.shrink_to_fit();
    Ok(text.into())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(bytes)
        .expect("a vector takes whatever is written");
    encoder
        .finish()
        .expect("a vector takes whatever is written")
}
