//! A level that somebody accepted as the new normal: a small file beside the run with which it begins.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{RunFile, RunId};
use crate::destination::{Destination, DestinationError};
use crate::errors::plain;

/// The version of the file's format.
const SCHEMA_VERSION: u32 = 1;

/// The most bytes of such a file that are read.
const MOST_BYTES: usize = 64 << 10;

/// What a person says is cut after so many characters.
const LONGEST: usize = 1000;

/// That a level was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// The run with which the level begins.
    pub run_id: String,
    /// When it was accepted (RFC 3339, UTC), if the file beside the run says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// Who accepted it, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct AcceptedFile {
    schema_version: u32,
    #[serde(flatten)]
    accepted: Accepted,
}

impl Accepted {
    /// The level of this run, accepted now.
    pub fn new(run: &RunId, at: Timestamp, by: Option<&str>, why: Option<&str>) -> Self {
        Self {
            at: Some(at),
            by: by.map(short),
            why: why.map(short),
            ..Self::untold(run)
        }
    }

    /// The level of this run, of which nothing else is known.
    fn untold(run: &RunId) -> Self {
        Self {
            run_id: run.to_string(),
            at: None,
            by: None,
            why: None,
        }
    }

    /// Writes it beside its run, in place of an earlier one, and gives the file's place.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn keep(
        &self,
        destination: &Destination,
        run: &RunId,
    ) -> Result<String, DestinationError> {
        let file = AcceptedFile {
            schema_version: SCHEMA_VERSION,
            accepted: self.clone(),
        };
        let json = serde_json::to_vec_pretty(&file).unwrap_or_default();
        destination.put(run, RunFile::Accepted, json).await
    }

    /// Reads it. Of a file that cannot be understood its name counts, which says that the run was accepted.
    ///
    /// # Errors
    /// It cannot be read for a reason that may pass.
    pub(super) async fn read(
        destination: &Destination,
        run: &RunId,
    ) -> Result<Self, DestinationError> {
        let content = match destination.open(run, RunFile::Accepted).await {
            Ok(download) => download.all(MOST_BYTES).await?,
            Err(error) if error.permanent => None,
            Err(error) => return Err(error),
        };
        let file =
            content.and_then(|content| serde_json::from_slice::<AcceptedFile>(&content).ok());
        let Some(AcceptedFile { accepted: told, .. }) = file else {
            return Ok(Self::untold(run));
        };
        Ok(Self {
            run_id: run.to_string(),
            at: told.at,
            by: told.by.as_deref().map(short),
            why: told.why.as_deref().map(short),
        })
    }
}

/// A text of somebody's without control characters, and not without an end.
fn short(text: &str) -> String {
    plain(text).chars().take(LONGEST).collect()
}
