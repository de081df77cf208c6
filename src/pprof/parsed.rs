//! The result of parsing a text.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io;

use super::profile::Profile;

/// The result of parsing a text: a profile, or the damage for which there is none.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The profile, unless the text is damaged.
    pub profile: Option<Profile>,
    /// `runtime.MemStats` by name, which the texts of heap and allocs have.
    pub mem_stats: BTreeMap<String, String>,
    /// Notes about a profile, or one damage.
    pub problems: Vec<Problem>,
}

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

impl Parsed {
    /// The result of a text that was understood to its end.
    pub(super) fn understood(profile: Profile) -> Self {
        Self {
            profile: Some(profile),
            ..Self::default()
        }
    }

    /// Adds a note that begins with a number of cases, unless there is none.
    pub(super) fn note(&mut self, count: u64, what: &str) {
        if count > 0 {
            self.problems.push(Problem::Note(format!("{count} {what}")));
        }
    }

    /// Adds a note about stacks as deep as a profile's get, which lack what lay beyond.
    /// `maxProfStackDepth`, <https://pkg.go.dev/runtime>
    pub(super) fn note_deep(&mut self, count: u64) {
        self.note(count, "stacks were cut by Go at 128 frames");
    }
}

/// The reason why a parser stops before the end of its text.
#[derive(Debug)]
pub(super) enum ParseError {
    /// The input cannot be read.
    Read(io::Error),
    /// The text is not the format.
    Damage { line: u64, reason: String },
}

impl From<io::Error> for ParseError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// Makes damage a result: it is no error, but leaves no profile.
///
/// # Errors
/// The input cannot be read.
pub(super) fn accept_damage(result: Result<Parsed, ParseError>) -> io::Result<Parsed> {
    match result {
        Ok(parsed) => Ok(parsed),
        Err(ParseError::Read(error)) => Err(error),
        Err(ParseError::Damage { line, reason }) => Ok(Parsed {
            problems: vec![Problem::Damage { line, reason }],
            ..Parsed::default()
        }),
    }
}
