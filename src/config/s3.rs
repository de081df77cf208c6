//! A bucket's settings out of our variables and AWS's.

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::bucket::S3Settings;
use super::parse::{boolean, labels, not};
use super::raw::Raw;
use super::standard::Standard;
use super::variable::PREFIX;

/// The settings of an environment; what is wrong comes with the variable's full name.
pub(super) fn settings(raw: &Raw, standard: &Standard) -> Result<S3Settings, Vec<String>> {
    let mut faults = Vec::new();
    let mut fault = |name: String, what: String| faults.push(format!("{name}: {what}"));
    let endpoint = standard.endpoint.as_ref();
    if let Some((name, _)) = endpoint.filter(|(_, url)| !is_url(url)) {
        let what = "it is no URL; accepted: https://HOST[:PORT], or http:// without TLS";
        fault((*name).to_owned(), what.to_owned());
    }
    let set = standard.max_attempts.as_ref();
    let max_attempts = set.and_then(|text| text.parse().ok().filter(|number| *number > 0));
    if set.is_some() && max_attempts.is_none() {
        fault(
            "AWS_MAX_ATTEMPTS".to_owned(),
            "it is no number above 0".to_owned(),
        );
    }
    let path_style = raw.s3_path_style.as_deref().map(boolean).transpose();
    let path_style = path_style.unwrap_or_else(|what| {
        fault(format!("{PREFIX}S3_PATH_STYLE"), what);
        None
    });
    let encryption = raw.s3_encryption.clone();
    if let Some(other) = encryption
        .as_ref()
        .filter(|name| !ENCRYPTIONS.contains(&name.as_str()))
    {
        fault(
            format!("{PREFIX}S3_ENCRYPTION"),
            not(other, &ENCRYPTIONS.join(", ")),
        );
    }
    if raw.s3_kms_key_id.is_some()
        && !encryption
            .as_ref()
            .is_some_and(|e| e.starts_with("aws:kms"))
    {
        let what = format!("it is for {PREFIX}S3_ENCRYPTION=aws:kms");
        fault(format!("{PREFIX}S3_KMS_KEY_ID"), what);
    }
    let tags = raw.s3_tags.as_deref().map(tags).transpose();
    let tags = tags.unwrap_or_else(|what| {
        fault(format!("{PREFIX}S3_TAGS"), what);
        None
    });
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(S3Settings {
        endpoint: endpoint.map(|(_, url)| url.clone()),
        region: standard.region.clone(),
        checksums_set: standard.checksums_set,
        max_attempts,
        ca_bundles: standard.ca_bundles.clone(),
        path_style,
        encryption,
        kms_key: raw.s3_kms_key_id.clone(),
        storage_class: raw.s3_storage_class.clone(),
        tags,
    })
}

const ENCRYPTIONS: [&str; 3] = ["AES256", "aws:kms", "aws:kms:dsse"];

/// Whether requests can be sent there. Credentials in a URL would be shown with it.
pub(super) fn is_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    is_web
        && uri.authority().is_some_and(|authority| {
            let (text, host) = (authority.as_str(), authority.host());
            let has_good_port = text.len() == host.len() || authority.port_u16().is_some();
            !host.is_empty() && !text.contains('@') && has_good_port
        })
}

/// `key=value,…` as S3 has it in a header. A value may be anybody's secret: none is repeated.
fn tags(value: &str) -> Result<String, String> {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    let encode = |text| utf8_percent_encode(text, ENCODED);
    let labels = labels(value)?;
    let pairs = labels
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)));
    Ok(pairs.collect::<Vec<_>>().join("&"))
}
