//! A frame of a traceback: the line of its function, and that of its place.

use crate::scanner::{Scanner, hexadecimal};

/// Whether a place that lacks its end has at least all of its line's number.
pub(super) fn has_all_of_place(text: &[u8]) -> bool {
    let mut ends = text.windows(4);
    source(text).is_some() && ends.any(|end| matches!(end, b" +0x" | b" fp=" | b" pc="))
}

/// A function's name without its arguments, as the proto has it. C functions have no arguments.
pub(super) fn name(text: &[u8]) -> &[u8] {
    let open = text.iter().rposition(|b| *b == b'(');
    let name = match open.filter(|_| text.ends_with(b")")) {
        Some(open) => text.get(..open).unwrap_or(text),
        None => text,
    };
    match name {
        b"panic" => b"runtime.gopanic",
        name => name,
    }
}

/// The file and line of a frame: `FILE:LINE`, then for a frame that is not inlined its offset, for one
/// of C its PC.
pub(super) fn source(text: &[u8]) -> Option<(&[u8], i64)> {
    let place = match text {
        [b'\t', place @ ..] => place,
        // A tab that was pasted as blanks.
        [b' ', ..] => text.trim_ascii(),
        _ => return None,
    };
    if let Some(pc) = place.strip_prefix(b"pc=0x") {
        return hexadecimal(pc).map(|_| (&b""[..], 0));
    }
    let colon = place.iter().rposition(|b| *b == b':')?;
    let file = place.get(..colon)?;
    let mut scanner = Scanner(place.get(colon + 1..)?);
    let line = scanner.number()?;
    let ends = [&b" +0x"[..], b" fp=0x", b" pc=0x"];
    let is_known = scanner.0.is_empty() || ends.iter().any(|end| scanner.0.starts_with(end));
    is_known.then_some((file, line))
}
