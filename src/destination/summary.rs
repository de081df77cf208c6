//! Manifests that are read back: few of their fields, in memory that is bounded whatever lies there under a
//! manifest's name.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Read};

use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::NEWER;
use crate::component::Component;
use crate::config::MinComplete;
use crate::errors::plain;
use crate::manifest::{KubeVirt, Manifest, SCHEMA_VERSION, State, StoredFile};
use crate::outcome::ExitCode;

/// The longest manifest that is read. One of 10,000 pods has some 30 MB.
pub(super) const LONGEST: u64 = 64 << 20;

/// The longest manifest that is read whole, but for its pods.
const LONGEST_OF_NONE: u64 = 1 << 20;

/// The most of a pod in it; one has some 3 KB.
const LONGEST_OF_POD: u64 = 32 << 10;

/// The longest name, string or number in one.
const LONGEST_TOKEN: usize = 1 << 18;

/// How deep it may be nested. This program's are 5 deep.
const DEEPEST: usize = 64;

/// The kind of error that a reader gives up with.
const TOO_LARGE: io::ErrorKind = io::ErrorKind::FileTooLarge;

/// What is told of a manifest that cannot be understood is cut after so many characters.
const LONGEST_FAULT: usize = 300;

/// A manifest that is read back. Its texts have no control characters.
#[derive(Debug, Clone, Deserialize)]
pub struct Summary {
    /// Version of the format.
    pub schema_version: u32,
    /// The run's id.
    #[serde(deserialize_with = "plain_text")]
    pub run_id: String,
    /// The KubeVirt that was profiled.
    pub kubevirt: KubeVirt,
    /// How many pods were expected, and what there is of them.
    pub pods: PodCounts,
    /// How many pods may still be profiling.
    #[serde(default, deserialize_with = "count")]
    unstopped: usize,
    /// The archive that the manifest vouches for.
    pub archive: StoredFile,
    /// The page beside it, if there is one.
    #[serde(default)]
    pub report: Option<StoredFile>,
    /// Why there is none, if one was asked for.
    #[serde(default)]
    pub no_report: Option<String>,
    /// The workload's exit code, if it told.
    pub workload_exit_code: Option<u8>,
    /// The number that the run exited with.
    pub exit_code: u8,
    /// Why, for a person.
    #[serde(deserialize_with = "plain_text")]
    pub reason: String,
}

/// Pods, counted by their component. Those of a manifest are counted as they are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodCounts(BTreeMap<Component, Count>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    complete: usize,
    with_files: usize,
    expected: usize,
}

impl PodCounts {
    /// Counts a pod that was expected.
    pub fn add(&mut self, component: Component, state: State, has_files: bool) {
        let count = self.0.entry(component).or_default();
        count.expected += 1;
        count.with_files += usize::from(has_files);
        count.complete += usize::from(state == State::Complete);
    }

    /// Pods that were expected.
    pub fn expected(&self) -> usize {
        self.0.values().map(|count| count.expected).sum()
    }

    /// Pods whose data is all there.
    pub fn complete(&self) -> usize {
        self.0.values().map(|count| count.complete).sum()
    }

    /// Whether all are complete.
    pub fn are_complete(&self) -> bool {
        self.complete() == self.expected()
    }

    /// Pods of a component that were expected.
    pub fn expected_of(&self, component: Component) -> usize {
        self.0.get(&component).map_or(0, |count| count.expected)
    }

    /// Pods of which there is anything.
    pub fn with_files(&self) -> usize {
        self.0.values().map(|count| count.with_files).sum()
    }

    /// Whether enough pods of every component are complete.
    pub fn is_enough(&self, min: &MinComplete) -> bool {
        let mut counts = self.0.iter();
        counts.all(|(component, count)| min.is_met(*component, count.complete, count.expected))
    }
}

