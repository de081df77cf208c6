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
    heavier::Heavier,
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

/// The golden file of each kind, in the order of [`KINDS`], with the cpu profile of another folder.
macro_rules! goldens {
    ($folder:literal) => {
        goldens!($folder, $folder)
    };
    ($folder:literal, $cpu:literal) => {
        [
            include_bytes!(concat!("../../goldens/data/", $folder, "/allocs.txt.gz")),
            include_bytes!(concat!("../../goldens/data/", $folder, "/block.txt.gz")),
            include_bytes!(concat!("../../goldens/data/", $cpu, "/cpu.pb.gz")),
            include_bytes!(concat!("../../goldens/data/", $folder, "/goroutine.txt.gz")),
            include_bytes!(concat!("../../goldens/data/", $folder, "/heap.txt.gz")),
            include_bytes!(concat!("../../goldens/data/", $folder, "/mutex.txt.gz")),
            include_bytes!(concat!(
                "../../goldens/data/",
                $folder,
                "/threadcreate.txt.gz"
            )),
        ]
    };
}

/// What a pod serves after a window.
fn after(profiles: Profiles) -> [&'static [u8]; 7] {
    match profiles {
        Profiles::Large => goldens!("large"),
        Profiles::Small => goldens!("small"),
        Profiles::Window => goldens!("window/after", "small"),
    }
}

/// What it serves before, where that is something else.
fn before(profiles: Profiles) -> Option<[&'static [u8]; 7]> {
    match profiles {
        Profiles::Large | Profiles::Small => None,
        Profiles::Window => Some(goldens!("window/before", "small")),
    }
}

/// The texts of a set, in base64.
fn encode(goldens: [&'static [u8]; 7]) -> io::Result<Vec<(&'static str, Bytes)>> {
    let texts = KINDS.into_iter().zip(goldens);
    let texts = texts.filter(|(kind, _)| *kind != "cpu");
    texts
        .map(|(kind, golden)| Ok((kind, encode_text(golden)?)))
        .collect()
}

/// The cpu profile of a set.
fn cpu_of(goldens: [&'static [u8]; 7]) -> &'static [u8] {
    let mut kinds = KINDS.into_iter().zip(goldens);
    kinds
        .find_map(|(kind, golden)| (kind == "cpu").then_some(golden))
        .unwrap_or_default()
}

/// A set of profiles in base64.
pub(crate) struct Encoded {
    /// Every kind but cpu.
    texts: Vec<(&'static str, Bytes)>,
    /// The same of a pod that has had no window, where they differ.
    texts_before: Option<Vec<(&'static str, Bytes)>>,
    /// The functions that are heavier in some pods.
    heavier: Vec<Heavier>,
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
        let (texts, golden_cpu) = (encode(after(profiles))?, cpu_of(after(profiles)));
        let texts_before = before(profiles).map(encode).transpose()?;
        let mut raw_cpu = Vec::new();
        MultiGzDecoder::new(golden_cpu).read_to_end(&mut raw_cpu)?;
        cpu::pad(&mut raw_cpu, options.cpu_padding);
        Ok(Self {
            texts,
            texts_before,
            heavier: options.heavier.clone(),
            golden_cpu: BASE64_STANDARD.encode(golden_cpu).into(),
            raw_cpu: stamp_cpu.then_some(raw_cpu),
            stamped: Mutex::new(None),
        })
    }

    /// A pod's files, in order.
    pub(crate) fn files(&self, cpu: Cpu, pod: &str) -> Vec<(String, Content)> {
        let (texts, is_after) = match (cpu, &self.texts_before) {
            (Cpu::LeftOut | Cpu::Empty, Some(before)) => (before, false),
            (_, Some(_) | None) => (&self.texts, true),
        };
        let heavier = self.heavier.iter();
        let heavier = heavier.filter(|of| pod.starts_with(&of.pods));
        // Before its window a function is as heavy as elsewhere, and has its other name.
        let heavier: Vec<_> = if is_after {
            heavier.cloned().collect()
        } else {
            heavier.map(Heavier::before).collect()
        };
        let texts = texts.iter().enumerate().map(|(at, (kind, text))| {
            let before = self.texts_before.as_ref().map(|before| &before[at].1);
            match *kind {
                "allocs" | "heap" if !heavier.is_empty() => {
                    (*kind, heavier_text(&heavier, text, before.unwrap_or(text)))
                }
                _ => (*kind, text.clone()),
            }
        });
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

/// A text with functions that are heavier, and what it was before the window, in base64.
fn heavier_text(heavier: &[Heavier], after: &Bytes, before: &Bytes) -> Bytes {
    let [after, before] = [after, before].map(|text| {
        let text = BASE64_STANDARD.decode(text).unwrap_or_default();
        String::from_utf8(text).unwrap_or_default()
    });
    let heavier = heavier.iter();
    let text = heavier.fold(after, |text, of| of.apply(&text, &before));
    BASE64_STANDARD.encode(text).into()
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
