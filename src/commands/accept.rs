//! `accept`: marks the level of a run as the new normal.

use std::ffi::OsString;

use jiff::Timestamp;

use super::kept_runs::{code_of, destinations, why_missing};
use crate::config::RunId;
use crate::destination::{Destination, DestinationError};
use crate::diff::{Accepted, incomplete};
use crate::outcome::ExitCode;
use crate::run::status::log::{complain, say};

/// What is accepted, by whom, and why.
#[derive(Debug)]
pub struct Accepting {
    /// The run with which the level begins.
    pub run_id: RunId,
    /// Who accepts it.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
}

/// `accept`: from now on no run before this one counts where runs are compared.
pub async fn accept(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    accepting: Accepting,
) -> ExitCode {
    match destinations(environment) {
        Ok(places) => code_of(accept_among(&places, &accepting).await),
        Err(code) => code,
    }
}

async fn accept_among(
    places: &[Destination],
    accepting: &Accepting,
) -> Result<ExitCode, DestinationError> {
    let Accepting { run_id, by, why } = accepting;
    let (found, place) = Destination::find_among(places, run_id).await?;
    let Some(place) = place else {
        complain(why_missing(run_id, &found));
        return Ok(ExitCode::Finding);
    };
    if let Some(lacks) = incomplete(&place.numbers(run_id).await?) {
        complain(format_args!(
            "run {run_id} is compared with none ({lacks}): accept the next run that is complete"
        ));
        return Ok(ExitCode::Finding);
    }
    let accepted = Accepted::new(run_id, Timestamp::now(), by.as_deref(), why.as_deref());
    let uri = accepted.keep(place, run_id).await?;
    say(format_args!(
        "accepted: no run before {run_id} counts any more ({uri})"
    ));
    Ok(ExitCode::Complete)
}
