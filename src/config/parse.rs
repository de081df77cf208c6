//! One value at a time: a string in, a value or what is accepted out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::values::{EnablePolicy, LogFormat};
use crate::component::Component;

/// Says that a value is not what is accepted, for variables that can hold no secret.
pub(super) fn not(value: &str, accepted: &str) -> String {
    format!("{value:?} is not accepted; accepted: {accepted}")
}

/// No run is longer, and no clock overflows.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn absolute_path(value: &str) -> Result<PathBuf, String> {
    let path = value.trim_end_matches('/');
    if path.starts_with('/') {
        Ok(PathBuf::from(path))
    } else {
        Err(not(value, "an absolute path"))
    }
}

pub(super) fn log_format(value: &str) -> Result<LogFormat, String> {
    match value {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        other => Err(not(other, "json, text")),
    }
}

pub(super) fn components(value: &str) -> Result<BTreeSet<Component>, String> {
    if value == "all" {
        return Ok(Component::ALL.into());
    }
    let names = Component::ALL.map(Component::name).join(", ");
    let accepted = format!("all, or a comma list of {names}");
    let component = |name: &str| name.parse().map_err(|()| not(name, &accepted));
    value
        .split(',')
        .map(|name| component(name.trim()))
        .collect()
}

pub(super) fn duration(value: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(value).ok();
    duration
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| {
            not(
                value,
                "a duration with a unit, such as 90s, 5m, 1h30m, up to 30d",
            )
        })
}

/// How old something may get, which is longer than any run takes.
pub(super) fn age(value: &str) -> Result<Duration, String> {
    const OLDEST: Duration = Duration::from_secs(3650 * 24 * 3600);
    let age = humantime::parse_duration(value).ok();
    age.filter(|age| !age.is_zero() && *age <= OLDEST)
        .ok_or_else(|| {
            not(
                value,
                "a duration with a unit, such as 36h or 30d, up to 3650d",
            )
        })
}

pub(super) fn engine(value: &str) -> Result<String, String> {
    match value {
        "native" | "cluster-profiler" => Ok(value.to_owned()),
        other => Err(not(other, "native, cluster-profiler")),
    }
}

/// Whether originals are kept.
pub(super) fn originals(value: &str) -> Result<bool, String> {
    match value {
        "keep" => Ok(true),
        "drop" => Ok(false),
        other => Err(not(other, "keep, drop")),
    }
}

pub(super) fn enable_policy(value: &str) -> Result<EnablePolicy, String> {
    match value {
        "require" => Ok(EnablePolicy::Require),
        "enable" => Ok(EnablePolicy::Enable),
        "enable-and-restore" => Ok(EnablePolicy::EnableAndRestore),
        other => Err(not(other, "require, enable, enable-and-restore")),
    }
}

pub(super) fn namespace(value: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = value.len() <= 63
        && value.chars().all(inner)
        && !value.starts_with('-')
        && !value.ends_with('-');
    good.then(|| value.to_owned())
        .ok_or_else(|| not(value, "a namespace's name"))
}

pub(super) fn number(
    range: std::ops::RangeInclusive<u32>,
) -> impl FnOnce(&str) -> Result<u32, String> {
    move |value| {
        let number = value.parse().ok().filter(|number| range.contains(number));
        let accepted = || format!("a number from {} to {}", range.start(), range.end());
        number.ok_or_else(|| not(value, &accepted()))
    }
}

pub(super) fn boolean(value: &str) -> Result<bool, String> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(not(other, "true, false")),
    }
}

/// A label's value may be anybody's secret, so only keys are ever repeated.
pub(super) fn labels(value: &str) -> Result<BTreeMap<String, String>, String> {
    let mut labels = BTreeMap::new();
    for (index, entry) in value.split(',').enumerate() {
        let fault = |what| format!("entry {} {what}; accepted: key=value,…", index + 1);
        let (key, value) = entry.split_once('=').ok_or_else(|| fault("has no '='"))?;
        let key = key.trim();
        if key.is_empty() {
            return Err(fault("has no key"));
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
