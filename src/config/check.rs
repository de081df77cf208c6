//! From strings to values; every fault is collected, none stops the search for others.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::faults::Faults;
use super::min_complete::{self, MinComplete};
use super::parse::{
    absolute_path, age, boolean, components, duration, enable_policy, engine, labels, log_format,
    namespace, not, number, originals,
};
use super::places::destinations;
use super::raw::Raw;
use super::run_id::RunId;
use super::standard::Standard;
use super::values::{
    Config, ConfigError, EnablePolicy, EngineConfig, Patience, Retention, SignalFiles, Telling,
    TerminationLog, UndoConfig, WindowConfig,
};
use super::variable::PREFIX;
use crate::component::Component;

const DEFAULT_SETTLE: Duration = Duration::from_secs(5 * 60);
const DEFAULT_MAX_WINDOW: Duration = Duration::from_secs(60 * 60);
const DEFAULT_PREFLIGHT_RETRY: Duration = Duration::from_secs(10 * 60);
const DEFAULT_LOCK_WAIT: Duration = Duration::from_secs(10 * 60);
const DEFAULT_STOP_WAIT: Duration = Duration::from_secs(2 * 60);
const DEFAULT_GRACE: Duration = Duration::from_secs(25);
const DEFAULT_CONCURRENCY: u32 = 8;
const DEFAULT_PAGE_SIZE: u32 = 2;
const DEFAULT_TERMINATION_LOG: &str = "/dev/termination-log";
const DEFAULT_PROGRAM: &str = "cluster-profiler";

pub(super) fn check(
    raw: &Raw,
    faults: Vec<String>,
    standard: Standard,
) -> (Telling, Result<Config, ConfigError>) {
    let mut faults = Faults(faults);
    let telling = telling(&mut faults, raw, &standard);
    let (destination, fallback) = destinations(&mut faults, raw, &standard);
    let components = faults.read("COMPONENTS", raw.components.as_ref(), components);
    let window = window(&mut faults, raw);
    let signals = signals(&mut faults, raw, &standard);
    distinct(&mut faults, &signals, &telling);
    let engine = engine_config(&mut faults, raw, &standard);
    let namespace = faults.read("NAMESPACE", raw.namespace.as_ref(), namespace);
    let run_id = faults.read("RUN_ID", raw.run_id.as_ref(), |id| {
        RunId::parse(id).map_err(|accepted| not(id, &accepted))
    });
    let keep_originals = faults.read("ORIGINALS", raw.originals.as_ref(), originals);
    let enable_policy = faults.read("FEATURE_GATE", raw.feature_gate.as_ref(), enable_policy);
    let concurrency = faults.read("CONCURRENCY", raw.concurrency.as_ref(), number(1..=64));
    let min_complete = faults.read("MIN_COMPLETE", raw.min_complete.as_ref(), |value| {
        MinComplete::parse(value).ok_or_else(|| not(value, min_complete::ACCEPTED))
    });
    let patience = patience(&mut faults, raw, window);
    let retention = Retention {
        keep: faults.read("KEEP", raw.keep.as_ref(), number(1..=100_000)),
        keep_for: faults.read("KEEP_FOR", raw.keep_for.as_ref(), age),
    };
    let labels = faults.read("LABELS", raw.labels.as_ref(), labels);
    let dry_run = faults.read("DRY_RUN", raw.dry_run.as_ref(), boolean);

    let config = match destination {
        Some(destination) if faults.0.is_empty() => Ok(Config {
            destination,
            fallback,
            components: components.unwrap_or_else(|| Component::ALL.into()),
            window,
            signals,
            engine,
            namespace,
            run_id: run_id.unwrap_or_else(|| RunId::generate(Timestamp::now(), fastrand::u32(..))),
            keep_originals: keep_originals.unwrap_or(true),
            concurrency: concurrency.unwrap_or(DEFAULT_CONCURRENCY) as usize,
            enable_policy: enable_policy.unwrap_or(EnablePolicy::Require),
            min_complete: min_complete.unwrap_or_default(),
            patience,
            retention,
            labels: labels.unwrap_or_default(),
            dry_run: dry_run.unwrap_or(false),
            pod: standard.pod,
            temporary: standard.tmpdir,
            kubeconfig: standard.kubeconfig,
        }),
        _ => Err(ConfigError { faults: faults.0 }),
    };
    (telling, config)
}

