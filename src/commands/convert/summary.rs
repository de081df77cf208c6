//! What `convert` tells: the results of all files, and the error that ends it early.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};

use indicatif::HumanBytes;

use super::bounds::{Bound, Meter};
use crate::outcome::ExitCode;
use crate::pprof::Partial;

/// The result of a file that was to be converted.
#[derive(Debug)]
pub(super) enum Converted {
    /// It was a profile before, and is as it was.
    AlreadyProfile,
    /// It was a text, and is a profile.
    Text {
        text_bytes: u64,
        profile_bytes: u64,
        /// What Go left out.
        notes: Vec<String>,
        /// What the profile lacks of the text.
        partial: Option<Partial>,
    },
    /// It cannot be understood, for this reason, and is as it was.
    Damaged(String),
}

/// The numbers of profiles by their results.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    converted: usize,
    already_profile: usize,
    /// Of those that were converted.
    partial: usize,
    damaged: usize,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            converted: self.converted + other.converted,
            already_profile: self.already_profile + other.already_profile,
            partial: self.partial + other.partial,
            damaged: self.damaged + other.damaged,
        }
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            converted,
            already_profile,
            partial,
            damaged,
        } = self;
        write!(
            f,
            "{converted} converted, {already_profile} already a profile"
        )?;
        if *partial > 0 {
            write!(f, ", {partial} of them PARTIAL")?;
        }
        if *damaged > 0 {
            write!(f, ", {damaged} DAMAGED")?;
        }
        Ok(())
    }
}

/// A directory of profiles, which is a pod's.
#[derive(Debug, Default)]
struct Pod {
    counts: Counts,
    /// What is to be said of single files.
    remarks: BTreeSet<String>,
}

/// The results of all files so far: a line for each pod, and the totals.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pods: BTreeMap<PathBuf, Pod>,
    /// A line for each file that was not taken.
    others: Vec<String>,
    /// Of all texts that were converted.
    pub(super) text_bytes: u64,
    profile_bytes: u64,
    /// Whether a profile is partial, and not slightly.
    lacks_much: bool,
}

impl Summary {
    /// Adds the result of a profile.
    pub(super) fn profile(&mut self, name: &Path, result: Converted) {
        let file = printable(Path::new(name.file_name().unwrap_or_default()));
        let directory = name.parent().unwrap_or(Path::new(""));
        let pod = self.pods.entry(directory.to_owned()).or_default();
        match result {
            Converted::AlreadyProfile => pod.counts.already_profile += 1,
            Converted::Damaged(why) => {
                pod.counts.damaged += 1;
                pod.remarks.insert(format!("DAMAGED {file}: {why}"));
            }
            Converted::Text {
                text_bytes,
                profile_bytes,
                notes,
                partial,
            } => {
                pod.counts.converted += 1;
                if let Some(Partial { why, slight, .. }) = partial {
                    pod.counts.partial += 1;
                    pod.remarks.insert(format!("PARTIAL {file}: {why}"));
                    self.lacks_much |= !slight;
                }
                let remark = |note| format!("note {file}: {note}");
                pod.remarks.extend(notes.into_iter().map(remark));
                self.text_bytes += text_bytes;
                self.profile_bytes += profile_bytes;
            }
        }
    }

    /// Adds a file that cannot be read.
    pub(super) fn unreadable(&mut self, name: &Path, why: String) {
        self.others
            .push(format!("UNREADABLE {}: {why}", printable(name)));
    }

    /// Adds a file that was neither converted nor copied.
    pub(super) fn skipped(&mut self, name: &Path, why: String) {
        self.others
            .push(format!("REFUSED {}: {why}", printable(name)));
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.pods.is_empty() && self.others.is_empty()
    }

    /// Whether there were profiles, and all were understood as far as it matters.
    pub(super) fn is_whole(&self) -> bool {
        !self.lacks_much
            && !self.pods.is_empty()
            && self.total().damaged == 0
            && self.others.is_empty()
    }

    fn total(&self) -> Counts {
        let counts = self.pods.values().map(|pod| pod.counts);
        counts.fold(Counts::default(), Counts::plus)
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (directory, pod) in &self.pods {
            let name = if directory.as_os_str().is_empty() {
                ".".to_owned()
            } else {
                printable(directory)
            };
            writeln!(f, "{name}: {}", pod.counts)?;
            for remark in &pod.remarks {
                writeln!(f, "  {remark}")?;
            }
        }
        for other in &self.others {
            writeln!(f, "{other}")?;
        }
        if self.pods.is_empty() {
            writeln!(
                f,
                "no profile was found: no heap.pprof, cpu.pprof or the like"
            )?;
        }
        let pods = self.pods.len();
        let plural = if pods == 1 { "" } else { "s" };
        write!(f, "{pods} pod{plural}: {}; ", self.total())?;
        let text = HumanBytes(self.text_bytes);
        let profiles = HumanBytes(self.profile_bytes);
        writeln!(f, "{text} of text became {profiles} of profiles")
    }
}

/// A name as a terminal can bear it: names in an archive are anybody's.
fn printable(name: &Path) -> String {
    let mut text = String::new();
    for c in name.to_string_lossy().chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

/// An error that ends the conversion before the source does.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConvertError {
    /// The source cannot be converted.
    #[error("{}: {what}", path.display())]
    Source {
        /// The source.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// It has more than is taken.
    #[error(
        "{}: at {}: {bound}. What was converted before is there, the rest is not",
        path.display(),
        printable(at)
    )]
    Bound {
        /// The source.
        path: PathBuf,
        /// The entry that was begun last.
        at: PathBuf,
        /// What is too much.
        bound: Bound,
    },
    /// The output directory is there already.
    #[error("{}: it is there already; name a directory that is not", .0.display())]
    Exists(PathBuf),
    /// The output directory cannot be written.
    #[error("{}: {error}; what was converted before is there, the rest is not", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl ConvertError {
    /// The error that a source cannot be converted.
    pub(super) fn source(path: &Path, what: impl ToString) -> Self {
        Self::Source {
            path: path.to_owned(),
            what: what.to_string(),
        }
    }

    /// Checks that no bound was met.
    ///
    /// # Errors
    /// One was.
    pub(super) fn check(path: &Path, meter: &Meter) -> Result<(), Self> {
        match meter.met() {
            None => Ok(()),
            Some((bound, at)) => Err(Self::bound(path, &at, bound)),
        }
    }

    /// The error that a bound was met.
    pub(super) fn bound(path: &Path, at: &Path, bound: Bound) -> Self {
        Self::Bound {
            path: path.to_owned(),
            at: at.to_owned(),
            bound,
        }
    }

    /// The error that the output directory cannot be made.
    pub(super) fn output_directory(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::AlreadyExists {
            Self::Exists(path.to_owned())
        } else {
            Self::output(path, error)
        }
    }

    /// The error that a file of the output directory cannot be written.
    pub(super) fn output(path: &Path, error: io::Error) -> Self {
        Self::Output {
            path: path.to_owned(),
            error,
        }
    }

    /// The exit code of a conversion that ends with this error.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Source { .. } | Self::Exists(_) => ExitCode::Usage,
            Self::Bound { bound, .. } => match bound {
                Bound::Told(code) => *code,
                Bound::Bytes(_) | Bound::Entries(_) | Bound::Headers => ExitCode::Finding,
            },
            Self::Output { .. } => ExitCode::DestinationRefused,
        }
    }
}
