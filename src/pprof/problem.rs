//! What a text leaves to be desired.

use std::fmt::{self, Display};
use std::io;

/// One thing about a text that its reader should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Go itself left something out. The profile is all that the text holds.
    Note(String),
    /// The text is not the format, so there is no profile.
    Damage {
        /// The first line that is not, counted from 1.
        line: u64,
        /// Why.
        reason: String,
    },
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(note) => f.write_str(note),
            Self::Damage { line, reason } => write!(f, "line {line}: {reason}"),
        }
    }
}

/// Why a parser stops before the end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The input cannot be read.
    Read(io::Error),
    /// It is not the format.
    Damage { line: u64, reason: String },
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}
