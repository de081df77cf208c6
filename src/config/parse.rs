//! Parsers of a setting's text. Each returns the value, or a fault that says what is accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::min_complete::{self, MinComplete};
use super::run_id::RunId;
use super::types::{DestinationConfig, S3Config, S3Settings};
use crate::component::Component;
use crate::pprof::Kind;

/// The fault of a value that is not accepted, for variables that can hold no secret.
pub(super) fn not(value: &str, accepted: &str) -> String {
    format!("{value:?} is not accepted; accepted: {accepted}")
}

/// Any text, for which others decide whether it is good.
pub(super) fn any(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}

/// A key that runs are compared by, which a line of a table has room for.
pub(super) fn compare_key(value: &str) -> Result<String, String> {
    const LONGEST: usize = 200;
    if value.chars().count() > LONGEST || value.chars().any(char::is_control) {
        return Err(format!("not one line of at most {LONGEST} characters"));
    }
    Ok(value.to_owned())
}

/// One of these words, each with what it means.
pub(super) fn one_of<T, const N: usize>(
    words: [(&'static str, T); N],
) -> impl Fn(&str) -> Result<T, String>
where
    T: Clone,
{
    move |value| {
        let found = words.iter().find(|(word, _)| *word == value);
        let accepted = || words.each_ref().map(|(word, _)| *word).join(", ");
        found
            .map(|(_, meaning)| meaning.clone())
            .ok_or_else(|| not(value, &accepted()))
    }
}

/// `true` or `false`.
pub(super) fn boolean(value: &str) -> Result<bool, String> {
    one_of([("true", true), ("false", false)])(value)
}

/// A whole number in a range.
pub(super) fn number(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> {
    move |value| {
        let parsed = value.parse().ok().filter(|parsed| range.contains(parsed));
        let accepted = || format!("a number from {} to {}", range.start(), range.end());
        parsed.ok_or_else(|| not(value, &accepted()))
    }
}

/// A duration with a unit. No run is longer than 30 days, and no clock overflows.
pub(super) fn duration(value: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
    let accepted = "a duration with a unit, such as 90s, 5m, 1h30m, up to 30d";
    let parsed = humantime::parse_duration(value).ok();
    parsed
        .filter(|parsed| *parsed <= LONGEST)
        .ok_or_else(|| not(value, accepted))
}

/// The greatest age of something that is kept, which may be longer than any run takes.
pub(super) fn age(value: &str) -> Result<Duration, String> {
    const OLDEST: Duration = Duration::from_secs(3650 * 24 * 3600);
    let accepted = "a duration with a unit, such as 36h or 30d, up to 3650d";
    let parsed = humantime::parse_duration(value).ok();
    parsed
        .filter(|parsed| !parsed.is_zero() && *parsed <= OLDEST)
        .ok_or_else(|| not(value, accepted))
}

/// An absolute path, without slashes at its end.
pub(super) fn absolute_path(value: &str) -> Result<PathBuf, String> {
    let path = value.trim_end_matches('/');
    if path.starts_with('/') {
        Ok(PathBuf::from(path))
    } else {
        Err(not(value, "an absolute path"))
    }
}

/// `all`, or names of components, separated by commas.
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

/// The kinds of profile that a dump within the window may have.
pub(super) fn kinds(value: &str) -> Result<BTreeSet<Kind>, String> {
    let all = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Cpu);
    let all: Vec<_> = all.map(|kind| (kind.name(), kind)).collect();
    let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
    let accepted = format!("a comma list of {}", names.join(", "));
    let kind = |name: &str| {
        let found = all.iter().find(|(other, _)| *other == name.trim());
        found
            .map(|(_, kind)| *kind)
            .ok_or_else(|| not(name, &accepted))
    };
    value.split(',').map(kind).collect()
}

/// A Kubernetes namespace's name.
pub(super) fn namespace(value: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = value.len() <= 63
        && value.chars().all(inner)
        && !value.starts_with('-')
        && !value.ends_with('-');
    good.then(|| value.to_owned())
        .ok_or_else(|| not(value, "a namespace's name"))
}

/// A label selector, which the API server alone understands: only what can be none is refused.
pub(super) fn label_selector(value: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_./,=!() ".contains(c);
    let good = value.len() <= 1000 && value.chars().all(inner);
    good.then(|| value.to_owned())
        .ok_or_else(|| not(value, "a label selector, such as app=vm,tier in (a,b)"))
}

/// A run's id.
pub(super) fn run_id(value: &str) -> Result<RunId, String> {
    RunId::parse(value).map_err(|accepted| not(value, &accepted))
}

/// The share of the pods that is enough.
pub(super) fn min_complete(value: &str) -> Result<MinComplete, String> {
    MinComplete::parse(value).ok_or_else(|| not(value, min_complete::ACCEPTED))
}

/// A destination's URI. A fault repeats it only as far as it can hold no secret.
pub(super) fn destination(uri: &str) -> Result<DestinationConfig, String> {
    const ACCEPTED: &str = "s3://BUCKET[/PREFIX], or file:///DIRECTORY, an absolute path";
    let fault = |what: &str| Err(format!("{} {what}; accepted: {ACCEPTED}", redacted(uri)));
    if let Some(rest) = uri.strip_prefix("s3://") {
        return match s3_bucket(rest) {
            Ok(bucket) => Ok(DestinationConfig::Bucket(Box::new(bucket))),
            Err(what) => fault(what),
        };
    }
    let Some(rest) = uri.strip_prefix("file://") else {
        return fault("is no URI of a kind that is known");
    };
    if !rest.starts_with('/') {
        return fault("has something before the path (two slashes where three are needed?)");
    }
    if rest.split('/').any(|part| part == "..") {
        return fault("has a part that is no plain directory name");
    }
    Ok(DestinationConfig::Directory(PathBuf::from(rest)))
}

/// The part of a URI after `s3://`.
fn s3_bucket(rest: &str) -> Result<S3Config, &'static str> {
    /// Keys may have 1,024 bytes, of which the longest run's name takes 120.
    const LONGEST_PREFIX: usize = 900;
    let (bucket, after) = rest.split_once('/').unwrap_or((rest, ""));
    let inner = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(inner) {
        return Err("has no name of a bucket after s3://");
    }
    let prefix = after.trim_matches('/');
    if prefix.len() > LONGEST_PREFIX || prefix.chars().any(char::is_control) {
        return Err("has a prefix that is too long or has control characters");
    }
    Ok(S3Config {
        bucket: bucket.to_owned(),
        prefix: match prefix {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        },
        settings: S3Settings::default(),
    })
}

/// A URI's scheme, if it is one that is known: users put credentials into all other parts.
fn redacted(uri: &str) -> String {
    let scheme = uri.split_once("://").map(|(scheme, _)| scheme);
    let known = scheme.filter(|scheme| ["file", "s3", "http", "https", "ftp"].contains(scheme));
    known.map_or_else(
        || "what it is set to".to_owned(),
        |scheme| format!("{scheme}://…"),
    )
}

/// `key=value,…`. A label's value may be anybody's secret, so only keys are ever repeated.
pub(super) fn labels(value: &str) -> Result<BTreeMap<String, String>, String> {
    let mut parsed = BTreeMap::new();
    for (index, entry) in value.split(',').enumerate() {
        let fault = |what| format!("entry {} {what}; accepted: key=value,…", index + 1);
        let (key, value) = entry.split_once('=').ok_or_else(|| fault("has no '='"))?;
        let key = key.trim();
        if key.is_empty() {
            return Err(fault("has no key"));
        }
        if parsed
            .insert(key.to_owned(), value.trim().to_owned())
            .is_some()
        {
            return Err(format!("the key {key:?} is there twice"));
        }
    }
    Ok(parsed)
}

/// Labels as S3 has an object's tags in a header: encoded as a URL's query.
pub(super) fn tags(value: &str) -> Result<String, String> {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    let encode = |text| utf8_percent_encode(text, ENCODED);
    let parsed = labels(value)?;
    let pairs = parsed
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)));
    Ok(pairs.collect::<Vec<_>>().join("&"))
}
