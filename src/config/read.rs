//! Settings in, a checked configuration out. Every fault is collected; none stops the search for others.
//!
//! A setting with a default has a value even where it is faulty: so a `?` after one ends nothing.

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::Timestamp;

use super::destination::read_destinations;
use super::foreign_settings::ForeignSettings;
use super::push::{access, read_push};
use super::push_config::PushAccess;
use super::run_id::RunId;
use super::setting::Faults;
use super::types::{
    CompareConfig, Config, ConfigError, DestinationConfig, EngineConfig, EngineName, Patience,
    Retention, SignalFiles, Telling, TerminationLog, UndoConfig,
};
use super::variables::Settings;
use super::window::{read_snapshots, read_vmis, read_window};
use super::window_config::WindowConfig;

/// Reads a run's configuration out of an environment.
///
/// The first result is good even when the second is an error.
pub fn from_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> (Telling, Result<Config, ConfigError>) {
    let (settings, foreign, mut faults) = read_settings(environment);
    let telling = read_telling(&mut faults, &settings, &foreign);
    let config = read_config(&mut faults, &settings, foreign, &telling);
    (telling, faults.into_result(config))
}

/// Reads what an undo needs: which cluster, how long to wait, and whom to tell. Of other variables only
/// the names are checked, for one may be misspelt.
///
/// The first result is good even when the second is an error.
pub fn undo_config(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> (Telling, Result<UndoConfig, ConfigError>) {
    let (settings, foreign, mut faults) = read_settings(environment);
    let telling = read_telling(&mut faults, &settings, &foreign);
    let namespace = faults.read(settings.namespace());
    let lock_wait = faults.read(settings.lock_wait());
    let stop_wait = faults.read(settings.stop_wait());
    let config = lock_wait
        .zip(stop_wait)
        .map(|(lock_wait, stop_wait)| UndoConfig {
            namespace,
            lock_wait,
            stop_wait,
            kubeconfig: foreign.kubeconfig,
            proxies: foreign.proxies,
        });
    (telling, faults.into_result(config))
}

/// Reads where runs are kept: the destination, and then the fallback if there is one.
///
/// # Errors
/// One of their variables is faulty, or a variable has an unknown name, for it may be misspelt.
pub fn places(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<DestinationConfig>, ConfigError> {
    let (settings, foreign, mut faults) = read_settings(environment);
    let (destination, fallback) = read_destinations(&mut faults, &settings, &foreign);
    faults.into_result(Some(destination.into_iter().chain(fallback).collect()))
}

/// Reads how servers are reached that a run is pushed to by hand.
///
/// # Errors
/// Their variable is faulty, or a variable has an unknown name, for it may be misspelt.
pub fn push_access(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<PushAccess, ConfigError> {
    let (settings, foreign, mut faults) = read_settings(environment);
    let headers_file = faults.read(settings.push_headers_file());
    faults.into_result(Some(access(&foreign, headers_file)))
}

/// Reads the signal files and, last, the done file: what a process beside the run needs.
///
/// # Errors
/// One of their variables is faulty. Other variables are not looked at.
pub fn signal_files(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(SignalFiles, PathBuf), ConfigError> {
    let (settings, foreign, _) = read_settings(environment);
    let mut faults = Faults::default();
    let files = read_signal_files(&mut faults, &settings, &foreign);
    let done = read_done_file(&mut faults, &settings, &foreign);
    faults.into_result(done.map(|done| (files, done)))
}

fn read_settings(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> (Settings, ForeignSettings, Faults) {
    let environment: Vec<_> = environment.into_iter().collect();
    let (settings, faults) = Settings::read(&environment);
    (settings, ForeignSettings::read(&environment), faults)
}

fn read_config(
    faults: &mut Faults,
    settings: &Settings,
    foreign: ForeignSettings,
    telling: &Telling,
) -> Option<Config> {
    let (destination, fallback) = read_destinations(faults, settings, &foreign);
    let components = faults.read(settings.components())?;
    let window = read_window(faults, settings)?;
    let signals = read_signal_files(faults, settings, &foreign);
    check_distinct(faults, settings, &signals, telling);
    let config = Config {
        fallback,
        components,
        window,
        vmis: read_vmis(faults, settings),
        signals,
        engine: read_engine(faults, settings, &foreign)?,
        namespace: faults.read(settings.namespace()),
        run_id: faults
            .read(settings.run_id())
            .unwrap_or_else(|| RunId::generate(Timestamp::now(), fastrand::u32(..))),
        keep_originals: faults.read(settings.originals())?,
        baseline: faults.read(settings.baseline())?,
        snapshots: read_snapshots(faults, settings)?,
        report: faults.read(settings.report())?,
        push: read_push(faults, settings, &foreign),
        enable_policy: faults.read(settings.feature_gate())?,
        concurrency: faults.read(settings.concurrency())? as usize,
        min_complete: faults.read(settings.min_complete())?,
        patience: read_patience(faults, settings, window)?,
        retention: Retention {
            keep: faults.read(settings.keep()),
            keep_for: faults.read(settings.keep_for()),
        },
        labels: faults.read(settings.labels()).unwrap_or_default(),
        compare_key: faults.read(settings.compare_key()),
        compare: read_compare(faults, settings)?,
        dry_run: faults.read(settings.dry_run())?,
        pod: foreign.pod,
        temporary: foreign.tmpdir,
        kubeconfig: foreign.kubeconfig,
        proxies: foreign.proxies,
        // Last, for it has no default: until here every fault was looked for.
        destination: destination?,
    };
    Some(config)
}

fn read_telling(faults: &mut Faults, settings: &Settings, foreign: &ForeignSettings) -> Telling {
    let termination_log = settings.termination_log();
    let create = termination_log.is_set();
    Telling {
        termination_log: faults
            .read_good(termination_log)
            .map(|path| TerminationLog { path, create }),
        done_file: read_done_file(faults, settings, foreign),
        results_dir: faults.read(settings.results_dir()),
        log: faults.read(settings.log()),
        log_filter: foreign.log_filter.clone(),
    }
}

fn read_done_file(
    faults: &mut Faults,
    settings: &Settings,
    foreign: &ForeignSettings,
) -> Option<PathBuf> {
    let done_file = settings.done_file();
    if done_file.is_set() {
        faults.read(done_file)
    } else {
        Some(foreign.signal_file("done"))
    }
}

fn read_signal_files(
    faults: &mut Faults,
    settings: &Settings,
    foreign: &ForeignSettings,
) -> SignalFiles {
    let stop = faults.read(settings.stop_file());
    let ready = faults.read(settings.ready_file());
    SignalFiles {
        stop: stop.unwrap_or_else(|| foreign.signal_file("stop")),
        ready: ready.unwrap_or_else(|| foreign.signal_file("ready")),
    }
}

/// Files that mean different things must be different files.
fn check_distinct(
    faults: &mut Faults,
    settings: &Settings,
    signals: &SignalFiles,
    telling: &Telling,
) {
    let log = telling.termination_log.as_ref().map(|log| &log.path);
    let named = [
        (settings.stop_file().name, Some(&signals.stop)),
        (settings.ready_file().name, Some(&signals.ready)),
        (settings.done_file().name, telling.done_file.as_ref()),
        (settings.termination_log().name, log),
    ];
    for (index, (name, path)) in named.iter().enumerate() {
        let same = named[..index]
            .iter()
            .find(|(_, other)| path.is_some() && other == path);
        if let Some((other, _)) = same {
            faults.add(name, &format!("it is the same file as {other}"));
        }
    }
}

fn read_engine(
    faults: &mut Faults,
    settings: &Settings,
    foreign: &ForeignSettings,
) -> Option<EngineConfig> {
    const PROGRAM: &str = "cluster-profiler";
    let engine = faults.read(settings.engine())?;
    let program = faults.read(settings.program());
    let page_size = faults.read(settings.page_size())?;
    Some(match engine {
        EngineName::Native => EngineConfig::Native,
        EngineName::ClusterProfiler => {
            let Some(program) = program.or_else(|| foreign.on_path(PROGRAM)) else {
                let name = settings.program().name;
                let fault = format!("{PROGRAM} is not on PATH; set {name} or use native");
                faults.add(&settings.engine().name, &fault);
                return Some(EngineConfig::Native);
            };
            EngineConfig::ClusterProfiler { program, page_size }
        }
    })
}

/// Reads whether the run is compared with those before it. The outer `None` is a fault.
fn read_compare(faults: &mut Faults, settings: &Settings) -> Option<Option<CompareConfig>> {
    let (baseline, latency) = (settings.baseline(), settings.vmi_latency());
    let (compare, fail) = (settings.compare(), settings.fail_on_regression());
    let numbers = format!("{}=true or {}=true", baseline.name, latency.name);
    let needs = format!("it needs {}=true", compare.name);
    let has_numbers = settings.until_vmis_running().is_set()
        || [baseline, latency].map(|of| of.is_true()).contains(&true);
    let is_wanted = compare.is_true();
    let rule =
        |wanted: &bool, met: bool, fault: String| (!wanted || met).then_some(()).ok_or(fault);
    let without_numbers = format!("without {numbers} there are no numbers to compare");
    faults.read(compare.with_rule(|_, wanted| rule(wanted, has_numbers, without_numbers)))?;
    let fail_on_regression =
        faults.read(fail.with_rule(|_, wanted| rule(wanted, is_wanted, needs)))?;
    Some(is_wanted.then_some(CompareConfig { fail_on_regression }))
}

fn read_patience(
    faults: &mut Faults,
    settings: &Settings,
    window: WindowConfig,
) -> Option<Patience> {
    let preflight_retry = faults.read(settings.preflight_retry())?;
    let lock_wait = faults.read(settings.lock_wait())?;
    let stop_wait = faults.read(settings.stop_wait())?;
    let grace = faults.read(settings.grace())?;
    let start_tries = faults.read(settings.start_tries())?;
    let deadline = settings.deadline().with_rule(|text, deadline| {
        let max = window.max;
        if *deadline > max.saturating_add(grace) {
            return Ok(());
        }
        let (max_name, grace_name) = (settings.max_window().name, settings.grace().name);
        Err(format!(
            "{text:?} has no room for {max_name}, {max:?}, and {grace_name}, {grace:?}"
        ))
    });
    Some(Patience {
        preflight_retry,
        lock_wait,
        stop_wait,
        start_tries,
        grace,
        deadline: faults.read(deadline),
    })
}
