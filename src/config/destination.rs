//! Destinations, read out of our variables and an ObjectBucketClaim's.

use super::foreign_settings::{ForeignSettings, ObjectBucketClaim};
use super::parse;
use super::s3::{read_s3_settings, with_claim};
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
