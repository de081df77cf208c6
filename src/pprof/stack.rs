//! The stack below a record: `#` lines, then an empty one. Each line is a logical frame with its own
//! PC, inlined ones included. The PCs after a record's `@` are not needed: the frames of the runtime
//! that Go leaves out of the lines it leaves out of its own proto, too. A text without `#` lines has
//! nothing else.
//! `printStackRecord`, <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>

use std::hash::BuildHasher;
use std::io::BufRead;

use hashbrown::{DefaultHashBuilder, HashTable};
use memchr::{memchr, memrchr};

use super::parsed::{ParseError, Parsed};
use super::profile::{Frame, Profile};
use super::scanner::{file_and_line, hexadecimal, is_equal};
use super::text::{Line, Lines};

/// The number of PCs at which Go may have cut a stack.
pub(super) const DEEPEST: usize = 128;

/// The most frames that a stack may have. Go writes some hundred, so this bounds memory alone.
pub(super) const MOST_FRAMES: usize = 100_000;

/// The reason why a stack may not be whole.
pub(super) const CUT: &str = "it ends in the middle of a stack";

/// About how many bytes a cached line takes beside its text.
const LINE_COST: usize = 60;

/// The ids of locations by the lines that they were read from. A text repeats its frames some hundred
/// times, and to find a line is cheaper than to take it apart.
#[derive(Debug, Default)]
pub(super) struct LocationCache {
    lines: Vec<CachedLine>,
    /// The lines' indices, by their texts.
    indices: HashTable<u32>,
    hasher: DefaultHashBuilder,
    text_bytes: usize,
}

#[derive(Debug)]
struct CachedLine {
    text: Box<[u8]>,
    id: u64,
    /// The line that came after it the last time. A function is most often called from where it was called before,
    /// and to see that a line is the expected one is cheaper than to find it.
    next: Option<Known>,
}

/// A line that was read before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    index: u32,
    /// The id of its location.
    pub(super) id: u64,
}

impl LocationCache {
    /// A line that was read before.
    pub(super) fn find(&self, line: &[u8]) -> Option<Known> {
        let is_line = |index: &u32| is_equal(text(&self.lines, *index), line);
        let index = *self.indices.find(self.hasher.hash_one(line), is_line)?;
        let id = self.lines.get(index as usize)?.id;
        Some(Known { index, id })
    }

    /// Adds a line that is new. There is no room for as many as a `u32` counts.
    pub(super) fn add(&mut self, line: &[u8], id: u64) -> Known {
        let index = self.lines.len() as u32;
        self.text_bytes += line.len();
        self.lines.push(CachedLine {
            text: line.into(),
            id,
            next: None,
        });
        let hash = |index: &u32| self.hasher.hash_one(text(&self.lines, *index));
        self.indices.insert_unique(hash(&index), index, hash);
        Known { index, id }
    }

    /// The line that is expected after this one.
    fn expected(&self, before: Option<Known>) -> Option<Known> {
        self.lines.get(before?.index as usize)?.next
    }

    /// Expects a line after this one from now on.
    fn expect(&mut self, next: Known, before: Option<Known>) {
        let before = before.and_then(|known| self.lines.get_mut(known.index as usize));
        if let Some(before) = before {
            before.next = Some(next);
        }
    }

    /// About how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.text_bytes + self.lines.len() * LINE_COST
    }
}

fn text(lines: &[CachedLine], index: u32) -> &[u8] {
    let line = lines.get(index as usize);
    line.map_or(&[], |line| &*line.text)
}

/// A reader of stacks, one after another.
#[derive(Debug, Default)]
pub(super) struct StackReader {
    cache: LocationCache,
    /// The ids of the last stack's locations, from the innermost.
    pub(super) last: Vec<u64>,
    /// How many stacks had names, and how many had addresses alone.
    named: u64,
    bare: u64,
    /// Whether the text ended in the last stack, which may lack frames.
    pub(super) is_cut: bool,
}

