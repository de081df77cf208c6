//! The stack below a record: `#` lines, then an empty one. Each line is a logical frame with its own
//! PC, inlined ones included. The PCs after a record's `@` are not needed: the frames of the runtime
//! that Go leaves out of the lines it leaves out of its own proto, too.
//! `printStackRecord`, <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::io::BufRead;

use hashbrown::HashMap;
use memchr::memrchr;

use super::parsed::ParseError;
use super::profile::{Frame, Profile};
use super::text::{Line, Lines, file_and_line, hexadecimal};

/// The number of PCs at which Go may have cut a stack.
pub(super) const DEEPEST: usize = 128;

/// The most frames that a stack may have. Go writes some hundred, so this bounds memory alone.
pub(super) const MOST_FRAMES: usize = 100_000;

/// About how many bytes a cached line takes beside its text.
const LINE_COST: usize = 40;

/// The ids of locations by the lines that they were read from. A text repeats its frames some hundred
/// times, and to find a line is cheaper than to take it apart.
#[derive(Debug, Default)]
pub(super) struct LocationCache {
    ids: HashMap<Box<[u8]>, u64>,
    text_bytes: usize,
}

impl LocationCache {
    /// The id of the location of a line that was read before.
    pub(super) fn find(&self, line: &[u8]) -> Option<u64> {
        self.ids.get(line).copied()
    }

    /// Adds a line that is new.
    pub(super) fn add(&mut self, line: &[u8], id: u64) {
        self.text_bytes += line.len();
        self.ids.insert(line.into(), id);
    }

    /// About how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.text_bytes + self.ids.len() * LINE_COST
    }
}

/// A reader of stacks, one after another.
#[derive(Debug, Default)]
pub(super) struct StackReader {
    cache: LocationCache,
    /// The ids of the last stack's locations, from the innermost.
    pub(super) last: Vec<u64>,
}

impl StackReader {
    /// Reads the next stack.
    ///
    /// # Errors
    /// The input cannot be read, is no stack, or is larger than a profile may be.
    pub(super) fn read(
        &mut self,
        lines: &mut Lines<impl BufRead>,
        profile: &mut Profile,
    ) -> Result<(), ParseError> {
        self.last.clear();
        let room = profile.check_room(self.cache.bytes());
        room.map_err(|why| lines.damage_at_end(why))?;
        loop {
            let Some(line) = lines.next()? else {
                return Err(lines.damage_at_end("it ends in the middle of a stack"));
            };
            if line.text.is_empty() {
                return Ok(());
            }
            if self.last.len() >= MOST_FRAMES {
                return Err(line.damage(format!("its stack has more than {MOST_FRAMES} frames")));
            }
            if let Some(id) = self.cache.find(line.text) {
                self.last.push(id);
            } else if let Some(id) = location(&line, profile, self.cache.bytes())? {
                self.cache.add(line.text, id);
                self.last.push(id);
            }
        }
    }
}

/// The id of the location of a line's frame. A PC of zero is none.
fn location(
    line: &Line<'_>,
    profile: &mut Profile,
    other_bytes: usize,
) -> Result<Option<u64>, ParseError> {
    let Some(frame) = frame(line.text) else {
        return Err(line.damage("it is no frame"));
    };
    if frame.pc == 0 && frame.function.starts_with(b"0x") {
        return Ok(None);
    }
    let id = profile.location(frame, other_bytes);
    id.map(Some).map_err(|why| line.damage(why))
}

/// The frame of a line: `#`, PC, function and offset, file and line, with one or more tabs between
/// them. A PC that Go has no name for, as C code is, stands alone and is its own name.
fn frame(text: &[u8]) -> Option<Frame<'_>> {
    let fields = text.strip_prefix(b"#\t")?;
    let tab = fields.iter().position(|b| *b == b'\t');
    let (address, names) = fields.split_at_checked(tab.unwrap_or(fields.len()))?;
    let pc = hexadecimal(address.strip_prefix(b"0x")?)?;
    if names.is_empty() {
        return Some(Frame {
            pc,
            function: address,
            file: b"",
            line: 0,
        });
    }
    // A symbol may have a tab of its own, so both ends are looked for from outside.
    let last_tab = memrchr(b'\t', names)?;
    let (padded, place) = names.split_at_checked(last_tab)?;
    let (file, line) = file_and_line(place.get(1..)?)?;
    let symbol = padded.trim_ascii();
    let plus = symbol.iter().rposition(|b| *b == b'+')?;
    let (function, offset) = symbol.split_at_checked(plus)?;
    hexadecimal(offset.strip_prefix(b"+0x")?)?;
    Some(Frame {
        pc,
        function,
        file,
        line,
    })
}
