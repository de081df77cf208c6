//! A JSON patch edited as text: everybody else's operations keep every byte.

use json_patch::PatchOperation;
use serde_json::Value;
use serde_json::value::RawValue;

/// Text that is no JSON patch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no JSON array of patch operations: {0}")]
pub struct NoPatch(String);

/// The operations of a patch, one by one.
///
/// # Errors
/// The text is no patch.
pub fn operations(text: &str) -> Result<Vec<PatchOperation>, NoPatch> {
    serde_json::from_str(text).map_err(|error| NoPatch(error.to_string()))
}

/// The text with one operation more, after all others: what they replace does not undo it.
///
/// # Errors
/// The text is no patch.
pub fn add(text: &str, operation: &Value) -> Result<String, NoPatch> {
    let spans = spans(text)?;
    let (at, comma) = match spans.last() {
        Some((_, end)) => (*end, ","),
        None => (text.find('[').map_or(0, |open| open + 1), ""),
    };
    let (before, after) = text.split_at(at);
    Ok(format!("{before}{comma}{operation}{after}"))
}

/// The text without this operation, and how many are left; `None` where it is not there. Of several
/// that are equal the last goes that is written as it was added.
///
/// # Errors
/// The text is no patch.
pub fn remove(text: &str, operation: &Value) -> Result<Option<(String, usize)>, NoPatch> {
    let spans = spans(text)?;
    let written = operation.to_string();
    let part = |(start, end): &(usize, usize)| text.get(*start..*end).unwrap_or_default();
    let same = |span: &(usize, usize)| part(span) == written;
    let equal = |span: &(usize, usize)| {
        serde_json::from_str::<Value>(part(span)).is_ok_and(|other| other == *operation)
    };
    let ours = spans.iter().rposition(same);
    let Some(ours) = ours.or_else(|| spans.iter().rposition(equal)) else {
        return Ok(None);
    };
    let (start, end) = spans[ours];
    // One comma goes with it.
    let (start, end) = match (ours.checked_sub(1), spans.get(ours + 1)) {
        (Some(before), _) => (spans[before].1, end),
        (None, Some(next)) => (start, next.0),
        (None, None) => (start, end),
    };
    let left = format!("{}{}", &text[..start], &text[end..]);
    Ok(Some((left, spans.len() - 1)))
}

/// Where each operation begins and ends.
fn spans(text: &str) -> Result<Vec<(usize, usize)>, NoPatch> {
    operations(text)?;
    let parts: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| NoPatch(error.to_string()))?;
    let begin = text.as_ptr().addr();
    let span = |part: &RawValue| {
        let start = part.get().as_ptr().addr() - begin;
        (start, start + part.get().len())
    };
    Ok(parts.into_iter().map(span).collect())
}
