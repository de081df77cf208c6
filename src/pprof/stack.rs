//! The stack below a record: `#` lines, then an empty one. Each line is a logical frame with its own
//! PC, inlined ones included. The PCs after a record's `@` are not needed: the frames of the runtime
//! that Go leaves out of the lines it leaves out of its own proto, too.
//! `printStackRecord`, <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::io::BufRead;

use memchr::memrchr;

use super::intern::Frame;
use super::lines::{Line, Lines};
use super::problem::Stop;
use super::profile::Profile;
use super::scan::{hexadecimal, place};
use super::seen::Seen;

/// The PCs of a stack that Go may have cut.
pub(super) const DEEPEST: usize = 128;

/// The most frames that a stack may have. Go writes some hundred, so this bounds memory alone.
pub(super) const MOST_FRAMES: usize = 100_000;

/// Reads stacks, one after another.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    seen: Seen,
    /// The ids of the last one's locations, from the innermost.
    pub(super) last: Vec<u64>,
}

impl Stacks {
    /// Reads the next one.
    pub(super) fn read(
        &mut self,
        lines: &mut Lines<impl BufRead>,
        profile: &mut Profile,
    ) -> Result<(), Stop> {
        self.last.clear();
        let room = profile.room(self.seen.bytes());
        room.map_err(|why| lines.end(why))?;
        loop {
            let Some(line) = lines.whole()? else {
                return Err(lines.end("it ends in the middle of a stack"));
            };
            if line.text.is_empty() {
                return Ok(());
            }
            if self.last.len() >= MOST_FRAMES {
                return Err(line.damage(format!("its stack has more than {MOST_FRAMES} frames")));
            }
            if let Some(id) = self.seen.find(line.text) {
                self.last.push(id);
            } else if let Some(id) = location(&line, profile, self.seen.bytes())? {
                self.seen.add(line.text, id);
                self.last.push(id);
            }
        }
    }
}

/// The location of a line's frame. A PC of zero is none.
fn location(line: &Line<'_>, profile: &mut Profile, beside: usize) -> Result<Option<u64>, Stop> {
    let Some(frame) = frame(line.text) else {
        return Err(line.damage("it is no frame"));
    };
    if frame.pc == 0 && frame.function.starts_with(b"0x") {
        return Ok(None);
    }
    let id = profile.location(frame, beside);
    id.map(Some).map_err(|why| line.damage(why))
}

/// `#`, PC, function and offset, file and line, with one or more tabs between them. A PC that Go
/// has no name for, as C code is, stands alone and is its own name.
fn frame(text: &[u8]) -> Option<Frame<'_>> {
    let text = text.strip_prefix(b"#\t")?;
    let tab = text.iter().position(|b| *b == b'\t');
    let (address, names) = text.split_at_checked(tab.unwrap_or(text.len()))?;
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
    let tab = memrchr(b'\t', names)?;
    let (function, at) = names.split_at_checked(tab)?;
    let (file, line) = place(at.get(1..)?)?;
    let function = function.trim_ascii_start().trim_ascii_end();
    let plus = function.iter().rposition(|b| *b == b'+')?;
    let (function, offset) = function.split_at_checked(plus)?;
    hexadecimal(offset.strip_prefix(b"+0x")?)?;
    Some(Frame {
        pc,
        function,
        file,
        line,
    })
}
