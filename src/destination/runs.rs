//! The runs at a destination: which are there, and what is there of one. Of a manifest few fields are read
//! back, in memory that is bounded whatever lies there under a manifest's name.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Read};

use jiff::Timestamp;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::DestinationError;
use crate::config::{RunFile, RunId};
use crate::errors::plain;
use crate::manifest::{Archive, KubeVirt, SCHEMA_VERSION, State};
use crate::outcome::ExitCode;

/// Another run's id is cut after so many characters.
const LONGEST_OTHER: usize = 100;

/// What a destination has of a run.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Absent,
    /// The account may not read it, so nobody can tell.
    Unknown,
    /// An archive without a manifest.
    Unfinished,
    /// A manifest that cannot be understood, or that does not match the archive. It is not to be
    /// overwritten.
    Invalid(DestinationError),
    /// A manifest with another run's id. It is not to be overwritten.
    Mismatched(DestinationError),
    /// A manifest and the archive that it describes.
    Complete(Box<Summary>),
}

impl Found {
    /// The same for a cluster with this identity: another cluster's run is none of this one's.
    #[must_use]
    pub fn of_cluster(self, own: Option<&str>) -> Self {
        let Self::Complete(manifest) = self else {
            return self;
        };
        let own = own.filter(|own| manifest.kubevirt.uid.as_ref().is_some_and(|uid| uid != own));
        if own.is_none() {
            return Self::Complete(manifest);
        }
        let uid = manifest.kubevirt.uid.unwrap_or_default();
        let detail = format!(
            "it is of another cluster, whose KubeVirt has the UID {uid}; give each cluster a prefix of its own"
        );
        Self::Mismatched(invalid(&manifest.archive.uri, &detail))
    }
}

/// A run in the list of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub run_id: RunId,
    /// When its manifest was written; `None` for a run that is unfinished.
    pub finished: Option<Timestamp>,
}

/// The runs that files belong to, in the order of their ids. A file comes as its name and the time of its
/// last change; names that this program does not give are left out.
pub(super) fn from_files(files: impl IntoIterator<Item = (String, Timestamp)>) -> Vec<Listed> {
    let mut runs: BTreeMap<String, Listed> = BTreeMap::new();
    for (name, modified) in files {
        let Some((run_id, file)) = RunId::from_file_name(&name) else {
            continue;
        };
        let run = runs.entry(run_id.to_string()).or_insert(Listed {
            run_id,
            finished: None,
        });
        match file {
            RunFile::Archive => {}
            RunFile::Manifest => run.finished = Some(modified),
        }
    }
    runs.into_values().collect()
}

/// Checks a run's manifest, which was read at `uri`, against the run and the size that its archive should
/// have.
pub(super) fn check_manifest(
    uri: &str,
    run: &RunId,
    read: Result<Summary, String>,
    archive_has_size: impl FnOnce(u64) -> bool,
) -> Found {
    let manifest = match read {
        Ok(manifest) => manifest,
        Err(why) => return Found::Invalid(invalid(uri, &why)),
    };
    if manifest.run_id != run.as_str() {
        let other: String = manifest.run_id.chars().take(LONGEST_OTHER).collect();
        let detail = format!("it is the manifest of another run, {other}, under this one's name");
        return Found::Mismatched(invalid(uri, &detail));
    }
    if archive_has_size(manifest.archive.bytes) {
        return Found::Complete(Box::new(manifest));
    }
    let detail = "its archive is not there or has another size";
    Found::Invalid(invalid(uri, detail))
}

/// The error of something that has a run's name and is not what it should be. It is not to be overwritten.
pub(super) fn invalid(object: &str, detail: &str) -> DestinationError {
    DestinationError {
        action: "understand",
        object: object.to_owned(),
        detail: format!("{detail}; move it away, or use another PROFILER_RUN_ID"),
        permanent: true,
    }
}

/// The longest manifest that is read. One of 10,000 pods has some 30 MB.
const LONGEST: u64 = 64 << 20;

/// The longest name, string or number in it.
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
