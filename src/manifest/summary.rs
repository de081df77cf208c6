//! Reading a manifest back: the few fields that anybody needs of it, in memory that is bounded whatever
//! lies at a destination under a manifest's name.

use std::fmt;
use std::io::{self, BufReader, Read};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Archive, KubeVirt, SCHEMA_VERSION, State};
use crate::errors::plain;
use crate::outcome::ExitCode;

/// The longest manifest that is read. One of 10,000 pods has some 30 MB.
const LONGEST: u64 = 64 << 20;

/// The longest name, string or number in it.
const LONGEST_TOKEN: usize = 1 << 20;

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
    /// How many pods were expected, and how many are complete.
    pub pods: PodCounts,
    /// The archive that the manifest vouches for.
    pub archive: Archive,
    /// The workload's exit code, if it told.
    pub workload_exit_code: Option<u8>,
    /// The number that the run exited with.
    pub exit_code: u8,
    /// Why, for a person.
    #[serde(deserialize_with = "plain_text")]
    pub reason: String,
}

/// The pods of a manifest, counted as they are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// Pods whose data is all there.
    pub complete: usize,
    /// Pods that were expected.
    pub expected: usize,
}

impl Summary {
    /// Reads a manifest. The inner result is why it cannot be understood, such as that it is larger than any
    /// of this program's.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(content: impl Read) -> io::Result<Result<Self, String>> {
        let read: Result<Self, _> = serde_json::from_reader(BufReader::new(Bounded::new(content)));
        let mut summary = match read {
            Ok(summary) => summary,
            Err(error) if error.io_error_kind().is_some_and(|kind| kind != TOO_LARGE) => {
                return Err(error.into());
            }
            Err(error) => {
                let why = plain(&error.to_string());
                return Ok(Err(why.chars().take(LONGEST_FAULT).collect()));
            }
        };
        if summary.schema_version > SCHEMA_VERSION {
            let version = summary.schema_version;
            let why = format!("its schema version is {version}, above {SCHEMA_VERSION}");
            return Ok(Err(why));
        }
        summary.archive.uri = plain(&summary.archive.uri);
        summary.kubevirt.uid = summary.kubevirt.uid.map(|uid| plain(&uid));
        Ok(Ok(summary))
    }

    /// Whether the run is over for good: what it lacks, no attempt can bring.
    pub fn is_final(&self) -> bool {
        ExitCode::from_number(self.exit_code).is_none_or(ExitCode::is_final)
    }
}

fn plain_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
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
                    state: State,
                }
                let mut counts = PodCounts::default();
                while let Some(pod) = pods.next_element::<Pod>()? {
                    counts.expected += 1;
                    counts.complete += usize::from(pod.state == State::Complete);
                }
                Ok(counts)
            }
        }

        deserializer.deserialize_seq(Counting)
    }
}

/// JSON on its way to its parser, which keeps a token, and a mark for every level of nesting, in memory.
struct Bounded<R> {
    content: R,
    bytes: u64,
    token: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl<R> Bounded<R> {
    fn new(content: R) -> Self {
        Self {
            content,
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
            if self.token > LONGEST_TOKEN || self.depth > DEEPEST || self.bytes > LONGEST {
                let why = "it is larger than any manifest of this program";
                return Err(io::Error::new(TOO_LARGE, why));
            }
        }
        Ok(read)
    }
}
