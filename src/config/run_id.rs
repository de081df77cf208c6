//! The name of a run.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A Job's name of 63 characters, a hyphen and a UID of 36 make 100.
const MAX_LENGTH: usize = 100;

/// A run's id: fit for a file name, an object key and a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(String);

impl RunId {
    /// What the names of all runs' files begin with.
    pub const STEM: &str = "profile-";

    /// Checks an id that somebody chose.
    ///
    /// # Errors
    /// It is not `[a-z0-9][a-z0-9.-]*` or is longer than 100 characters.
    pub fn parse(id: &str) -> Result<Self, String> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        let good = id.len() <= MAX_LENGTH
            && !id.starts_with(['.', '-'])
            && !id.is_empty()
            && id.chars().all(inner);
        good.then(|| Self(id.to_owned()))
            .ok_or_else(|| format!("[a-z0-9][a-z0-9.-]*, at most {MAX_LENGTH} characters"))
    }

    /// Makes an id out of a time and chance.
    pub fn generate(now: Timestamp, random: u32) -> Self {
        let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dt%H%M%Sz");
        Self(format!("{time}-{:06x}", random & 0x00ff_ffff))
    }

    /// What the run's files are called, without their endings: `profile-RUN_ID`.
    pub fn stem(&self) -> String {
        format!("{}{}", Self::STEM, self.0)
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
