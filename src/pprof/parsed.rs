//! What became of a text.

use std::collections::BTreeMap;
use std::io;

use super::problem::{Problem, Stop};
use super::profile::Profile;

/// A text's profile, and what is to be said about it.
#[derive(Debug, Default)]
pub struct Parsed {
    /// There unless the text is damaged.
    pub profile: Option<Profile>,
    /// `runtime.MemStats` by name, as heap and allocs have it.
    pub mem_stats: BTreeMap<String, String>,
    /// Notes, or one damage.
    pub problems: Vec<Problem>,
}

impl Parsed {
    pub(super) fn whole(profile: Profile) -> Self {
        Self {
            profile: Some(profile),
            ..Self::default()
        }
    }

    /// Adds a note about so many cases, if there was one.
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

/// Damage is no error but leaves no profile.
pub(super) fn settle(result: Result<Parsed, Stop>) -> io::Result<Parsed> {
    match result {
        Ok(parsed) => Ok(parsed),
        Err(Stop::Read(error)) => Err(error),
        Err(Stop::Damage { line, reason }) => Ok(Parsed {
            problems: vec![Problem::Damage { line, reason }],
            ..Parsed::default()
        }),
    }
}
