//! A run's id, and the names and media types of the files that a run leaves at a destination.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A Job's name of 63 characters, a hyphen and a UID of 36 make 100.
const MAX_LENGTH: usize = 100;

/// What is added to the id of a run that lies beside what has its name.
const BESIDE: &str = ".beside";

/// A run's id: fit for a file name, an object key and a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(String);

/// One of the files that a run leaves at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunFile {
    /// The archive, `profile-RUN_ID.tar.gz`.
    Archive,
    /// The page that says what the run found, `profile-RUN_ID.html`, where there is one.
    Report,
    /// What of the run arrived where it was pushed to, `profile-RUN_ID.push.json`, where it was.
    Pushed,
    /// That the run's level was accepted as the new normal, `profile-RUN_ID.accepted.json`, where somebody did.
    Accepted,
    /// The manifest, `profile-RUN_ID.json`, which is written when the archive is whole.
    Manifest,
}

impl RunFile {
    /// All of them. The one that makes a run whole is the last, whose name may end as another's does.
    pub const ALL: [Self; 5] = [
        Self::Archive,
        Self::Report,
        Self::Pushed,
        Self::Accepted,
        Self::Manifest,
    ];

    /// What its name ends with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Archive => ".tar.gz",
            Self::Report => ".html",
            Self::Pushed => ".push.json",
            Self::Accepted => ".accepted.json",
            Self::Manifest => ".json",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Archive => "application/gzip",
            Self::Report => "text/html; charset=utf-8",
            Self::Pushed | Self::Accepted | Self::Manifest => "application/json",
        }
    }
}

/// Whether the manifest of a run with this id would have the name of another file of another run.
fn names_another_file(id: &str) -> bool {
    let manifest = RunFile::Manifest.extension();
    let names = RunFile::ALL.map(RunFile::extension).into_iter();
    let mut before_it = names.filter_map(|name| name.strip_suffix(manifest));
    before_it.any(|name| !name.is_empty() && id.ends_with(name))
}

impl RunId {
    /// The beginning of the names of all runs' files.
    pub const FILE_PREFIX: &str = "profile-";

    /// Checks an id that somebody chose.
    ///
    /// # Errors
    /// It is not `[a-z0-9][a-z0-9.-]*`, is longer than 100 characters, or ends as a file's name does.
    pub fn parse(id: &str) -> Result<Self, String> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        let good = id.len() <= MAX_LENGTH
            && !id.starts_with(['.', '-'])
            && !id.is_empty()
            && !names_another_file(id)
            && id.chars().all(inner);
        good.then(|| Self(id.to_owned())).ok_or_else(|| {
            format!(
                "[a-z0-9][a-z0-9.-]*, at most {MAX_LENGTH} characters, without .push or .accepted at the end"
            )
        })
    }

    /// Makes an id from a time and a random number.
    pub fn generate(now: Timestamp, random: u32) -> Self {
        let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dt%H%M%Sz");
        Self(format!("{time}-{:06x}", random & 0x00ff_ffff))
    }

    /// Whether it is one that [`RunId::generate`] makes: a time and a random number, and nothing that anybody chose.
    pub fn is_generated(&self) -> bool {
        const SHAPE: &[u8] = b"00000000t000000z-xxxxxx";
        let is_of = |shape: u8, c: u8| match shape {
            b'0' => c.is_ascii_digit(),
            b'x' => c.is_ascii_hexdigit(),
            mark => c == mark,
        };
        let id = self.0.strip_suffix(BESIDE).unwrap_or(&self.0);
        let mut pairs = SHAPE.iter().zip(id.as_bytes());
        id.len() == SHAPE.len() && pairs.all(|(shape, c)| is_of(*shape, *c))
    }

    /// The id under which the run is kept where something that is not to be overwritten has its own.
    #[must_use]
    pub fn beside(&self) -> Self {
        let kept = self.0.len().min(MAX_LENGTH - BESIDE.len());
        Self(format!("{}{BESIDE}", &self.0[..kept]))
    }

    /// The names of the run's files without their extensions, `profile-RUN_ID`. The archive's one top
    /// directory has this name, too.
    pub fn stem(&self) -> String {
        format!("{}{}", Self::FILE_PREFIX, self.0)
    }

    /// The name of one of the run's files.
    pub fn file_name(&self, file: RunFile) -> String {
        format!("{}{}", self.stem(), file.extension())
    }

    /// The run and the file that a name stands for; `None` for a name that no run's file has.
    pub fn from_file_name(name: &str) -> Option<(Self, RunFile)> {
        let id_and_extension = name.strip_prefix(Self::FILE_PREFIX)?;
        RunFile::ALL.into_iter().find_map(|file| {
            let id = id_and_extension.strip_suffix(file.extension())?;
            Some((Self::parse(id).ok()?, file))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_beside_another_has_a_name_of_its_own() {
        for id in ["nightly.3-x".to_owned(), "x".repeat(MAX_LENGTH)] {
            let beside = RunId::parse(&id).expect("an id").beside();
            assert_ne!(beside.as_str(), id);
            assert_eq!(RunId::parse(beside.as_str()), Ok(beside.clone()));
        }
    }

    #[test]
    fn a_name_stands_for_the_run_and_the_file_that_have_it() {
        let run = RunId::parse("nightly.3-x").expect("an id");
        for file in RunFile::ALL {
            let name = run.file_name(file);
            assert_eq!(RunId::from_file_name(&name), Some((run.clone(), file)));
        }
        for other in [
            "nightly.json",
            "profile-.json",
            "profile-Nightly.json",
            "profile-nightly.tar",
            "profile-nightly",
            ".cluster-profiler-job.profile-nightly.json.0a1b2c3d.partial",
        ] {
            assert_eq!(RunId::from_file_name(other), None, "{other}");
        }
    }
}