/// Only what an undo needs. Other variables' faults count, too: one of them may be misspelt.
pub(super) fn undo_config(
    raw: &Raw,
    faults: Vec<String>,
    standard: Standard,
) -> (Telling, Result<UndoConfig, ConfigError>) {
    let mut faults = Faults(faults);
    let telling = telling(&mut faults, raw, &standard);
    let namespace = faults.read("NAMESPACE", raw.namespace.as_ref(), namespace);
    let lock_wait = faults.duration("LOCK_WAIT", raw.lock_wait.as_ref(), DEFAULT_LOCK_WAIT);
    let stop_wait = faults.duration("STOP_WAIT", raw.stop_wait.as_ref(), DEFAULT_STOP_WAIT);
    let config = match faults.0.is_empty() {
        true => Ok(UndoConfig {
            namespace,
            lock_wait,
            stop_wait,
            kubeconfig: standard.kubeconfig,
        }),
        false => Err(ConfigError { faults: faults.0 }),
    };
    (telling, config)
}

/// Only the files by which a run and others tell each other where they are, the done file last.
pub(super) fn signal_files(
    raw: &Raw,
    standard: &Standard,
) -> Result<(SignalFiles, PathBuf), ConfigError> {
    let mut faults = Faults(Vec::new());
    let files = signals(&mut faults, raw, standard);
    match done_file(&mut faults, raw, standard) {
        Some(done) if faults.0.is_empty() => Ok((files, done)),
        _ => Err(ConfigError { faults: faults.0 }),
    }
}

fn done_file(faults: &mut Faults, raw: &Raw, standard: &Standard) -> Option<PathBuf> {
    match raw.done_file.as_ref() {
        None => Some(standard.signal("done")),
        set => faults.read("DONE_FILE", set, absolute_path),
    }
}

fn telling(faults: &mut Faults, raw: &Raw, standard: &Standard) -> Telling {
    let set = raw.termination_log.as_ref();
    let termination_log = match set {
        None => Some(PathBuf::from(DEFAULT_TERMINATION_LOG)),
        set => faults.read("TERMINATION_LOG", set, absolute_path),
    };
    Telling {
        termination_log: termination_log.map(|path| TerminationLog {
            path,
            create: set.is_some(),
        }),
        done_file: done_file(faults, raw, standard),
        results_dir: faults.read("RESULTS_DIR", raw.results_dir.as_ref(), absolute_path),
        log: faults.read("LOG", raw.log.as_ref(), log_format),
        log_filter: standard.log_filter.clone(),
    }
}

fn window(faults: &mut Faults, raw: &Raw) -> WindowConfig {
    let settle_after_stop_file = raw.stop_file.is_some();
    let settle = faults.read("SETTLE", raw.settle.as_ref(), |value| {
        match duration(value)? {
            Duration::ZERO if !settle_after_stop_file => Err(not(
                value,
                "a duration above zero, unless a PROFILER_STOP_FILE is set",
            )),
            settle => Ok(settle),
        }
    });
    let default = if settle_after_stop_file {
        Duration::ZERO
    } else {
        DEFAULT_SETTLE
    };
    let faulty = raw.settle.is_some() && settle.is_none();
    let settle = settle.unwrap_or(default);
    let max = faults.read("MAX_WINDOW", raw.max_window.as_ref(), duration);
    if let Some(max) = max.filter(|max| !faulty && (settle > *max || max.is_zero())) {
        let fault = format!("{max:?} is less than {PREFIX}SETTLE, {settle:?}, or no time at all");
        faults.add("MAX_WINDOW", &fault);
    }
    let max = max.unwrap_or(settle.max(DEFAULT_MAX_WINDOW));
    WindowConfig {
        settle,
        settle_after_stop_file,
        max,
    }
}

