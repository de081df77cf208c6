//! `ls`: the runs at the destinations, and what became of each.

use std::io::Write;

use futures::{StreamExt, TryStreamExt, stream};

use crate::destination::DestinationError;
use crate::destination::{Destination, Found, Listed};
use crate::manifest::{Manifest, State};
use crate::outcome::ExitCode;

/// Manifests that are read at the same time.
const AT_ONCE: usize = 8;

const HEADER: [&str; 6] = ["RUN ID", "STATE", "FINISHED", "PODS", "BYTES", "ARCHIVE"];

/// A run, as its columns below the header have it.
type Row = [String; 6];

/// Prints all runs of the destinations that can be read.
///
/// # Errors
/// As of [`Destination::list`] and [`Destination::find`], of the last one that cannot.
pub(super) async fn run(destinations: &[Destination]) -> Result<ExitCode, DestinationError> {
    let mut rows = vec![HEADER.map(str::to_owned)];
    let mut ended = Ok(ExitCode::Complete);
    for destination in destinations {
        match rows_of(destination).await {
            Ok(more) => rows.extend(more),
            Err(error) => ended = Err(error),
        }
    }
    match std::io::stdout().write_all(table(&rows).as_bytes()) {
        Ok(()) => ended,
        Err(error) => {
            eprintln!("the list cannot be written: {error}");
            Ok(ExitCode::Finding)
        }
    }
}

async fn rows_of(destination: &Destination) -> Result<Vec<Row>, DestinationError> {
    let listed = stream::iter(destination.list().await?);
    let rows = listed.map(|listed| row(destination, listed));
    rows.buffered(AT_ONCE).try_collect().await
}

/// What a manifest says; one that cannot be read or is not true is told of, and hides no other run.
async fn row(destination: &Destination, listed: Listed) -> Result<Row, DestinationError> {
    let state = match destination.find(&listed.run_id).await {
        Ok(Found::Complete(manifest)) => return Ok(described(*manifest, &listed)),
        Ok(Found::Absent | Found::Unfinished) => "unfinished",
        Ok(Found::Unknown) => "unknown",
        Ok(Found::Invalid(error)) => {
            eprintln!("{error}");
            "untrue"
        }
        Err(error) if error.permanent => {
            eprintln!("{error}");
            "unknown"
        }
        Err(error) => return Err(error),
    };
    let mut row = Row::default().map(|_| "-".to_owned());
    row[0] = listed.run_id.to_string();
    state.clone_into(&mut row[1]);
    Ok(row)
}

fn described(manifest: Manifest, listed: &Listed) -> Row {
    let pods = manifest.pods.iter();
    let complete = pods.filter(|pod| pod.state == State::Complete).count();
    let code = ExitCode::from_number(manifest.exit_code);
    [
        manifest.run_id,
        code.map_or("unknown", ExitCode::word).to_owned(),
        listed
            .finished
            .map_or_else(String::new, |at| at.strftime("%FT%TZ").to_string()),
        format!("{complete}/{}", manifest.pods.len()),
        manifest.archive.bytes.to_string(),
        manifest.archive.uri,
    ]
}

/// Columns as wide as they must be.
fn table(rows: &[Row]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..HEADER.len())
        .map(|column| width(column).unwrap_or_default())
        .collect();
    let line = |row: &Row| {
        let cells = row.iter().zip(&widths);
        let line: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", line.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