impl StackReader {
    /// Reads the stack of the record whose first line was read last.
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
        room.map_err(|why| lines.end_of_room(why))?;
        lines.keep()?;
        let mut has_names = false;
        // The line before, if its location is cached.
        let mut before = None;
        let ends = loop {
            let has_room = self.last.len() < MOST_FRAMES;
            if let Some(expected) = self.cache.expected(before).filter(|_| has_room)
                && lines.take_if(text(&self.cache.lines, expected.index))?
            {
                self.last.push(expected.id);
                before = Some(expected);
                continue;
            }
            let Some(line) = lines.next()? else {
                break false;
            };
            if line.text.is_empty() {
                break true;
            }
            if !has_room {
                return Err(line.damage(format!("its stack has more than {MOST_FRAMES} frames")));
            }
            let known = if let Some(known) = self.cache.find(line.text) {
                Some(known)
            } else if is_another_record(&line) {
                lines.again();
                break true;
            } else {
                let id = location(&line, profile, self.cache.bytes())?;
                id.map(|id| self.cache.add(line.text, id))
            };
            if let Some(known) = known {
                self.last.push(known.id);
                self.cache.expect(known, before);
            }
            before = known;
            has_names = true;
        };
        if has_names {
            self.named = self.named.saturating_add(1);
        } else if !ends && self.named > 0 {
            return Err(lines.damage_at_end(CUT));
        } else {
            self.addresses(lines.kept(), profile);
        }
        self.is_cut = !ends && has_names;
        Ok(())
    }

    /// Takes the stack of a record without names: the PCs in its first line, of the calls that return
    /// there, as pprof does. `parseHeap`,
    /// <https://github.com/google/pprof/blob/main/profile/legacy_profile.go>
    fn addresses(&mut self, record: &[u8], profile: &mut Profile) {
        let words = record.split(|byte| *byte == b' ');
        let pcs = words.filter_map(|word| hexadecimal(word.strip_prefix(b"0x")?)?.checked_sub(1));
        self.last.extend(pcs.map(|pc| profile.bare_location(pc)));
        self.bare = self.bare.saturating_add(u64::from(!self.last.is_empty()));
    }

    /// Notes how many records have addresses alone.
    pub(super) fn note_bare(&self, parsed: &mut Parsed) {
        parsed.note(self.bare, "records have addresses, and no names");
    }
}

/// Whether a line is not of a stack, but begins another record, or the statistics.
fn is_another_record(line: &Line<'_>) -> bool {
    line.begins_record() || (line.text.starts_with(b"# ") && !is_frame_with_blanks(line.text))
}

fn is_frame_with_blanks(text: &[u8]) -> bool {
    let fields = text.strip_prefix(b"# ").map(<[u8]>::trim_ascii_start);
    fields.is_some_and(|fields| fields.starts_with(b"0x"))
}

/// The id of the location of a line's frame. A PC of zero is none.
fn location(
    line: &Line<'_>,
    profile: &mut Profile,
    other_bytes: usize,
) -> Result<Option<u64>, ParseError> {
    let Some(frame) = frame(line.text).or_else(|| frame_with_blanks(line.text)) else {
        return Err(line.damage("it is no frame"));
    };
    if line.is_cut && frame.file.is_empty() {
        return Err(line.damage("it may be no whole frame"));
    }
    if frame.pc == 0 && frame.function.starts_with(b"0x") {
        return Ok(None);
    }
    let id = profile.location(frame, other_bytes);
    id.map(Some).map_err(|refusal| line.refused(refusal))
}

/// The frame of a line whose tabs were pasted as blanks. A name may have blanks, too, so the offset
/// tells where the place begins.
fn frame_with_blanks(text: &[u8]) -> Option<Frame<'_>> {
    if !is_frame_with_blanks(text) {
        return None;
    }
    let fields = text.strip_prefix(b"# ")?.trim_ascii_start();
    let blank = memchr(b' ', fields).unwrap_or(fields.len());
    let (address, names) = fields.split_at_checked(blank)?;
    let pc = hexadecimal(address.strip_prefix(b"0x")?)?;
    let names = names.trim_ascii();
    if names.is_empty() {
        return Some(nameless(pc, address));
    }
    let mut plus = names.windows(3).enumerate();
    let (function, place) = plus.find_map(|(at, mark)| {
        let (function, rest) = names.split_at_checked(at)?;
        let offset = (mark == b"+0x").then(|| rest.get(3..))??;
        let (offset, place) = offset.split_at_checked(memchr(b' ', offset)?)?;
        hexadecimal(offset).map(|_| (function, place.trim_ascii()))
    })?;
    let (file, line) = file_and_line(place)?;
    Some(Frame {
        pc,
        function,
        file,
        line,
    })
}

/// The frame of a PC that Go has no name for, as C code is: it is its own name.
fn nameless(pc: u64, address: &[u8]) -> Frame<'_> {
    Frame {
        pc,
        function: address,
        file: b"",
        line: 0,
    }
}

/// The frame of a line: `#`, PC, function and offset, file and line, with one or more tabs between
/// them. A PC that Go has no name for, as C code is, stands alone and is its own name.
fn frame(text: &[u8]) -> Option<Frame<'_>> {
    let fields = text.strip_prefix(b"#\t")?;
    let tab = fields.iter().position(|b| *b == b'\t');
    let (address, names) = fields.split_at_checked(tab.unwrap_or(fields.len()))?;
    let pc = hexadecimal(address.strip_prefix(b"0x")?)?;
    if names.is_empty() {
        return Some(nameless(pc, address));
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
