//! A profile without samples has words for it.

use std::io::Cursor;

use cluster_profiler_job::pprof::{Header, Kind, ProfileReader, convert, why_empty};
use jiff::Timestamp;

/// What the profile of a text without samples says of itself.
fn header(kind: Kind, text: &str) -> Header {
    let parsed = convert(kind, text.as_bytes()).expect("memory");
    let profile = parsed.expect("a text").profile.expect("a profile");
    assert_eq!(profile.samples(), 0);
    let mut bytes = Vec::new();
    let written = profile.write(Timestamp::UNIX_EPOCH, &mut bytes);
    written.expect("memory");
    let profile = ProfileReader::open(Cursor::new(bytes)).expect("a profile");
    profile.header().clone()
}

#[test]
fn an_empty_text_of_contention_is_told_by_its_rate() {
    let mutex = "--- mutex:\ncycles/second=1000000000\n";
    for (kind, text, why) in [
        (
            Kind::Mutex,
            format!("{mutex}sampling period=0\n"),
            "its mutex profile fraction is 0",
        ),
        (
            Kind::Mutex,
            format!("{mutex}sampling period=5\n"),
            "samples contended mutexes, but none",
        ),
        (Kind::Mutex, mutex.to_owned(), "does not say which"),
        (
            Kind::Block,
            "--- contention:\ncycles/second=1000000000\n".to_owned(),
            "or nothing waited",
        ),
    ] {
        let said = why_empty(kind, &header(kind, &text));
        let said = said.expect("a reason");
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn other_kinds_have_no_such_reason() {
    for kind in Kind::ALL {
        let is_told = why_empty(kind, &Header::default()).is_some();
        assert_eq!(
            is_told,
            matches!(kind, Kind::Block | Kind::Mutex),
            "{kind:?}"
        );
    }
}
