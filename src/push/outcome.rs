//! What became of a request's profiles, by what the server said.

use std::collections::BTreeSet;

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
    /// Nothing was stored, and the same may be sent again.
    Again,
    /// It is decided: each profile's arrival, in the order of the request.
    Decided(Vec<Arrival>),
    /// Nothing was stored, and whatever else is sent will not be.
    Hopeless,
}

/// What follows from an answer to a request of so many profiles.
pub(super) fn verdict(answer: &Answer, profiles: usize) -> Verdict {
    let all = |arrival| Verdict::Decided(vec![arrival; profiles]);
    let why_refused = if is_too_old(&answer.words) {
        Arrival::TooOld
    } else {
        Arrival::Refused
    };
    let status = answer.status.as_u16();
    if status < 300 {
        return all(Arrival::Stored);
    }
    // Pyroscope 2 stores what it can, and names what it cannot.
    let named = named_series(&answer.words);
    if !named.is_empty() {
        let arrival = |index| {
            if named.contains(&index) {
                why_refused
            } else {
                Arrival::Stored
            }
        };
        return Verdict::Decided((0..profiles).map(arrival).collect());
    }
    match status {
        // Pyroscope 1 comes to its limit of series in the middle of a request, and has stored what stands before.
        429 if answer.words.contains("series limit exceeded") => all(Arrival::Unknown),
        429 => Verdict::Again,
        401 | 403 | 404 | 405 | 407 => Verdict::Hopeless,
        408 | 499 | 500.. => all(Arrival::Unknown),
        _ => all(why_refused),
    }
}

/// Whether a server's words say that a profile is older than what it takes.
fn is_too_old(words: &str) -> bool {
    words.contains("outside of ingestion window") || words.contains("out of order")
}

/// The indexes of the series that Pyroscope says it could not store.
fn named_series(words: &str) -> BTreeSet<usize> {
    let after = words.split("push series with index ").skip(1);
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit());
        text[..end.unwrap_or(text.len())].parse().ok()
    };
    after.filter_map(digits).collect()
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
        let decided = |arrivals: [Arrival; 2]| Verdict::Decided(arrivals.into());
        assert_eq!(of(200, "{}"), decided([Stored, Stored]));
        assert_eq!(of(429, "push rate limit"), Verdict::Again);
        let series =
            "Maximum active series limit exceeded (20/20), reduce the number of active streams";
        assert_eq!(of(429, series), decided([Unknown, Unknown]));
        for status in [401, 403, 404, 405, 407] {
            assert_eq!(of(status, "who are you"), Verdict::Hopeless, "{status}");
        }
        assert_eq!(of(400, "no"), decided([Refused, Refused]));
        assert_eq!(of(413, "large"), decided([Refused, Refused]));
        assert_eq!(
            of(400, "is outside of ingestion window"),
            decided([TooOld, TooOld])
        );
        for status in [408, 500, 502, 503, 504] {
            assert_eq!(of(status, "sorry"), decided([Unknown, Unknown]), "{status}");
        }
        let partly = "push series with index 1 and id x failed: limit";
        assert_eq!(of(429, partly), decided([Stored, Refused]));
        assert_eq!(of(400, partly), decided([Stored, Refused]));
    }
}
