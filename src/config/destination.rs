//! Destinations, and the settings of buckets, read out of our variables, AWS's and an ObjectBucketClaim's.

use super::foreign_settings::{ForeignSettings, ObjectBucketClaim, is_url};
use super::parse;
use super::setting::Faults;
use super::types::{DestinationConfig, S3Settings};
use super::variables::Settings;

/// The destination that is set, or the bucket of an ObjectBucketClaim; and the fallback.
pub(super) fn read_destinations(
    faults: &mut Faults,
    settings: &Settings,
    foreign: &ForeignSettings,
) -> (Option<DestinationConfig>, Option<DestinationConfig>) {
    let s3_settings = read_s3_settings(faults, settings, foreign);
    let destination = read_destination(faults, settings, &foreign.claim);
    let fallback = faults.read(settings.fallback());
    // Both are reached the same way.
    let mut set = destination.iter().chain(&fallback);
    let claim = Some(&foreign.claim).filter(|claim| set.any(|place| is_of(place, claim)));
    let s3_settings = match claim {
        Some(claim) => with_claim(faults, s3_settings, claim),
        None => s3_settings,
    };
    let complete = |place| with(place, &s3_settings);
    let (destination, fallback) = (destination.map(complete), fallback.map(complete));
    if fallback.is_some() && fallback == destination {
        faults.add(&settings.fallback().name, "it is the destination itself");
    }
    (destination, fallback)
}

fn read_destination(
    faults: &mut Faults,
    settings: &Settings,
    claim: &ObjectBucketClaim,
) -> Option<DestinationConfig> {
    let destination = settings.destination();
    if destination.is_set() {
        return faults.read(destination);
    }
    let Some(bucket) = &claim.bucket else {
        let example = "is required, such as s3://bucket/prefix or file:///results";
        faults.add_text(format!("{} {example}", destination.name));
        return None;
    };
    let parsed = parse::destination(&format!("s3://{bucket}"));
    let fault = |fault: String| faults.add(ObjectBucketClaim::BUCKET_NAME, &fault);
    parsed.map_err(fault).ok()
}

/// Whether a place is the bucket of an ObjectBucketClaim.
fn is_of(place: &DestinationConfig, claim: &ObjectBucketClaim) -> bool {
    match place {
        DestinationConfig::Bucket(at) => claim.bucket.as_ref() == Some(&at.bucket),
        DestinationConfig::Directory(_) => false,
    }
}

/// The same place; a bucket with these settings.
fn with(place: DestinationConfig, settings: &S3Settings) -> DestinationConfig {
    match place {
        DestinationConfig::Bucket(mut bucket) => {
            bucket.settings = settings.clone();
            DestinationConfig::Bucket(bucket)
        }
        directory @ DestinationConfig::Directory(_) => directory,
    }
}

/// The settings of all buckets, without what is faulty.
fn read_s3_settings(
    faults: &mut Faults,
    settings: &Settings,
    foreign: &ForeignSettings,
) -> S3Settings {
    let endpoint = foreign.endpoint.as_ref().and_then(|(name, url)| {
        if is_url(url) {
            return Some(url.clone());
        }
        let what = "it is no URL; accepted: https://HOST[:PORT], or http:// without TLS";
        faults.add(name, what);
        None
    });
    let max_attempts = foreign.max_attempts.as_ref().and_then(|(name, text)| {
        let number = text.parse().ok().filter(|number| *number > 0);
        if number.is_none() {
            faults.add(name, "it is no number above 0");
        }
        number
    });
    let path_style = faults.read(settings.s3_path_style());
    let encryption = settings.s3_encryption();
    let is_kms = encryption
        .text
        .is_some_and(|name| name.starts_with("aws:kms"));
    let kms_key = settings.s3_kms_key_id().with_rule(|_, _| {
        if is_kms {
            return Ok(());
        }
        Err(format!("it is for {}=aws:kms", encryption.name))
    });
    S3Settings {
        endpoint,
        scheme_is_guess: false,
        region: foreign.region.clone(),
        checksums_set: foreign.checksums_set,
        max_attempts,
        proxies: foreign.proxies.clone(),
        ca_bundles: foreign.ca_bundles.clone(),
        path_style,
        encryption: faults.read(encryption),
        kms_key: faults.read(kms_key),
        storage_class: faults.read(settings.s3_storage_class()),
        tags: faults.read(settings.s3_tags()),
    }
}

/// The same settings; the endpoint and the region that they leave open are the claim's.
fn with_claim(faults: &mut Faults, settings: S3Settings, claim: &ObjectBucketClaim) -> S3Settings {
    let claimed = || {
        let url = claim.endpoint()?;
        if !is_url(&url) {
            let port = ObjectBucketClaim::BUCKET_PORT;
            let fault = format!("with {port} it gives {url}, which is no URL");
            faults.add(ObjectBucketClaim::BUCKET_HOST, &fault);
        }
        Some(url)
    };
    let scheme_is_guess = settings.endpoint.is_none() && claim.scheme_is_guess();
    S3Settings {
        scheme_is_guess,
        endpoint: settings.endpoint.or_else(claimed),
        region: settings.region.or_else(|| claim.region.clone()),
        ..settings
    }
}
