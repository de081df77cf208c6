//! What became of a request's profiles, by what the server said.

use std::collections::BTreeMap;

use serde::Serialize;

use super::client::Answer;

/// What became of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// The server has it.
    Stored,
    /// The server does not take profiles of that time.
    TooOld,
    /// The server does not take it.
    Refused,
    /// It may be there, and nobody knows.
    Unknown,
    /// It was not sent.
    NotSent,
}

/// What follows from an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What became of each profile, in the order of the request; nothing of one that was not stored and may be sent
    /// again.
    Each(Vec<Option<Arrival>>),
    /// Nothing was stored, and whatever else is sent will not be; with what there is to say of that.
    Hopeless(&'static str),
}

/// What follows from an answer to a request of so many profiles.
pub(super) fn verdict(answer: &Answer, profiles: usize) -> Verdict {
    let words = &*answer.words;
    let status = answer.status.as_u16();
    if status < 300 && is_object(words) {
        return Verdict::Each(vec![Some(Arrival::Stored); profiles]);
    }
    if status < 300 {
        return Verdict::Hopeless(
            "; neither Pyroscope nor Parca answers so to what it has stored: is it one, and is the path right?",
        );
    }
    if status < 400 {
        return Verdict::Hopeless("; no redirect is followed: name the server itself");
    }
    // Pyroscope 2 stores what it can, and names what it cannot.
    let named = named_series(words);
    if !named.is_empty() {
        let arrival = |index| match named.get(&index) {
            Some(own) => not_stored(own_status(own).unwrap_or(status), own),
            None => Some(Arrival::Stored),
        };
        return Verdict::Each((0..profiles).map(arrival).collect());
    }
    if [401, 403, 404, 405, 407].contains(&status) {
        return Verdict::Hopeless("");
    }
    Verdict::Each(vec![not_stored(status, words); profiles])
}

/// What became of a profile that a server says, by this status and in these words, it has not stored.
fn not_stored(status: u16, words: &str) -> Option<Arrival> {
    match status {
        // Pyroscope 1 comes to its limit of series in the middle of a request, and has stored what stands before.
        429 if words.contains("series limit exceeded") => Some(Arrival::Unknown),
        429 => None,
        408 | 499 | 500.. => Some(Arrival::Unknown),
        _ if is_too_old(words) => Some(Arrival::TooOld),
        _ => Some(Arrival::Refused),
    }
}

/// Whether this is what both servers answer where all is stored: an object, which has nothing in it until now. Others
/// answer pages to what they do not know, with 200.
fn is_object(words: &str) -> bool {
    serde_json::from_str::<serde_json::Map<_, _>>(words).is_ok()
}

/// Whether a server's words say that a profile is older than what it takes.
fn is_too_old(words: &str) -> bool {
    let is_outside = words.contains("outside of ingestion window");
    words.contains("out of order") || is_outside && !is_too_new(words)
}

/// Whether they say that it is after the window of what it takes. Both times are written in one form, so that the
/// later one is the greater text.
fn is_too_new(words: &str) -> bool {
    let time = |before: &str| {
        let (_, time) = words.split_once(before)?;
        time.split([',', ')']).next()
    };
    let times = time("profile timestamp: ").zip(time("ends at "));
    times.is_some_and(|(profile, end)| profile >= end)
}

/// The series that Pyroscope says it could not store, by their indexes, with its words on each.
fn named_series(words: &str) -> BTreeMap<usize, &str> {
    let after = words.split("push series with index ").skip(1);
    let named = |text: &'_ str| {
        let end = text.find(|c: char| !c.is_ascii_digit());
        text[..end.unwrap_or(text.len())].parse().ok()
    };
    after
        .filter_map(|text| Some((named(text)?, text)))
        .collect()
}

