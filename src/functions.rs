//! Which functions changed in the runs that `diff` compares, by the profiles in their archives.
//!
//! `functions/gather.rs` reads one archive after another and adds up what each function cost, by names that mean the same
//! function in every run (`report/compared_name.rs`), `functions/found.rs` asks `verdict` what changed, and
//! `functions/moved.rs` tells cost that came from what only moved.

mod found;
mod gather;
mod measured;
mod moved;

use std::path::Path;

use found::found;
use gather::Gathered;
use measured::Measured;

use crate::config::RunId;
use crate::destination::{Destination, DestinationError, Found};
use crate::diff::{Diff, DiffRun, PassedOver};
use crate::errors::joined;
use crate::limits::REPORT_PROFILES;
use crate::report::{self, ProfileStore, Wanted};
use crate::verdict::Rules;

/// The most earlier runs whose archives are read.
const MOST_EARLIER: usize = 10;

/// Adds the functions that changed to what is said of runs: of the numbers that changed, or of all if none did. The
/// archives are read one at a time, by way of a file in the temporary directory.
///
/// # Errors
/// An archive cannot be read for a reason that may pass, or the temporary directory not be written.
pub async fn add_functions(
    diff: &mut Diff,
    places: &[Destination],
    temporary: &Path,
    rules: &Rules,
) -> Result<(), DestinationError> {
    let wanted = Measured::wanted(diff);
    let mut gathered = Gathered::new(&wanted);
    let mut unread = Vec::new();
    let before = diff.earlier.len().saturating_sub(MOST_EARLIER);
    let earlier = diff.earlier.iter().skip(before).map(|run| (run, false));
    let new = diff.new.iter().map(|run| (run, true));
    // Without comparable runs before there is nothing to read.
    let all = earlier.chain(new).filter(|_| !diff.earlier.is_empty());
    for (run, is_new) in all {
        let why;
        (gathered, why) = read(run, is_new, &wanted, places, temporary, gathered).await?;
        unread.extend(why);
    }
    let functions = tokio::task::spawn_blocking({
        let fewest = rules.fewest_earlier;
        move || found(&gathered, fewest)
    });
    diff.functions = Some(joined(functions.await));
    diff.not_read = unread;
    Ok(())
}

/// Adds what a run has to what was gathered, and says what of it could not be read.
async fn read(
    run: &DiffRun,
    is_new: bool,
    wanted: &[Measured],
    places: &[Destination],
    temporary: &Path,
    mut gathered: Gathered,
) -> Result<(Gathered, Option<PassedOver>), DestinationError> {
    let not_read = |why: String| {
        let run_id = run.run_id.clone();
        Some(PassedOver { run_id, why })
    };
    let id = match RunId::parse(&run.run_id) {
        Ok(id) => id,
        Err(fault) => return Ok((gathered, not_read(fault.to_string()))),
    };
    let (summary, place) = match Destination::find_among(places, &id).await? {
        (Found::Complete(summary), Some(place)) => (summary, place),
        (_, _) => {
            let why = "its archive is not what its manifest says, or gone";
            return Ok((gathered, not_read(why.to_owned())));
        }
    };
    let manifest = place.manifest(&id, summary.pods.expected()).await?;
    let store = match ProfileStore::new(temporary, of(wanted), REPORT_PROFILES) {
        Ok(store) => store,
        Err(error) => {
            let why = format!("{}: it cannot be written: {error}", temporary.display());
            return Ok((gathered, not_read(why)));
        }
    };
    let store = report::download(place, &id, &manifest.archive, store).await?;
    let added = tokio::task::spawn_blocking(move || {
        let faults = gathered.add(&manifest, &store, is_new);
        (gathered, faults)
    });
    let (gathered, fault) = joined(added.await);
    Ok((gathered, fault.and_then(not_read)))
}

/// The profiles that are wanted of an archive: of one component alone, if that is all.
fn of(measured: &[Measured]) -> Wanted {
    let first = measured.first().map(|measured| measured.component);
    let is_alone = measured.iter().all(|of| Some(of.component) == first);
    Wanted {
        component: first.filter(|_| is_alone),
        ..Wanted::default()
    }
}
