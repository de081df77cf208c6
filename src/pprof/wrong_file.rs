//! What a file is that has another's name, told by its beginning.

use std::io::Read;

use flate2::read::GzDecoder;

use super::kind::Kind;
use super::proto::GZIP;

/// How much of a file is looked at, in bytes.
pub(super) const HEAD: usize = 1024;

/// The longest message of a Status, or title of a page, that is told, in characters.
const LONGEST: usize = 100;

/// The beginnings of Go's texts, and what each is.
const TEXTS: [(&[u8], &[Kind], &str); 6] = [
    (
        b"heap profile: ",
        &[Kind::Heap, Kind::Allocs],
        "a text of heap or allocs",
    ),
    (b"--- contention:", &[Kind::Block], "a text of block"),
    (b"--- mutex:", &[Kind::Mutex], "a text of mutex"),
    (
        b"threadcreate profile: ",
        &[Kind::Threadcreate],
        "a text of threadcreate",
    ),
    (
        b"goroutine profile: ",
        &[],
        "a text of goroutine with debug=1, and only debug=2 has every goroutine",
    ),
    (b"goroutine ", &[Kind::Goroutine], "a text of goroutine"),
];

/// What a file that is not of this kind is, by its beginning; `None` if it is nothing known.
pub(super) fn told(kind: Kind, head: &[u8]) -> Option<String> {
    if head.first() == Some(&GZIP) {
        let mut inner = Vec::new();
        // A beginning ends in an error, and what came before it is there.
        let _ = GzDecoder::new(head)
            .take(HEAD as u64)
            .read_to_end(&mut inner);
        let inner = plain(None, &inner).unwrap_or_else(|| "no profile".to_owned());
        return Some(format!("gzip, with {inner} in it"));
    }
    plain(Some(kind), head)
}

fn plain(kind: Option<Kind>, head: &[u8]) -> Option<String> {
    let text = head.trim_ascii_start();
    for (beginning, kinds, what) in TEXTS {
        if text.starts_with(beginning) {
            let is_own = kind.is_some_and(|kind| kinds.contains(&kind));
            return (!is_own).then(|| what.to_owned());
        }
    }
    if is_proto(head) {
        return Some("a profile.proto that is not whole".to_owned());
    }
    let text = String::from_utf8_lossy(text);
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        let title = between(&text, &lower, "<title>", "<");
        let title = title.map_or(String::new(), |title| format!(" ({title:?})"));
        return Some(format!(
            "a page of HTML{title}, as a login or a proxy answers"
        ));
    }
    if text.starts_with('{') && text.contains("\"Status\"") {
        let message = between(&text, &text, "\"message\":", "\",");
        let message = message.unwrap_or_default();
        let message = message.trim_start().trim_start_matches('"');
        return Some(format!("a Status of the API server ({message:?})"));
    }
    (text.starts_with('{') || text.starts_with('[')).then(|| "JSON".to_owned())
}

/// Whether a file begins as a profile.proto that is not packed does: with a type of value, or with the time,
/// as Go's do.
pub(super) fn is_proto(head: &[u8]) -> bool {
    match head {
        [0x0a | 0x5a, length, 0x08, ..] => *length < 0x20,
        [0x48, time, ..] => *time >= 0x80,
        _ => false,
    }
}

/// What stands between two marks, cut; `lower` is the text in which the marks are looked for.
fn between(text: &str, lower: &str, before: &str, after: &str) -> Option<String> {
    let start = lower.find(before)? + before.len();
    let rest = text.get(start..)?;
    let end = rest.find(after).unwrap_or(rest.len());
    Some(rest.get(..end)?.chars().take(LONGEST).collect())
}
