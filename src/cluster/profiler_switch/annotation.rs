//! HyperConverged's annotation: a JSON patch of the KubeVirt object, which is edited as text so that
//! everybody else's operations keep every byte.

use json_patch::PatchOperation;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The annotation by which HyperConverged lets others change the KubeVirt object.
pub(super) const ANNOTATION: &str = "kubevirt.kubevirt.io/jsonpatch";

/// A text that is no JSON patch, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no JSON array of patch operations: {0}")]
pub struct NotAPatch(String);

/// The operations of a patch, one by one.
///
/// # Errors
/// The text is no patch.
pub fn parse_operations(text: &str) -> Result<Vec<PatchOperation>, NotAPatch> {
    serde_json::from_str(text).map_err(|error| NotAPatch(error.to_string()))
}

/// The text with one operation more, after all others: what they replace does not undo it.
///
/// # Errors
/// The text is no patch.
pub fn add_operation(text: &str, operation: &Value) -> Result<String, NotAPatch> {
    let spans = operation_spans(text)?;
    let (at, comma) = match spans.last() {
        Some((_, end)) => (*end, ","),
        None => (text.find('[').map_or(0, |open| open + 1), ""),
    };
    let (before, after) = text.split_at(at);
    Ok(format!("{before}{comma}{operation}{after}"))
}

/// The text without this operation, and how many are left; `None` where it is not there. Of several
/// that are equal the last is removed that is written as it was added.
///
/// # Errors
/// The text is no patch.
pub fn remove_operation(
    text: &str,
    operation: &Value,
) -> Result<Option<(String, usize)>, NotAPatch> {
    let spans = operation_spans(text)?;
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
    // One comma goes with it.
    let (start, end) = match (ours.checked_sub(1), spans.get(ours + 1)) {
        (Some(before), _) => (spans[before].1, spans[ours].1),
        (None, Some(next)) => (spans[ours].0, next.0),
        (None, None) => spans[ours],
    };
    let left = format!("{}{}", &text[..start], &text[end..]);
    Ok(Some((left, spans.len() - 1)))
}

/// What HyperConverged will make of `spec.configuration` with these operations. It has applied most of
/// them already: one that does not apply again, such as a removal, changes nothing.
pub fn effective_configuration(configuration: &Value, operations: &[PatchOperation]) -> Value {
    let mut object = json!({ "spec": { "configuration": configuration } });
    for operation in operations {
        if let Err(error) = json_patch::patch(&mut object, std::slice::from_ref(operation)) {
            tracing::debug!(%error, "an operation of the annotation does not apply again");
        }
    }
    object["spec"]["configuration"].take()
}

/// The bytes at which each operation begins and ends.
fn operation_spans(text: &str) -> Result<Vec<(usize, usize)>, NotAPatch> {
    parse_operations(text)?;
    let parts: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| NotAPatch(error.to_string()))?;
    let begin = text.as_ptr().addr();
    let span = |part: &RawValue| {
        let start = part.get().as_ptr().addr() - begin;
        (start, start + part.get().len())
    };
    Ok(parts.into_iter().map(span).collect())
}
