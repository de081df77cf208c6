//! Where runs are kept: the destination, and the fallback.

use super::bucket::S3Settings;
use super::claim::Claim;
use super::destination::DestinationConfig;
use super::faults::Faults;
use super::raw::Raw;
use super::s3;
use super::standard::Standard;
use super::values::ConfigError;
use super::variable::PREFIX;

/// The destination that is set, or the bucket of an ObjectBucketClaim; and the fallback.
pub(super) fn destinations(
    faults: &mut Faults,
    raw: &Raw,
    standard: &Standard,
) -> (Option<DestinationConfig>, Option<DestinationConfig>) {
    let settings = s3::settings(raw, standard).unwrap_or_else(|wrong| {
        faults.0.extend(wrong);
        S3Settings::default()
    });
    let destination = destination(faults, raw, &standard.claim);
    let fallback = faults.read("FALLBACK", raw.fallback.as_ref(), DestinationConfig::parse);
    // Both are reached the same way.
    let mut places = destination.iter().chain(&fallback);
    let claim = Some(&standard.claim).filter(|claim| places.any(|place| place.is_of(claim)));
    let url = claim.and_then(Claim::endpoint);
    if let Some(url) = url.filter(|url| settings.endpoint.is_none() && !s3::is_url(url)) {
        let fault = format!("BUCKET_HOST: with BUCKET_PORT it gives {url}, which is no URL");
        faults.0.push(fault);
    }
    let complete = |place: DestinationConfig| place.with(&settings, claim);
    let (destination, fallback) = (destination.map(complete), fallback.map(complete));
    if fallback.is_some() && fallback == destination {
        faults.add("FALLBACK", "it is the destination itself");
    }
    (destination, fallback)
}

fn destination(faults: &mut Faults, raw: &Raw, claim: &Claim) -> Option<DestinationConfig> {
    match (&raw.destination, &claim.bucket) {
        (None, None) => {
            let example = "is required, such as s3://bucket/prefix or file:///results";
            faults.0.push(format!("{PREFIX}DESTINATION {example}"));
            None
        }
        (None, Some(bucket)) => {
            let parsed = DestinationConfig::parse(&format!("s3://{bucket}"));
            let fault = |fault| faults.0.push(format!("BUCKET_NAME: {fault}"));
            parsed.map_err(fault).ok()
        }
        (set, _) => faults.read("DESTINATION", set.as_ref(), DestinationConfig::parse),
    }
}

/// Only where runs are kept, the destination first and then the fallback. Other variables' faults count,
/// too: one of them may be misspelt.
pub(super) fn places(
    raw: &Raw,
    faults: Vec<String>,
    standard: &Standard,
) -> Result<Vec<DestinationConfig>, ConfigError> {
    let mut faults = Faults(faults);
    let (destination, fallback) = destinations(&mut faults, raw, standard);
    match faults.0.is_empty() {
        true => Ok(destination.into_iter().chain(fallback).collect()),
        false => Err(ConfigError { faults: faults.0 }),
    }
}
