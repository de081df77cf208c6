//! From strings to values; every fault is collected, none stops the search for others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::destination::DestinationConfig;
use super::raw::Raw;
use super::run_id::RunId;
use super::standard::Standard;
use super::values::{Config, ConfigError, EngineName, LogFormat, Telling, TerminationLog};
use super::variable::PREFIX;
use crate::component::Component;

const DEFAULT_SETTLE: Duration = Duration::from_secs(5 * 60);
const DEFAULT_CONCURRENCY: usize = 8;
const DEFAULT_TERMINATION_LOG: &str = "/dev/termination-log";

/// Collects faults by the variable's name.
struct Faults(Vec<String>);

impl Faults {
    /// The variable's value, understood by `parse`, or `None` where it is unset or faulty.
    fn read<T>(
        &mut self,
        name: &str,
        value: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let result = parse(&value?);
        result
            .map_err(|fault| self.0.push(format!("{PREFIX}{name}: {fault}")))
            .ok()
    }
}

/// Says that a value is not what is accepted, for variables that can hold no secret.
fn not(value: &str, accepted: &str) -> String {
    format!("{value:?} is not accepted; accepted: {accepted}")
}

pub(super) fn check(
    raw: Raw,
    faults: Vec<String>,
    standard: Standard,
) -> (Telling, Result<Config, ConfigError>) {
    let mut faults = Faults(faults);
    let telling = telling(&mut faults, raw.termination_log, raw.log);

    if raw.destination.is_none() {
        let example = format!("{PREFIX}DESTINATION is required, such as file:///results");
        faults.0.push(example);
    }
    let destination = faults.read("DESTINATION", raw.destination, DestinationConfig::parse);
    let components = faults.read("COMPONENTS", raw.components, components);
    let settle = faults.read("SETTLE", raw.settle, duration);
    let engine = faults.read("ENGINE", raw.engine, engine);
    let namespace = faults.read("NAMESPACE", raw.namespace, namespace);
    let run_id = faults.read("RUN_ID", raw.run_id, |id| {
        RunId::parse(id).map_err(|accepted| not(id, &accepted))
    });
    let concurrency = faults.read("CONCURRENCY", raw.concurrency, concurrency);
    let labels = faults.read("LABELS", raw.labels, labels);

    let config = match destination {
        Some(destination) if faults.0.is_empty() => Ok(Config {
            destination,
            components: components.unwrap_or_else(|| Component::ALL.into()),
            settle: settle.unwrap_or(DEFAULT_SETTLE),
            engine: engine.unwrap_or(EngineName::Native),
            namespace,
            run_id: run_id.unwrap_or_else(|| RunId::generate(Timestamp::now(), fastrand::u32(..))),
            concurrency: concurrency.unwrap_or(DEFAULT_CONCURRENCY),
            labels: labels.unwrap_or_default(),
            temporary: standard.tmpdir,
            kubeconfig: standard.kubeconfig,
        }),
        _ => Err(ConfigError { faults: faults.0 }),
    };
    (telling, config)
}

fn telling(faults: &mut Faults, termination_log: Option<String>, log: Option<String>) -> Telling {
    let create = termination_log.is_some();
    let path = match termination_log {
        None => Some(PathBuf::from(DEFAULT_TERMINATION_LOG)),
        set => faults.read("TERMINATION_LOG", set, absolute_path),
    };
    Telling {
        termination_log: path.map(|path| TerminationLog { path, create }),
        log: faults.read("LOG", log, log_format),
    }
}

fn absolute_path(value: &str) -> Result<PathBuf, String> {
    if value.starts_with('/') && !value.ends_with('/') {
        Ok(PathBuf::from(value))
    } else {
        Err(not(value, "a file's absolute path"))
    }
}

fn log_format(value: &str) -> Result<LogFormat, String> {
    match value {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        other => Err(not(other, "json, text")),
    }
}

fn components(value: &str) -> Result<BTreeSet<Component>, String> {
    if value == "all" {
        return Ok(Component::ALL.into());
    }
    let accepted = || {
        format!(
            "all, or a comma list of {}",
            Component::ALL.map(Component::name).join(", ")
        )
    };
    value
        .split(',')
        .map(|name| {
            name.trim()
                .parse()
                .map_err(|()| not(name.trim(), &accepted()))
        })
        .collect()
}

fn duration(value: &str) -> Result<Duration, String> {
    let accepted = "a duration above zero with a unit, such as 90s, 5m, 1h30m";
    match humantime::parse_duration(value) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(not(value, accepted)),
    }
}

fn engine(value: &str) -> Result<EngineName, String> {
    match value {
        "native" => Ok(EngineName::Native),
        other => Err(not(other, "native")),
    }
}

fn namespace(value: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = value.len() <= 63
        && value.chars().all(inner)
        && !value.starts_with('-')
        && !value.ends_with('-');
    good.then(|| value.to_owned())
        .ok_or_else(|| not(value, "a namespace's name"))
}

fn concurrency(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(number @ 1..=64) => Ok(number),
        _ => Err(not(value, "a number from 1 to 64")),
    }
}

/// A label's value may be anybody's secret, so only keys are ever repeated.
fn labels(value: &str) -> Result<BTreeMap<String, String>, String> {
    let mut labels = BTreeMap::new();
    for (index, entry) in value.split(',').enumerate() {
        let Some((key, value)) = entry.split_once('=') else {
            return Err(format!(
                "entry {} has no '='; accepted: key=value,…",
                index + 1
            ));
        };
        let key = key.trim();
        if key.is_empty() {
            return Err(format!(
                "entry {} has no key; accepted: key=value,…",
                index + 1
            ));
        }
        if labels
            .insert(key.to_owned(), value.trim().to_owned())
            .is_some()
        {
            return Err(format!("the key {key:?} is there twice"));
        }
    }
    Ok(labels)
}
