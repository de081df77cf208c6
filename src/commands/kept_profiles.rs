//! `top`, `export` and `push`: what the profiles of a kept run say.

mod export;
mod table;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::kept_runs::cannot_write;
use super::opened_run::{all_found_room, complain_of_unread, open, with_profiles};
use crate::config::{LogFormat, PushTarget, push_access};
use crate::errors::plain;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::outcome::ExitCode;
use crate::push::{self, PushTime, PushedRun};
use crate::report::{self, Unread, Wanted};
use crate::run::status::log::{self, complain, print, say};

/// How many names are shown of those that there are.
const MOST_NAMES: usize = 20;

/// `top`: prints the functions that have the most, as a table or as JSON.
pub async fn top(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: &str,
    wanted: Wanted,
    as_json: bool,
) -> ExitCode {
    let asked = wanted.clone();
    with_profiles(environment, run, wanted, move |manifest, mut store| {
        let findings = report::collect(manifest, &mut store);
        if findings.profiles.is_empty()
            && let Some(missing) = missing(&findings.manifest, &asked)
        {
            complain(missing);
            return Err(ExitCode::Finding);
        }
        let text = if as_json {
            table::json(&findings)
        } else {
            table::table(&findings)
        };
        print(&text).map_err(|error| cannot_write(Path::new("the table"), &error))?;
        all_found_room(&store)?;
        all_read(&findings.unread)
    })
    .await
}

/// Says what the first thing is that could not be read of an archive, or is not in it as the manifest says, which makes
/// what is said of the others a finding.
fn all_read(unread: &[Unread]) -> Result<(), ExitCode> {
    complain_of_unread("the archive", "", unread);
    match unread {
        [] => Ok(()),
        [..] => Err(ExitCode::Finding),
    }
}

/// `export`: writes a profile for each component and kind, with those of all pods in it.
pub async fn export(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: String,
    directory: PathBuf,
) -> ExitCode {
    if directory == Path::new("-") {
        complain("-o: an export is a directory, which the standard output is not");
        return ExitCode::Usage;
    }
    if directory.symlink_metadata().is_ok() {
        complain(format_args!(
            "{}: it exists, and an export makes a directory that must not be there yet: name another with -o",
            directory.display()
        ));
        return ExitCode::Finding;
    }
    with_profiles(
        environment,
        &run,
        Wanted::default(),
        move |manifest, store| {
            let exported = export::merged(&manifest, &store, &directory);
            let exported = exported.map_err(|error| cannot_write(&directory, &error))?;
            say(format_args!(
                "{} profiles in {}",
                exported.written,
                directory.display()
            ));
            all_found_room(&store)?;
            if exported.left_out > 0 {
                return Err(ExitCode::Finding);
            }
            Ok(())
        },
    )
    .await
}

/// `push`: sends the profiles to a server, until a signal comes, and keeps what arrived beside the archive.
pub async fn push(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: String,
    target: &str,
    time: PushTime,
    mut signals: mpsc::Receiver<ExitCode>,
) -> ExitCode {
    // A server may be waited for.
    log::init(Some(LogFormat::Text), None);
    let target = match PushTarget::parse(target) {
        Ok(target) => target,
        Err(fault) => {
            complain(format_args!("TARGET: {fault}"));
            return ExitCode::Usage;
        }
    };
    let environment: Vec<_> = environment.into_iter().collect();
    let access = match push_access(environment.iter().cloned()) {
        Ok(access) => access,
        Err(faults) => {
            complain(&faults);
            return ExitCode::Usage;
        }
    };
    let opened = tokio::select! {
        opened = open(environment, &run, Wanted::WITHOUT_SNAPSHOTS) => opened,
        Some(code) = signals.recv() => {
            complain("told to stop before anything was sent");
            Err(code)
        }
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(code) => return code,
    };
    let has_all = all_found_room(&opened.store);
    let damaged = opened.store.unread();
    let pushed = PushedRun {
        manifest: opened.manifest,
        store: Arc::new(opened.store),
        time,
    };
    let (tell, end) = watch::channel(None);
    let limits = Limits::default();
    let pushing = async {
        // What keeps that from being written is said of the result.
        let _ = push::keep_begun(&opened.place, &opened.run, &target, end.clone()).await;
        push::push(&target, &access, &pushed, &limits, end).await
    };
    tokio::pin!(pushing);
    let (result, told) = tokio::select! {
        result = &mut pushing => (result, None),
        Some(code) = signals.recv() => {
            let _ = tell.send(Some("told to stop".to_owned()));
            (pushing.await, Some(code))
        }
    };
    if has_all.is_ok() {
        // Its exit code is that of what is not complete.
        let _ = all_read(&damaged);
    }
    let is_complete = result.complete && damaged.is_empty();
    if is_complete {
        say(result.summary());
    } else {
        complain(result.summary());
    }
    tokio::select! {
        kept = push::keep(&opened.place, &opened.run, std::slice::from_ref(&result)) => match kept {
            Ok(uri) => say(uri),
            Err(error) => complain(format_args!("what arrived could not be kept: {error}")),
        },
        Some(_) = signals.recv() => complain("told to stop before what arrived was kept"),
    }
    told.unwrap_or(if is_complete {
        ExitCode::Complete
    } else {
        ExitCode::Finding
    })
}

/// The pod or component that a run does not have, with those that it has; `None` if it has what was asked for.
fn missing(manifest: &Manifest, wanted: &Wanted) -> Option<String> {
    let pods = || manifest.pods.iter().map(|pod| &pod.pod);
    let of_component =
        || pods().filter(|pod| wanted.component.is_none_or(|of| of == pod.component));
    let run = plain(&manifest.run_id);
    if of_component().next().is_none() {
        let component = wanted.component?.name();
        let names = shown(pods().map(|pod| pod.component.name()));
        return Some(format!(
            "run {run} has no pod of {component}; it has {names}"
        ));
    }
    let name = wanted.pod.as_ref()?;
    if of_component().any(|pod| pod.name == *name) {
        return None;
    }
    let names = shown(of_component().map(|pod| pod.name.as_str()));
    let component = wanted
        .component
        .map_or_else(String::new, |component| format!(" of {}", component.name()));
    Some(format!(
        "run {run} has no pod {name}{component}; it has {names}"
    ))
}

/// Names in their order, each once, and how many more there are.
fn shown<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<_> = names.collect();
    let first = names.iter().take(MOST_NAMES).map(|name| plain(name));
    let first = first.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 if names.is_empty() => "none".to_owned(),
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
