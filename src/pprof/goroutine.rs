//! goroutine: the traceback of every goroutine, which has no PCs. Hidden are frames of the runtime
//! that are not exported, and those in the middle of a stack of more than 100. Who created a
//! goroutine is no frame of its stack, and not in Go's own proto either.
//! <https://github.com/golang/go/blob/go1.26.0/src/runtime/traceback.go>

mod group;
mod labels;

use std::io::{self, BufRead};

use group::{Goroutine, Groups};

use super::parsed::{ParseError, Parsed, Problem, accept_damage};
use super::profile::{Frame, Profile, ValueType};
use super::stack::{LocationCache, MOST_FRAMES};
use super::text::{Line, Lines, Scanner, hexadecimal};

/// The size at which Go cuts the text, wherever that is. `writeGoroutineStacks`,
/// <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>
const GO_CUTS_AT: u64 = 64 << 20;

/// The kind of line that must come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Header,
    Function,
    /// The place of the function in `Tracebacks::function`, in a source file.
    Place,
    /// The place where the goroutine was created.
    Creation,
    /// Goroutines from which this one descends (GODEBUG=tracebackancestors), to the empty line.
    Ancestors,
}

/// The tracebacks that were read so far.
#[derive(Debug)]
struct Tracebacks {
    profile: Profile,
    groups: Groups,
    next: Next,
    goroutine: Goroutine,
    function: Vec<u8>,
    /// By the line of a function and that of its place.
    cache: LocationCache,
    elided: u64,
    unavailable: u64,
}

/// Parses a text of goroutine.
///
/// # Errors
/// The input cannot be read.
pub(super) fn parse(input: impl BufRead) -> io::Result<Parsed> {
    accept_damage(read(&mut Lines::new(input)))
}

fn read(lines: &mut Lines<impl BufRead>) -> Result<Parsed, ParseError> {
    let mut tracebacks = Tracebacks::new();
    while let Some(line) = lines.next_before_cut()? {
        tracebacks.line(&line)?;
    }
    if lines.bytes() == 0 {
        return Err(lines.damage_at_end("it is empty"));
    }
    let ends_within_frame = matches!(tracebacks.next, Next::Place | Next::Creation);
    let is_cut = lines.is_cut() || ends_within_frame || lines.bytes() >= GO_CUTS_AT;
    if !is_cut {
        tracebacks.close().map_err(|why| lines.damage_at_end(why))?;
    }
    Ok(tracebacks.finish(is_cut))
}

impl Tracebacks {
    fn new() -> Self {
        let value = ValueType {
            name: "goroutine",
            unit: "count",
        };
        Self {
            profile: Profile::new(&[value], value, 1),
            groups: Groups::new(),
            next: Next::Header,
            goroutine: Goroutine::default(),
            function: Vec::new(),
            cache: LocationCache::default(),
            elided: 0,
            unavailable: 0,
        }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        match self.next {
            Next::Header => self.header(line),
            Next::Function if line.text.is_empty() => self.close_at(line),
            Next::Function => self.function(line),
            Next::Place => self.place(line),
            Next::Creation => {
                self.next = Next::Function;
                let known = source(line.text).map(drop);
                known.ok_or_else(|| line.damage("it is no place in a source file"))
            }
            Next::Ancestors if line.text.is_empty() => self.close_at(line),
            Next::Ancestors => Ok(()),
        }
    }

    fn header(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        if self.goroutine.begin(line.text).is_none() {
            return Err(line.damage("it is no header of a goroutine"));
        }
        self.next = Next::Function;
        Ok(())
    }

    fn function(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        let text = line.text;
        if text.starts_with(b"created by ") {
            self.next = Next::Creation;
        } else if text.starts_with(b"[originating from goroutine ") {
            self.next = Next::Ancestors;
        } else if text.starts_with(b"...") && text.ends_with(b" frames elided...") {
            self.elided = self.elided.saturating_add(1);
        } else if text == b"\tgoroutine running on other thread; stack unavailable" {
            self.unavailable = self.unavailable.saturating_add(1);
        } else if text.starts_with(b"non-Go function at pc=0x") {
            let id = self.location(line, text, b"", 0)?;
            self.push(line, id)?;
        } else {
            self.function.clear();
            self.function.extend_from_slice(name(text));
            self.next = Next::Place;
        }
        Ok(())
    }

    /// The place of the function that the last line named.
    fn place(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        self.next = Next::Function;
        let name_length = self.function.len();
        self.function.extend_from_slice(line.text);
        if let Some(id) = self.cache.find(&self.function) {
            return self.push(line, id);
        }
        let Some((file, number)) = source(line.text) else {
            return Err(line.damage("it is no place in a source file"));
        };
        let function = std::mem::take(&mut self.function);
        let name = function.get(..name_length).unwrap_or_default();
        let id = self.location(line, name, file, number)?;
        self.cache.add(&function, id);
        self.function = function;
        self.push(line, id)
    }

    /// The id of the location of a frame, whose last line this is.
    fn location(
        &mut self,
        last: &Line<'_>,
        function: &[u8],
        file: &[u8],
        line: i64,
    ) -> Result<u64, ParseError> {
        let frame = Frame {
            pc: 0,
            function,
            file,
            line,
        };
        let id = self.profile.location(frame, self.other_bytes());
        id.map_err(|why| last.damage(why))
    }

    /// About how many bytes are kept beside the profile.
    fn other_bytes(&self) -> usize {
        self.groups.bytes() + self.cache.bytes()
    }

    /// Adds a frame to the goroutine's stack.
    fn push(&mut self, line: &Line<'_>, location: u64) -> Result<(), ParseError> {
        if self.goroutine.stack.len() >= MOST_FRAMES {
            return Err(line.damage(format!("its stack has more than {MOST_FRAMES} frames")));
        }
        self.goroutine.stack.push(location);
        Ok(())
    }

    fn close_at(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        self.close().map_err(|why| line.damage(why))
    }

    /// Counts the goroutine that was read, if one was.
    fn close(&mut self) -> Result<(), &'static str> {
        if self.next == Next::Header {
            return Ok(());
        }
        self.next = Next::Header;
        self.profile.check_room(self.other_bytes())?;
        self.groups.add(&self.goroutine);
        Ok(())
    }

    fn finish(mut self, is_cut: bool) -> Parsed {
        self.groups.add_samples(&mut self.profile);
        let mut parsed = Parsed::understood(self.profile);
        if is_cut {
            let note =
                "the text is cut: the goroutine that it ends in, and any after it, are left out";
            parsed.problems.push(Problem::Note(note.to_owned()));
        }
        parsed.note(self.elided, "tracebacks lack frames that Go elided");
        parsed.note(self.unavailable, "goroutines ran, and so have no traceback");
        parsed
    }
}

/// A function's name without its arguments, as the proto has it. C functions have no arguments.
fn name(text: &[u8]) -> &[u8] {
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
fn source(text: &[u8]) -> Option<(&[u8], i64)> {
    let place = text.strip_prefix(b"\t")?;
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
