//! The profiles of a kept run, for commands.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use super::kept_runs::{cannot_write, code_of, destinations, why_missing};
use crate::config::{DestinationConfig, RunFile, RunId};
use crate::destination::{Destination, Found};
use crate::errors::plain;
use crate::limits::{BucketLimits, REPORT_PROFILES};
use crate::manifest::{Manifest, SCHEMA_VERSION};
use crate::outcome::ExitCode;
use crate::report::{self, ProfileStore, Unread, Wanted};
use crate::run::status::log::complain;

/// The most pods of a run whose archive is damaged: its manifest is read without a look at it before.
const MOST_PODS: usize = 2000;

/// A run's profiles, and where they are from.
pub(super) struct Opened {
    /// Where it was looked for.
    pub(super) places: Vec<Destination>,
    /// Where it is.
    pub(super) place: Destination,
    pub(super) run: RunId,
    pub(super) manifest: Arc<Manifest>,
    pub(super) store: ProfileStore,
}

/// Reads a run's profiles, and does with them what is to be done.
pub(super) async fn with_profiles(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: &str,
    wanted: Wanted,
    work: impl FnOnce(Arc<Manifest>, ProfileStore) -> Result<(), ExitCode> + Send + 'static,
) -> ExitCode {
    let opened = match open(environment, run, wanted).await {
        Ok(opened) => opened,
        Err(code) => return code,
    };
    let Opened {
        manifest, store, ..
    } = opened;
    let worked = tokio::task::spawn_blocking(move || work(manifest, store)).await;
    match crate::errors::joined(worked) {
        Ok(()) => ExitCode::Complete,
        Err(code) => code,
    }
}

/// Reads a run's profiles. A fault is printed, and the exit code comes back.
pub(super) async fn open(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: &str,
    wanted: Wanted,
) -> Result<Opened, ExitCode> {
    let (places, run) = place_of(environment, run)?;
    open_at(places, run, wanted).await
}

/// Reads the profiles of a run in one of these places.
pub(super) async fn open_at(
    places: Vec<Destination>,
    run: RunId,
    wanted: Wanted,
) -> Result<Opened, ExitCode> {
    let found = match Destination::find_among(&places, &run).await {
        Ok((Found::Complete(summary), Some(place))) => {
            let manifest = place.manifest(&run, summary.pods.expected()).await;
            manifest.map(|manifest| (manifest, place))
        }
        Ok((found, _)) => match damaged(&places, &run, &found).await {
            Some(damaged) => Ok(damaged),
            None => {
                complain(format_args!("{}", why_missing(&run, &found)));
                return Err(ExitCode::Finding);
            }
        },
        Err(error) => Err(error),
    };
    let (manifest, place) = found.map_err(|error| code_of(Err(error)))?;
    let temporary = std::env::temp_dir();
    let store = ProfileStore::new(&temporary, wanted, REPORT_PROFILES);
    let store = store.map_err(|error| cannot_write(&temporary, &error))?;
    let store = report::download(place, &run, &manifest.archive, store).await;
    Ok(Opened {
        place: place.clone(),
        places,
        run,
        manifest: Arc::new(*manifest),
        store: store.map_err(|error| code_of(Err(error)))?,
    })
}

/// Tells that there was no room for all profiles, which makes what is said of them a finding.
pub(super) fn all_found_room(store: &ProfileStore) -> Result<(), ExitCode> {
    match store.failure() {
        None => Ok(()),
        Some(why) => {
            complain(format_args!("profiles are left out: {why}"));
            Err(ExitCode::Finding)
        }
    }
}

/// Says what the first thing is that could not be read of an archive, if there is any.
pub(super) fn complain_of_unread(archive: &str, as_told: &str, unread: &[Unread]) {
    if let Some(first) = unread.first() {
        complain(format_args!(
            "not all of {archive} could be read{as_told}: {}: {}",
            plain(&first.path),
            plain(&first.why)
        ));
    }
}

/// A run whose archive is not what its manifest says, such as one that was cut: what is whole in it can be read.
async fn damaged<'a>(
    places: &'a [Destination],
    run: &RunId,
    found: &Found,
) -> Option<(Box<Manifest>, &'a Destination)> {
    if !matches!(found, Found::Invalid(_)) {
        return None;
    }
    for place in places {
        let Ok(manifest) = place.manifest(run, MOST_PODS).await else {
            continue;
        };
        let is_of_run = manifest.run_id == run.as_str();
        let is_understood = manifest.schema_version <= SCHEMA_VERSION;
        if is_of_run && is_understood && place.open(run, RunFile::Archive).await.is_ok() {
            return Some((manifest, place));
        }
    }
    None
}

/// Where a run is looked for: a path stands for the directory that it is in.
fn place_of(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: &str,
) -> Result<(Vec<Destination>, RunId), ExitCode> {
    if !run.contains('/') && !run.ends_with(RunFile::Archive.extension()) {
        let run = RunId::parse(run).map_err(|fault| {
            complain(format_args!("{run}: a run's id is {fault}"));
            ExitCode::Usage
        })?;
        return Ok((destinations(environment)?, run));
    }
    let path = Path::new(run);
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let Some((run, _)) = name.as_deref().and_then(RunId::from_file_name) else {
        complain(format_args!(
            "{run}: an archive is named {}, with its manifest beside it",
            "profile-RUN_ID.tar.gz"
        ));
        return Err(ExitCode::Usage);
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => ".".into(),
    };
    let place = DestinationConfig::Directory(directory);
    Ok((
        vec![Destination::new(&place, &BucketLimits::default())],
        run,
    ))
}