fn signals(faults: &mut Faults, raw: &Raw, standard: &Standard) -> SignalFiles {
    let stop = faults.read("STOP_FILE", raw.stop_file.as_ref(), absolute_path);
    let ready = faults.read("READY_FILE", raw.ready_file.as_ref(), absolute_path);
    SignalFiles {
        stop: stop.unwrap_or_else(|| standard.signal("stop")),
        ready: ready.unwrap_or_else(|| standard.signal("ready")),
    }
}

/// Files that mean different things must be different files.
fn distinct(faults: &mut Faults, signals: &SignalFiles, telling: &Telling) {
    let log = telling.termination_log.as_ref().map(|log| &log.path);
    let named = [
        ("STOP_FILE", Some(&signals.stop)),
        ("READY_FILE", Some(&signals.ready)),
        ("DONE_FILE", telling.done_file.as_ref()),
        ("TERMINATION_LOG", log),
    ];
    for (index, (name, path)) in named.iter().enumerate() {
        let same = named[..index]
            .iter()
            .find(|(_, other)| path.is_some() && other == path);
        if let Some((other, _)) = same {
            faults.add(name, &format!("it is the same file as {PREFIX}{other}"));
        }
    }
}

fn engine_config(faults: &mut Faults, raw: &Raw, standard: &Standard) -> EngineConfig {
    let engine = faults.read("ENGINE", raw.engine.as_ref(), engine);
    let program = faults.read("PROGRAM", raw.program.as_ref(), absolute_path);
    let page_size = faults.read("PAGE_SIZE", raw.page_size.as_ref(), number(1..=20));
    if engine.as_deref() != Some("cluster-profiler") {
        return EngineConfig::Native;
    }
    let Some(program) = program.or_else(|| standard.on_path(DEFAULT_PROGRAM)) else {
        let fault = format!("{DEFAULT_PROGRAM} is not on PATH; set {PREFIX}PROGRAM or use native");
        faults.add("ENGINE", &fault);
        return EngineConfig::Native;
    };
    let page_size = page_size.unwrap_or(DEFAULT_PAGE_SIZE);
    EngineConfig::ClusterProfiler { program, page_size }
}

fn patience(faults: &mut Faults, raw: &Raw, window: WindowConfig) -> Patience {
    let retry = raw.preflight_retry.as_ref();
    let preflight_retry = faults.duration("PREFLIGHT_RETRY", retry, DEFAULT_PREFLIGHT_RETRY);
    let lock_wait = faults.duration("LOCK_WAIT", raw.lock_wait.as_ref(), DEFAULT_LOCK_WAIT);
    let stop_wait = faults.duration("STOP_WAIT", raw.stop_wait.as_ref(), DEFAULT_STOP_WAIT);
    let grace = faults.duration("GRACE", raw.grace.as_ref(), DEFAULT_GRACE);
    let start_tries = faults.read("START_TRIES", raw.start_tries.as_ref(), number(1..=10));
    let deadline = faults.read("DEADLINE", raw.deadline.as_ref(), |value| {
        let deadline = duration(value)?;
        let least = window.max.saturating_add(grace);
        let fault = || {
            let (max, grace) = (window.max, grace);
            format!("{value:?} has no room for {PREFIX}MAX_WINDOW, {max:?}, and {PREFIX}GRACE, {grace:?}")
        };
        (deadline > least).then_some(deadline).ok_or_else(fault)
    });
    let start_tries = start_tries.unwrap_or(3);
    Patience {
        preflight_retry,
        lock_wait,
        stop_wait,
        start_tries,
        grace,
        deadline,
    }
}
