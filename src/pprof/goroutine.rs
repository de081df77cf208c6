//! goroutine: the traceback of every goroutine, which has no PCs. Hidden are frames of the runtime
//! that are not exported, and those in the middle of a stack of more than 100. Who created a
//! goroutine is no frame of its stack, and not in Go's own proto either.
//! <https://github.com/golang/go/blob/go1.26.0/src/runtime/traceback.go>

mod groups;

use std::io::{self, BufRead};

use groups::{Goroutine, Groups};

use super::intern::Frame;
use super::lines::{Line, Lines};
use super::parsed::{Parsed, settle};
use super::problem::{Problem, Stop};
use super::profile::Profile;
use super::scan::{Scan, decimal, hexadecimal};
use super::seen::Seen;
use super::stack::MOST_FRAMES;

/// Where Go cuts the text, wherever that is. `writeGoroutineStacks`,
/// <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>
const GO_CUTS_AT: u64 = 64 << 20;

/// What the next line must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Header,
    Function,
    /// The place of the function in `Tracebacks::function`.
    Place,
    /// The place where the goroutine was created.
    Creation,
    /// Goroutines from which this one descends (GODEBUG=tracebackancestors), to the empty line.
    Ancestors,
}

#[derive(Debug)]
struct Tracebacks {
    profile: Profile,
    groups: Groups,
    next: Next,
    goroutine: Goroutine,
    function: Vec<u8>,
    /// Functions with their places.
    seen: Seen,
    elided: u64,
    unavailable: u64,
}

/// Reads the text.
pub(super) fn parse(input: impl BufRead) -> io::Result<Parsed> {
    settle(read(&mut Lines::new(input)))
}

fn read(lines: &mut Lines<impl BufRead>) -> Result<Parsed, Stop> {
    let mut tracebacks = Tracebacks::new();
    while let Some(line) = lines.next()? {
        tracebacks.line(&line)?;
    }
    if lines.bytes() == 0 {
        return Err(lines.end("it is empty"));
    }
    let within = matches!(tracebacks.next, Next::Place | Next::Creation);
    let cut = lines.cut() || within || lines.bytes() >= GO_CUTS_AT;
    if !cut {
        tracebacks.close().map_err(|why| lines.end(why))?;
    }
    Ok(tracebacks.finish(cut))
}

impl Tracebacks {
    fn new() -> Self {
        let value = ("goroutine", "count");
        Self {
            profile: Profile::new(&[value], value, 1),
            groups: Groups::new(),
            next: Next::Header,
            goroutine: Goroutine::default(),
            function: Vec::new(),
            seen: Seen::default(),
            elided: 0,
            unavailable: 0,
        }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Stop> {
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

    fn header(&mut self, line: &Line<'_>) -> Result<(), Stop> {
        if header(line.text, &mut self.goroutine).is_none() {
            return Err(line.damage("it is no header of a goroutine"));
        }
        self.next = Next::Function;
        Ok(())
    }

    fn function(&mut self, line: &Line<'_>) -> Result<(), Stop> {
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
            let id = self.frame(text, b"", 0).map_err(|why| line.damage(why))?;
            self.push(line, id)?;
        } else {
            self.function.clear();
            self.function.extend_from_slice(name(text));
            self.next = Next::Place;
        }
        Ok(())
    }

    /// The place of the function that the last line named.
    fn place(&mut self, line: &Line<'_>) -> Result<(), Stop> {
        self.next = Next::Function;
        let name = self.function.len();
        self.function.extend_from_slice(line.text);
        if let Some(id) = self.seen.find(&self.function) {
            return self.push(line, id);
        }
        let Some((file, number)) = source(line.text) else {
            return Err(line.damage("it is no place in a source file"));
        };
        let function = std::mem::take(&mut self.function);
        let name = function.get(..name).unwrap_or_default();
        let id = self
            .frame(name, file, number)
            .map_err(|why| line.damage(why))?;
        self.seen.add(&function, id);
        self.function = function;
        self.push(line, id)
    }

    fn frame(&mut self, function: &[u8], file: &[u8], line: i64) -> Result<u64, &'static str> {
        let frame = Frame {
            pc: 0,
            function,
            file,
            line,
        };
        self.profile.location(frame, self.beside())
    }

    /// What is kept beside the profile, in bytes.
    fn beside(&self) -> usize {
        self.groups.bytes() + self.seen.bytes()
    }

    fn push(&mut self, line: &Line<'_>, location: u64) -> Result<(), Stop> {
        if self.goroutine.stack.len() >= MOST_FRAMES {
            return Err(line.damage(format!("its stack has more than {MOST_FRAMES} frames")));
        }
        self.goroutine.stack.push(location);
        Ok(())
    }

    fn close_at(&mut self, line: &Line<'_>) -> Result<(), Stop> {
        self.close().map_err(|why| line.damage(why))
    }

    /// Counts the goroutine that was read, if one was.
    fn close(&mut self) -> Result<(), &'static str> {
        if self.next == Next::Header {
            return Ok(());
        }
        self.next = Next::Header;
        self.profile.room(self.beside())?;
        self.groups.add(&self.goroutine);
        Ok(())
    }

    fn finish(mut self, cut: bool) -> Parsed {
        self.groups.put(&mut self.profile);
        let mut parsed = Parsed::whole(self.profile);
        if cut {
            let note =
                "the text is cut: the goroutine that it ends in, and any after it, are left out";
            parsed.problems.push(Problem::Note(note.to_owned()));
        }
        parsed.note(self.elided, "tracebacks lack frames that Go elided");
        parsed.note(self.unavailable, "goroutines ran, and so have no traceback");
        parsed
    }
}

/// `goroutine 7 [chan receive, 2 minutes, locked to thread]:`. What else stands in the brackets
/// stays with the state.
fn header(text: &[u8], goroutine: &mut Goroutine) -> Option<()> {
    let mut scan = Scan(text);
    scan.literal(b"goroutine ")?;
    scan.number()?;
    let rest = str::from_utf8(scan.0).ok()?;
    let (_, brackets) = rest.strip_suffix("]:")?.split_once(" [")?;
    let (brackets, labels) = match brackets.split_once(" labels:") {
        Some((brackets, labels)) => (brackets, labels),
        None => (brackets, ""),
    };
    let Goroutine {
        state,
        minutes,
        locked,
        labels: kept,
        stack,
    } = goroutine;
    (*minutes, *locked) = (0, false);
    state.clear();
    stack.clear();
    kept.clear();
    kept.push_str(labels);
    for part in brackets.split(", ") {
        if let Some(waited) = part.strip_suffix(" minutes") {
            *minutes = decimal(waited.as_bytes())?;
        } else if part == "locked to thread" {
            *locked = true;
        } else {
            let comma = if state.is_empty() { "" } else { ", " };
            state.extend([comma, part]);
        }
    }
    Some(())
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

/// `FILE:LINE`, then for a frame that is not inlined its offset, for one of C its PC.
fn source(text: &[u8]) -> Option<(&[u8], i64)> {
    let text = text.strip_prefix(b"\t")?;
    if let Some(pc) = text.strip_prefix(b"pc=0x") {
        return hexadecimal(pc).map(|_| (&b""[..], 0));
    }
    let colon = text.iter().rposition(|b| *b == b':')?;
    let (file, mut rest) = (text.get(..colon)?, Scan(text.get(colon + 1..)?));
    let line = rest.number()?;
    let ends = [&b" +0x"[..], b" fp=0x", b" pc=0x"];
    let known = rest.0.is_empty() || ends.iter().any(|end| rest.0.starts_with(end));
    known.then_some((file, line))
}