/// The status that belongs to a code of Connect's protocol, where the words on a series begin with one. That of the whole
/// answer is of one of them.
fn own_status(words: &str) -> Option<u16> {
    let (_, own) = words.split_once(" failed: ")?;
    match own.split_once(':')?.0 {
        "resource_exhausted" => Some(429),
        "invalid_argument"
        | "failed_precondition"
        | "out_of_range"
        | "permission_denied"
        | "unauthenticated"
        | "not_found"
        | "already_exists"
        | "unimplemented" => Some(400),
        "unknown" | "internal" | "unavailable" | "deadline_exceeded" | "canceled" | "aborted"
        | "data_loss" => Some(500),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn of(status: u16, words: &str) -> Verdict {
        let answer = Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after: None,
            words: words.to_owned(),
        };
        verdict(&answer, 2)
    }

    #[test]
    fn only_what_surely_stored_nothing_is_sent_again() {
        use Arrival::{Refused, Stored, TooOld, Unknown};
        let both = |arrival| Verdict::Each(vec![arrival; 2]);
        assert_eq!(of(200, "{}"), both(Some(Stored)));
        assert_eq!(of(429, "push rate limit"), both(None));
        let series =
            "Maximum active series limit exceeded (20/20), reduce the number of active streams";
        assert_eq!(of(429, series), both(Some(Unknown)));
        assert_eq!(of(400, "no"), both(Some(Refused)));
        assert_eq!(of(413, "large"), both(Some(Refused)));
        let old = "is outside of ingestion window (profile timestamp: 2023-02-17 11:12:14.1 +0000 UTC, the ingestion \
                   window starts at 2023-02-17 11:13:14 +0000 UTC and ends at 2023-02-17 12:23:14 +0000 UTC)";
        assert_eq!(of(400, old), both(Some(TooOld)));
        for end in [
            "the ingestion window ends",
            "the ingestion window starts at 2023 and ends",
        ] {
            let new = format!(
                "is outside of ingestion window (profile timestamp: 2023-02-17 13:12:14 +0000 UTC, {end} at \
                 2023-02-17 12:23:14.5 +0000 UTC)"
            );
            assert_eq!(of(400, &new), both(Some(Refused)), "{new}");
        }
        for status in [408, 499, 500, 502, 503, 504] {
            assert_eq!(of(status, "sorry"), both(Some(Unknown)), "{status}");
        }
    }

    #[test]
    fn what_stores_nothing_is_not_asked_again() {
        let hopeless = |status, words: &str| matches!(of(status, words), Verdict::Hopeless(_));
        for status in [301, 302, 307, 308, 401, 403, 404, 405, 407] {
            assert!(hopeless(status, "who are you"), "{status}");
        }
        for words in ["", "<html></html>", "[]", "null", "\"stored\"", "{} {}"] {
            assert!(hopeless(200, words), "{words}");
        }
    }

    #[test]
    fn each_series_that_is_named_has_its_own_words() {
        use Arrival::{Refused, Stored, TooOld, Unknown};
        let named = |index: usize, why: &str| {
            format!("push series with index {index} and id x failed: {why}")
        };
        let old = "invalid_argument: it is outside of ingestion window";
        for (status, zero, one, arrivals) in [
            (400, None, Some("limit"), [Some(Stored), Some(Refused)]),
            (429, None, Some("limit"), [Some(Stored), None]),
            (429, Some("limit"), Some("limit"), [None, None]),
            (408, None, Some("sorry"), [Some(Stored), Some(Unknown)]),
            (500, Some("sorry"), None, [Some(Unknown), Some(Stored)]),
            (
                400,
                Some(old),
                Some("invalid_argument: no"),
                [Some(TooOld), Some(Refused)],
            ),
            (
                500,
                Some(old),
                Some("resource_exhausted: rate"),
                [Some(TooOld), None],
            ),
            (
                429,
                Some("invalid_argument: no"),
                Some("unavailable: oh"),
                [Some(Refused), Some(Unknown)],
            ),
        ] {
            let of_each = [(0, zero), (1, one)].map(|(index, why)| Some(named(index, why?)));
            let words: Vec<_> = of_each.into_iter().flatten().collect();
            let words = format!("2 errors: {}", words.join("; "));
            assert_eq!(
                of(status, &words),
                Verdict::Each(arrivals.into()),
                "{words}"
            );
        }
    }
}
