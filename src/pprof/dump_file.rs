//! One file of a dump, as a component served it: what it is, and the profile that it becomes.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use super::kind::Kind;
use super::parsed::{Parsed, Partial, Problem};
use super::profile::Profile;
use super::proto::{self, GZIP, Summary};
use super::wrong_file::{HEAD, is_proto, told};
use super::{contention, goroutine, heap, threadcreate};

/// The size of the read buffer. Large enough that neither side is called often, small enough for the
/// processor's cache.
const BUFFER: usize = 32 * 1024;

/// The content of a file, by what it is.
#[derive(Debug)]
pub enum Served {
    /// A profile already, as cpu is; it stays as it came.
    Profile(Summary),
    /// A text, which was converted.
    Text {
        /// The profile with names.
        profile: Box<Profile>,
        /// What Go itself left out.
        notes: Vec<String>,
        /// What the profile lacks of the text.
        partial: Option<Partial>,
        /// `runtime.MemStats` by name, of heap and allocs.
        mem_stats: BTreeMap<String, String>,
    },
    /// Neither, for this reason; it stays as it came.
    Damaged(String),
}

/// Reads a whole file, and writes it to the copy as it comes, whatever it is.
///
/// # Errors
/// The content cannot be read, or the copy cannot be written.
pub fn read(kind: Kind, content: impl Read, copy: impl Write) -> io::Result<Served> {
    let tee = Tee {
        content,
        copy,
        failed: None,
    };
    let mut input = BufReader::with_capacity(BUFFER, tee);
    // No text begins so.
    let head = head(&mut input)?;
    let text = if head.first() == Some(&GZIP) || is_proto(&head) {
        None
    } else {
        convert(kind, &mut input)?
    };
    let served = match text {
        Some(parsed) => parsed.into(),
        None => match proto::summary(&mut input) {
            Ok(summary) => Served::Profile(summary),
            Err(error) => {
                let what = told(kind, &head).map(|what| format!("; it is {what}"));
                let what = what.unwrap_or_default();
                Served::Damaged(format!("it is no profile: {error}{what}"))
            }
        },
    };
    io::copy(&mut input.into_inner(), &mut io::sink())?;
    Ok(served)
}

/// Converts the text that a component serves (`debug=2`) into a profile with names; `None` for the
/// kind that is served as a profile.
///
/// # Errors
/// The input cannot be read. What is not the format is no error but [`Problem::Damage`].
///
/// [`Problem::Damage`]: super::parsed::Problem::Damage
pub fn convert(kind: Kind, mut input: impl BufRead) -> io::Result<Option<Parsed>> {
    let head = head(&mut input)?;
    let mut parsed = match kind {
        Kind::Allocs => heap::parse(input, "alloc_space"),
        Kind::Block => contention::parse(input, "contention"),
        Kind::Cpu => return Ok(None),
        Kind::Goroutine => goroutine::parse(input),
        Kind::Heap => heap::parse(input, "inuse_space"),
        Kind::Mutex => contention::parse(input, "mutex"),
        Kind::Threadcreate => threadcreate::parse(input),
    }?;
    if let [Problem::Damage { line: 1, reason }] = &mut parsed.problems[..]
        && let Some(what) = told(kind, &head)
    {
        *reason += &format!("; it is {what}");
    }
    Ok(Some(parsed))
}

/// The beginning of a file, as far as it is here already.
fn head(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let here = input.fill_buf()?;
    Ok(here.iter().copied().take(HEAD).collect())
}

impl From<Parsed> for Served {
    fn from(parsed: Parsed) -> Self {
        let mut problems = parsed.problems.iter().map(ToString::to_string);
        match parsed.profile {
            Some(profile) => Self::Text {
                profile: Box::new(profile),
                notes: problems.collect(),
                partial: parsed.partial,
                mem_stats: parsed.mem_stats,
            },
            None => Self::Damaged(problems.next().unwrap_or_default()),
        }
    }
}

/// A reader that writes what is read to a copy. After an error every further read gives the same
/// error: whoever takes it for damage of the content must not be able to go on.
struct Tee<R, W> {
    content: R,
    copy: W,
    failed: Option<(io::ErrorKind, String)>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((kind, why)) = &self.failed {
            return Err(io::Error::new(*kind, why.clone()));
        }
        let read = self.content.read(buffer).and_then(|length| {
            self.copy.write_all(&buffer[..length])?;
            Ok(length)
        });
        read.inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failed = Some((error.kind(), error.to_string()));
            }
        })
    }
}
