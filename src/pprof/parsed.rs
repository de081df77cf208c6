//! The result of parsing a text.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io;

use super::profile::Profile;

/// A profile is as good as whole if it has so many records for each that was left out.
const SLIGHT: u64 = 99;

/// The result of parsing a text: a profile, or the damage for which there is none.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The profile, unless the text is damaged.
    pub profile: Option<Profile>,
    /// `runtime.MemStats` by name, which the texts of heap and allocs have.
    pub mem_stats: BTreeMap<String, String>,
    /// What the profile lacks of the text, if it lacks anything.
    pub partial: Option<Partial>,
    /// Notes about a profile, or one damage.
    pub problems: Vec<Problem>,
}

/// What a profile lacks of its text, because that could not be understood or was not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// How many records were left out.
    pub left_out: u64,
    /// Why, for a person.
    pub why: String,
    /// Whether it is so little that the profile can be relied on: at most one record of a hundred, or
    /// the statistics of memory.
    pub slight: bool,
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

    /// Adds what was left out, and where the text ends too early.
    ///
    /// # Errors
    /// More records were left out than read, so nothing is certain.
    pub(super) fn lacking(
        mut self,
        left_out: LeftOut,
        read: u64,
        ends: Ending,
    ) -> Result<Self, ParseError> {
        let count = left_out.count;
        let mut whys = Vec::new();
        if let Some(Failure { line, reason }) = left_out.first {
            if count > read {
                return Err(ParseError::Damage { line, reason });
            }
            let all = count.saturating_add(read);
            whys.push(format!(
                "{count} of {all} records left out, the first at line {line}: {reason}"
            ));
        }
        let (early, is_slight) = match ends {
            Ending::Whole => (None, true),
            Ending::BeforeStats => (Some("it ends before runtime.MemStats"), true),
            Ending::Early(why) => (Some(why), false),
        };
        whys.extend(early.map(str::to_owned));
        if !whys.is_empty() {
            self.partial = Some(Partial {
                left_out: count,
                why: whys.join("; "),
                slight: is_slight && count.saturating_mul(SLIGHT) <= read,
            });
        }
        Ok(self)
    }

    /// Adds a note that the text's last line lacks its end, if it does.
    pub(super) fn note_cut(&mut self, is_cut: bool) {
        if is_cut {
            let note = "the text ends without the end of its last line, which may lack something";
            self.problems.push(Problem::Note(note.to_owned()));
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

/// The end of a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// Nothing is known to lack.
    Whole,
    /// All records are there, the statistics of memory are not.
    BeforeStats,
    /// Nobody knows how much was to come, for this reason.
    Early(&'static str),
}

/// The records that were left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    count: u64,
    first: Option<Failure>,
}

/// The first line that is not the format, and why.
#[derive(Debug)]
struct Failure {
    line: u64,
    reason: String,
}

impl LeftOut {
    /// Counts a record that is damaged. The reason for one whose line is cut is that.
    ///
    /// # Errors
    /// Those that no single record has.
    pub(super) fn add(&mut self, error: ParseError, is_cut: bool) -> Result<(), ParseError> {
        let ParseError::Damage { line, reason } = error else {
            return Err(error);
        };
        self.count = self.count.saturating_add(1);
        self.first.get_or_insert_with(|| {
            let cut = "it ends in the middle of a line".to_owned();
            let reason = if is_cut { cut } else { reason };
            Failure { line, reason }
        });
        Ok(())
    }

    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        self.count == 0
    }
}

/// The reason why a parser stops before the end of its text, or of a record.
#[derive(Debug)]
pub(super) enum ParseError {
    /// The input cannot be read.
    Read(io::Error),
    /// The text, or one record of it, is not the format.
    Damage { line: u64, reason: String },
    /// No more of the text can be taken, whatever comes.
    Whole { line: u64, reason: String },
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
        Err(ParseError::Damage { line, reason } | ParseError::Whole { line, reason }) => {
            Ok(Parsed {
                problems: vec![Problem::Damage { line, reason }],
                ..Parsed::default()
            })
        }
    }
}
