//! What merged profiles say of themselves together.

use std::io;

use crate::proto::invalid;
use crate::reader::Header;

/// Adds what another profile says of itself: the earliest time, all lengths together, the longest period, and
/// the comments that are new.
///
/// # Errors
/// The profiles' values have other meanings.
pub(super) fn combine(header: &mut Header, other: &Header) -> io::Result<()> {
    let same = header.sample_types == other.sample_types && header.period_type == other.period_type;
    if !same {
        let why = format!(
            "its values are {}, and those that it is to be added to are {}",
            types(other),
            types(header)
        );
        return Err(invalid(&why));
    }
    if header.time_nanos == 0 || (other.time_nanos != 0 && other.time_nanos < header.time_nanos) {
        header.time_nanos = other.time_nanos;
    }
    header.duration_nanos = header.duration_nanos.saturating_add(other.duration_nanos);
    header.period = header.period.max(other.period);
    for comment in &other.comments {
        if !header.comments.contains(comment) {
            header.comments.push(comment.clone());
        }
    }
    if header.default_sample_type.is_empty() {
        header
            .default_sample_type
            .clone_from(&other.default_sample_type);
    }
    Ok(())
}

/// The values' meanings, and the period's, for a person.
fn types(header: &Header) -> String {
    let all = header.sample_types.iter().chain([&header.period_type]);
    let all = all.map(|of| format!("{}/{}", of.name, of.unit));
    all.collect::<Vec<_>>().join(" ")
}
