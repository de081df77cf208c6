//! The headers of each request, out of PROFILER_PUSH_HEADERS_FILE, and what of them nobody may see.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONNECTION, EXPECT, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE};

use crate::config::PushAccess;

/// A shorter part of a header's value is no secret.
const SHORTEST_SECRET: usize = 4;

/// The most bytes of the file: no server takes more of headers.
const MOST_BYTES: u64 = 64 * 1024;

/// The headers. A fault names a line, and nothing of what is in it.
pub(super) fn headers(access: &PushAccess) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let Some(path) = &access.headers_file else {
        return Ok(Vec::new());
    };
    let fault = |what: String| format!("PROFILER_PUSH_HEADERS_FILE={}: {what}", path.display());
    let text = read(path).map_err(|error| fault(error.to_string()))?;
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let header = |(number, line): (u32, &str)| {
        let Some((name, value)) = header(line) else {
            return Err(fault(format!(
                "line {number} is no header; accepted: NAME: VALUE"
            )));
        };
        if is_of_message(&name) {
            return Err(fault(format!(
                "line {number}: {name} says what a request is made of, and each has its own"
            )));
        }
        Ok((name, value))
    };
    lines.map(header).collect()
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {MOST_BYTES} bytes"
        )));
    }
    Ok(text)
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

/// Whether a header is about the message itself: with another Content-Length a server takes the rest of a profile for
/// the next request.
fn is_of_message(name: &HeaderName) -> bool {
    let others = [CONNECTION, EXPECT, TRANSFER_ENCODING, UPGRADE];
    name.as_str().starts_with("content-") || others.contains(name)
}

/// What of a header's value nobody may see: its words but the name of a way to authenticate, and the password that one of
/// them has.
pub(super) fn secrets_of(value: &HeaderValue) -> Vec<String> {
    let is_scheme = |word: &str| ["basic", "bearer"].contains(&&*word.to_ascii_lowercase());
    let text = String::from_utf8_lossy(value.as_bytes());
    let words = text.split_whitespace().filter(|word| !is_scheme(word));
    let mut secrets: Vec<_> = words.map(str::to_owned).collect();
    let decoded = secrets.last().map(|word| BASE64_STANDARD.decode(word));
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes.ok()?).ok());
    let password = decoded.as_deref().and_then(|text| text.split_once(':'));
    secrets.extend(password.map(|(_, password)| password.to_owned()));
    secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
    secrets
}
