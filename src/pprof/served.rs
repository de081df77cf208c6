//! One file of a dump, as a component served it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use super::convert::convert;
use super::kind::Kind;
use super::parsed::Parsed;
use super::profile::Profile;
use super::proto::{self, GZIP, Summary};

/// Large enough that neither side is called often, small enough for the processor's cache.
const BUFFER: usize = 32 * 1024;

/// What a file is.
#[derive(Debug)]
pub enum Served {
    /// A profile already, as cpu is; it stays as it came.
    Profile(Summary),
    /// A text, and what was made of it.
    Text {
        /// The same with names.
        profile: Box<Profile>,
        /// What Go itself left out.
        notes: Vec<String>,
        /// `runtime.MemStats` by name, of heap and allocs.
        mem_stats: BTreeMap<String, String>,
    },
    /// Neither, and why: it stays as it came.
    Damaged(String),
}

/// Reads a whole file and writes it on as it comes, whatever is thought of it.
///
/// # Errors
/// The content cannot be read, or not be written on.
pub fn read(kind: Kind, content: impl Read, copy: impl Write) -> io::Result<Served> {
    let tee = Tee {
        content,
        copy,
        fault: None,
    };
    let mut tee = BufReader::with_capacity(BUFFER, tee);
    // One byte is enough: no text begins so, and more may not be here yet.
    let text = if tee.fill_buf()?.first() == Some(&GZIP) {
        None
    } else {
        convert(kind, &mut tee)?
    };
    let served = match text {
        Some(parsed) => parsed.into(),
        None => match proto::summary(&mut tee) {
            Ok(summary) => Served::Profile(summary),
            Err(error) => Served::Damaged(format!("it is no profile: {error}")),
        },
    };
    let mut tee = tee.into_inner();
    io::copy(&mut tee, &mut io::sink())?;
    Ok(served)
}

impl From<Parsed> for Served {
    fn from(parsed: Parsed) -> Self {
        let mut problems = parsed.problems.iter().map(ToString::to_string);
        match parsed.profile {
            Some(profile) => Self::Text {
                profile: Box::new(profile),
                notes: problems.collect(),
                mem_stats: parsed.mem_stats,
            },
            None => Self::Damaged(problems.next().unwrap_or_default()),
        }
    }
}

/// Passes on what is read and writes it to the copy. After a fault there is nothing but that: a
/// reader that takes it for the content's damage must not be able to go on.
struct Tee<R, W> {
    content: R,
    copy: W,
    fault: Option<(io::ErrorKind, String)>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((kind, why)) = &self.fault {
            return Err(io::Error::new(*kind, why.clone()));
        }
        let read = self.content.read(buffer).and_then(|length| {
            self.copy.write_all(&buffer[..length])?;
            Ok(length)
        });
        read.inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.fault = Some((error.kind(), error.to_string()));
            }
        })
    }
}
