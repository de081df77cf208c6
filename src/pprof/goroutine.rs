//! goroutine: the traceback of every goroutine, which has no PCs. Hidden are frames of the runtime
//! that are not exported, and those in the middle of a stack of more than 100. Who created a
//! goroutine is no frame of its stack, and not in Go's own proto either.
//! <https://github.com/golang/go/blob/go1.26.0/src/runtime/traceback.go>

mod frame;
mod group;
mod labels;

use std::io::{self, BufRead};

use frame::{has_all_of_place, name, source};
use group::{Goroutine, Groups};

use super::parsed::{Ending, LeftOut, ParseError, Parsed, Problem, accept_damage};
use super::profile::{Frame, Profile, ValueType};
use super::stack::{LocationCache, MOST_FRAMES};
use super::text::{Line, Lines};

/// The size at which Go cuts the text, wherever that is. `writeGoroutineStacks`,
/// <https://github.com/golang/go/blob/go1.26.0/src/runtime/pprof/pprof.go>
const GO_CUTS_AT: u64 = 64 << 20;

/// What stands in place of frames that cannot be read.
const UNAVAILABLE: &[u8] = b"goroutine running on other thread; stack unavailable";

/// The reason why a text may not be whole.
const CUT: &str = "the text is cut: the goroutine that it ends in, and any after it, are left out";

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
    /// The header of another goroutine than this one, which is left out.
    Another,
}

/// The tracebacks that were read so far.
#[derive(Debug)]
struct Tracebacks {
    profile: Profile,
    groups: Groups,
    next: Next,
    goroutine: Goroutine,
    function: Vec<u8>,
    /// Whether the function had arguments, as those of Go have.
    is_call: bool,
    /// By the line of a function and that of its place.
    cache: LocationCache,
    /// How many goroutines were read.
    read: u64,
    left_out: LeftOut,
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
    loop {
        let result = match lines.next() {
            Ok(None) => break,
            Ok(Some(line)) if line.is_cut => tracebacks.cut_line(&line),
            Ok(Some(line)) => tracebacks.line(&line),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracebacks.left_out.add(error, false)?;
            tracebacks.next = Next::Another;
        }
    }
    if lines.bytes() == 0 {
        return Err(lines.damage_at_end("it is empty"));
    }
    tracebacks.finish(lines)
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
            is_call: false,
            cache: LocationCache::default(),
            read: 0,
            left_out: LeftOut::default(),
            elided: 0,
            unavailable: 0,
        }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        match self.next {
            Next::Header if line.text.is_empty() => Ok(()),
            Next::Header => self.header(line),
            Next::Function if line.text.is_empty() => self.close_at(line),
            Next::Function => self.function(line),
            Next::Place => self.place(line),
            Next::Creation => {
                self.next = Next::Function;
                // A creation may lack its place, and neither is used.
                if line.text.starts_with(b"\t") || line.text.starts_with(b" ") {
                    return Ok(());
                }
                self.line(line)
            }
            Next::Ancestors if line.text.is_empty() => self.close_at(line),
            Next::Ancestors => Ok(()),
            Next::Another if line.text.is_empty() => {
                self.next = Next::Header;
                Ok(())
            }
            Next::Another => {
                // The empty line before it may be what was damaged.
                if self.goroutine.begin(line.text).is_some() {
                    self.next = Next::Function;
                }
                Ok(())
            }
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
        } else if text.trim_ascii_start() == UNAVAILABLE {
            self.unavailable = self.unavailable.saturating_add(1);
        } else if text.starts_with(b"non-Go function at pc=0x") {
            let id = self.location(line, text, b"", 0)?;
            self.push(line, id)?;
        } else if text.starts_with(b"goroutine ") && text.ends_with(b":") {
            self.close_at(line)?;
            self.header(line)?;
        } else {
            let name = name(text);
            self.is_call = name.len() != text.len();
            self.function.clear();
            self.function.extend_from_slice(name);
            self.next = Next::Place;
        }
        Ok(())
    }

    /// The place of the function that the last line named.
    fn place(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        self.next = Next::Function;
        let name_length = self.function.len();
        self.function.extend_from_slice(line.text);
        if let Some(known) = self.cache.find(&self.function) {
            return self.push(line, known.id);
        }
        let Some((file, number)) = source(line.text) else {
            self.function.truncate(name_length);
            return self.without_place(line);
        };
        let function = std::mem::take(&mut self.function);
        let name = function.get(..name_length).unwrap_or_default();
        let id = self.location(line, name, file, number)?;
        self.cache.add(&function, id);
        self.function = function;
        self.push(line, id)
    }

    /// Adds the frame that the last line named, if it is a call, without a place: this line is none, but
    /// comes after the frame.
    fn without_place(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        if !self.is_call || line.text.starts_with(b"\t") || line.text.starts_with(b" ") {
            return Err(line.damage("it is no place in a source file"));
        }
        let function = std::mem::take(&mut self.function);
        let id = self.location(line, &function, b"", 0)?;
        self.push(line, id)?;
        self.line(line)
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
        id.map_err(|refusal| last.refused(refusal))
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

    /// Counts the goroutine that was read.
    fn close_at(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        self.close().map_err(|why| line.end_of_room(why))
    }

    fn close(&mut self) -> Result<(), &'static str> {
        self.next = Next::Header;
        self.profile.check_room(self.other_bytes())?;
        self.groups.add(&self.goroutine);
        self.read = self.read.saturating_add(1);
        Ok(())
    }

    /// Reads the text's last line, which lacks its end, as far as that is certain.
    fn cut_line(&mut self, line: &Line<'_>) -> Result<(), ParseError> {
        match self.next {
            Next::Header | Next::Another => {
                let header = b"goroutine ";
                if line.text.starts_with(header) || header.starts_with(line.text) {
                    return Ok(());
                }
                Err(line.damage("it is no header of a goroutine"))
            }
            Next::Function if line.text.starts_with(b"created by ") => self.line(line),
            Next::Place if has_all_of_place(line.text) => self.line(line),
            Next::Function | Next::Place => {
                self.next = Next::Place;
                Ok(())
            }
            Next::Creation | Next::Ancestors => Ok(()),
        }
    }

    fn finish(mut self, lines: &Lines<impl BufRead>) -> Result<Parsed, ParseError> {
        // Of a stack that is whole there is its creation, or at least all of a frame.
        let has_all = match self.next {
            Next::Header | Next::Creation | Next::Ancestors | Next::Another => true,
            Next::Function => lines.bytes() < GO_CUTS_AT,
            Next::Place => false,
        };
        let is_open = !matches!(self.next, Next::Header | Next::Another);
        if is_open && has_all {
            self.close().map_err(|why| lines.end_of_room(why))?;
        }
        self.groups.add_samples(&mut self.profile);
        let mut parsed = Parsed::understood(self.profile);
        if !has_all || lines.bytes() >= GO_CUTS_AT || (lines.is_cut() && !is_open) {
            parsed.problems.push(Problem::Note(CUT.to_owned()));
        } else {
            parsed.note_cut(lines.is_cut());
        }
        parsed.note(self.elided, "tracebacks lack frames that Go elided");
        parsed.note(self.unavailable, "goroutines ran, and so have no traceback");
        parsed.lacking(self.left_out, self.read, Ending::Whole)
    }
}
