//! Writes a window's own start and length into a cpu profile.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::profiler::Window;

/// profile.proto's `time_nanos` and `duration_nanos`.
const TIME: u64 = 9;
const DURATION: u64 = 10;

/// profile.proto's `string_table`.
const STRING: u64 = 6;

/// The profile (profile.proto, not compressed) with the window's times in place of its own.
/// The old ones are taken out: readers refuse a field that is there twice.
pub(crate) fn stamp(profile: &[u8], window: &Window) -> Vec<u8> {
    let mut out = Vec::with_capacity(profile.len() + 32);
    let mut rest = profile;
    while let Some((field, length)) = next_field(rest) {
        let (this, after) = rest.split_at(length);
        if field != TIME && field != DURATION {
            out.extend_from_slice(this);
        }
        rest = after;
    }
    let start = nanos(window.start);
    put_varint(&mut out, TIME << 3);
    put_varint(&mut out, start);
    put_varint(&mut out, DURATION << 3);
    put_varint(&mut out, nanos(window.stop).saturating_sub(start));
    out
}

/// Adds a string that nothing refers to, of noise that hardly gets smaller.
pub(crate) fn pad(profile: &mut Vec<u8>, bytes: usize) {
    if bytes == 0 {
        return;
    }
    put_varint(profile, STRING << 3 | 2);
    put_varint(profile, bytes as u64);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    profile.extend((0..bytes).map(|_| {
        // Marsaglia's xorshift: the same noise every time.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b' ' + (state >> 32) as u8 % 90
    }));
}

/// The number and whole length of the field that comes next, if a whole one does.
fn next_field(rest: &[u8]) -> Option<(u64, usize)> {
    let (key, key_length) = varint(rest)?;
    let value = &rest[key_length..];
    let value_length = match key & 7 {
        0 => varint(value)?.1,
        1 => 8,
        2 => {
            let (length, prefix) = varint(value)?;
            usize::try_from(length).ok()?.checked_add(prefix)?
        }
        5 => 4,
        _ => return None,
    };
    (value_length <= value.len()).then_some((key >> 3, key_length + value_length))
}

fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn replaces_the_times_and_keeps_the_rest() {
        let mut profile = vec![0x0a, 2, 8, 1, 0x48, 5, 0x50, 6, 0x60, 7];
        let window = Window {
            start: UNIX_EPOCH + Duration::from_nanos(300),
            stop: UNIX_EPOCH + Duration::from_nanos(301),
        };
        let stamped = stamp(&profile, &window);
        assert_eq!(stamped, [0x0a, 2, 8, 1, 0x60, 7, 0x48, 0xac, 0x02, 0x50, 1]);
        profile.truncate(3);
        assert_eq!(
            stamp(&profile, &window)[..2],
            [0x48, 0xac],
            "a cut field is left out"
        );
    }
}