impl Summary {
    /// Reads a manifest. The inner result is why it cannot be understood, such as that it is larger than any
    /// of this program's.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(content: impl Read) -> io::Result<Result<Self, String>> {
        let mut summary: Self = match read(content, LONGEST)? {
            Ok(summary) => summary,
            Err(why) => return Ok(Err(why)),
        };
        if let Some(why) = newer(summary.schema_version) {
            return Ok(Err(why));
        }
        summary.archive.uri = plain(&summary.archive.uri);
        summary.kubevirt.uid = summary.kubevirt.uid.map(|uid| plain(&uid));
        summary.no_report = summary.no_report.map(|why| plain(&why));
        if let Some(report) = &mut summary.report {
            report.uri = plain(&report.uri);
        }
        Ok(Ok(summary))
    }

    /// Whether the run is over for good: it lacks nothing, or what it lacks, no attempt can bring.
    pub fn is_final(&self) -> bool {
        let is_whole = self.unstopped == 0 && self.pods.are_complete();
        is_whole || ExitCode::from_number(self.exit_code).is_none_or(ExitCode::is_final)
    }

    /// Whether the attempt that wrote it was told to stop, or died, and may have had something left to undo.
    pub fn is_unended(&self) -> bool {
        ExitCode::from_number(self.exit_code).is_some_and(|code| !code.is_final())
    }

    /// The exit code that a run which was told to stop would have had without that.
    pub fn due(&self, min: &MinComplete) -> ExitCode {
        if self.unstopped > 0 || !self.pods.is_enough(min) {
            return ExitCode::Incomplete;
        }
        match self.workload_exit_code {
            Some(1..) => ExitCode::Workload,
            Some(0) | None => ExitCode::Complete,
        }
    }
}

/// Reads the whole manifest of a run of so many pods. The inner result is why it cannot be understood.
///
/// # Errors
/// It cannot be read.
pub(super) fn read_whole(
    content: impl Read,
    pods: usize,
) -> io::Result<Result<Box<Manifest>, String>> {
    read(content, LONGEST_OF_NONE + LONGEST_OF_POD * pods as u64)
}

/// Why a manifest of this version of the format is not understood, if it is not.
pub(super) fn newer(version: u32) -> Option<String> {
    (version > SCHEMA_VERSION)
        .then(|| format!("its schema version is {version}, above {SCHEMA_VERSION}: {NEWER}"))
}

/// Reads JSON of at most so many bytes.
pub(super) fn read<T: DeserializeOwned>(
    content: impl Read,
    longest: u64,
) -> io::Result<Result<T, String>> {
    let content = Bounded::new(content, longest);
    match serde_json::from_reader(BufReader::new(content)) {
        Ok(read) => Ok(Ok(read)),
        Err(error) if error.io_error_kind().is_some_and(|kind| kind != TOO_LARGE) => {
            Err(error.into())
        }
        Err(error) => {
            let why = plain(&error.to_string());
            Ok(Err(why.chars().take(LONGEST_FAULT).collect()))
        }
    }
}

pub(super) fn plain_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| plain(&text))
}

impl<'de> Deserialize<'de> for PodCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counting;

        impl<'de> Visitor<'de> for Counting {
            type Value = PodCounts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of pods")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pods: A) -> Result<PodCounts, A::Error> {
                #[derive(Deserialize)]
                struct Pod {
                    component: Component,
                    state: State,
                    #[serde(default, deserialize_with = "count")]
                    files: usize,
                }
                let mut counts = PodCounts::default();
                while let Some(pod) = pods.next_element::<Pod>()? {
                    counts.add(pod.component, pod.state, pod.files > 0);
                }
                Ok(counts)
            }
        }

        deserializer.deserialize_seq(Counting)
    }
}

/// The number of a list's elements, which take no memory.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    Vec::<IgnoredAny>::deserialize(deserializer).map(|elements| elements.len())
}

/// JSON on its way to its parser, which keeps a token, and a mark for every level of nesting, in memory.
struct Bounded<R> {
    content: R,
    longest: u64,
    bytes: u64,
    token: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl<R> Bounded<R> {
    fn new(content: R, longest: u64) -> Self {
        Self {
            content,
            longest,
            bytes: 0,
            token: 0,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    fn see(&mut self, byte: u8) {
        self.token += 1;
        if self.in_string {
            let ends = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            self.in_string = !ends;
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => return,
        }
        self.token = 0;
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.bytes += read as u64;
        for byte in &buffer[..read] {
            self.see(*byte);
            if self.token > LONGEST_TOKEN || self.depth > DEEPEST || self.bytes > self.longest {
                let why = "it is larger than any manifest of this program";
                return Err(io::Error::new(TOO_LARGE, why));
            }
        }
        Ok(read)
    }
}
